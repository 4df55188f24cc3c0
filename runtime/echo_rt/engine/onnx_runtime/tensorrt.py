"""The ``tensorrt-ort`` engine: TensorRT by ONNX Runtime's provider for it, beside echo-rt's own ``tensorrt``.

It needs neither the CUDA kernels nor a library that calls CUDA: pre- and postprocess run on the processor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.onnx_runtime.cuda import CudaEngine, usable_device
from echo_rt.engine.onnx_runtime.session import VERSION, open_session, ort
from echo_rt.engine.tensorrt.build import tensorrt_version
from echo_rt.engine.tensorrt.record import sha256
from echo_rt.errors import DeviceError, ModelError
from echo_rt.model import ModelSpec
from echo_rt.model.user_cache import cache_folder

PROVIDER = "TensorrtExecutionProvider"


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    device = usable_device(OrtTensorRtEngine.device, PROVIDER)
    return f"{VERSION} with TensorRT {tensorrt_version(device)} on {device.name}"


class OrtTensorRtEngine(CudaEngine):
    """An `echo_rt.engine.Engine` on ONNX Runtime's TensorRT provider, with all of the network on TensorRT.

    The first start builds TensorRT's engine, which can take minutes; later ones load it from the user's cache.

    Raises:
        DeviceError, MissingExtraError: as `CudaEngine`; also without TensorRT, or where it does not take all of it.
        ModelError: the network contradicts its spec.
        OutputError: the cache folder cannot be used.
    """

    device, _needs = "tensorrt-ort", "TensorRT"

    def _provider(self) -> str:
        return PROVIDER

    def _load(self, path: str, spec: ModelSpec, gpu: CudaDevice) -> tuple[Any, dict[str, list[int]]]:
        # Imported first: so TensorRT's libraries are found where they came in a wheel.
        version = tensorrt_version(gpu)
        options = ort.SessionOptions()
        # An operator that TensorRT does not take would run on the processor, and nobody would hear of it.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        provider = (PROVIDER, provider_options(spec, gpu, engine_folder(path, gpu, version)))
        try:
            return open_session(path, spec, options, provider, f" on {gpu.name}")
        except ModelError as error:
            found = f"expected TensorRT {version} to take all of it, found: {error}"
            raise DeviceError(f"device {self.device}: {found}; install the TensorRT that {VERSION} asks for") from None


def provider_options(spec: ModelSpec, gpu: CudaDevice, folder: Path) -> dict[str, Any]:
    """For the provider. The precision is that of the file, which has passed the gate of `echo-rt export`."""
    return {
        "device_id": gpu.index,
        "trt_fp16_enable": spec.precision in ("fp16", "int8"),
        "trt_int8_enable": spec.precision == "int8",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
    }


def engine_folder(path: str, gpu: CudaDevice, tensorrt: str) -> Path:
    """Where the provider keeps the engine of a model file: a folder for its owner alone.

    ONNX Runtime knows an engine again by the network's names alone. So each model, GPU, driver and release has a folder
    of its own. ONNX Runtime's engines bear no seal.
    """
    machine = f"{gpu.name} {gpu.compute_capability} {gpu.cuda_driver} {tensorrt} {ort.__version__}"
    digest = sha256(Path(path).read_bytes() + machine.encode())[:16]
    return cache_folder(f"onnxruntime-engines/{Path(path).stem}-{digest}")
