"""The ``cuda`` engine: ONNX Runtime on an NVIDIA GPU, for those without TensorRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.engine.cuda_driver import CudaDevice, find_device
from echo_rt.engine.host import HostEngine, Tensors
from echo_rt.engine.onnx_runtime.session import VERSION, open_session, ort
from echo_rt.errors import DeviceError, first_line
from echo_rt.model import ModelSpec

# ONNX Runtime's names of the provider and of its memory.
PROVIDER, PLACE = "CUDAExecutionProvider", "cuda"


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    return f"{VERSION} on {usable_device(CudaEngine.device, PROVIDER).name}"


def usable_device(name: str, provider: str) -> CudaDevice:
    """The GPU; NoDeviceError where there is none, DeviceError where this ONNX Runtime has no such provider."""
    device, found = find_device(), ort.get_available_providers()
    if provider not in found:
        problem = f"expected an ONNX Runtime for CUDA on {device.name}, found one with {', '.join(found)}"
        advice = "run  pip uninstall onnxruntime  and then  pip install onnxruntime-gpu"
        raise DeviceError(f"device {name}: {problem}; {advice}")
    return device


class CudaEngine(HostEngine):
    """An `echo_rt.engine.Engine` on ONNX Runtime's CUDA provider. A temporal model's state stays on the GPU.

    Raises:
        DeviceError: there is no CUDA device, or this ONNX Runtime has no provider for it, or did not take it.
        ModelError: it cannot load the file, or the network contradicts its spec.
    """

    device, _needs = "cuda", "CUDA and cuDNN"

    def __init__(self, path: str, spec: ModelSpec) -> None:
        gpu = usable_device(self.device, provider := self._provider())
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA's and cuDNN's libraries from their wheels, where they are installed so
        self._session, shapes = self._load(path, spec, gpu)
        # Without a library that the provider needs, ONNX Runtime warns and takes the processor.
        if provider not in (taken := self._session.get_providers()):
            found = f"expected ONNX Runtime to run on {gpu.name}, found that it took {', '.join(taken)}"
            raise DeviceError(f"device {self.device}: {found}; install the {self._needs} that {VERSION} asks for")
        self._session.disable_fallback()  # else an error in a frame would silently move the network to the processor
        super().__init__(spec, shapes)
        self.description = f"{Path(path).name} on {VERSION} ({self.device}, {gpu.name}, {spec.precision})"
        self._index = gpu.index
        half = {node.name for node in self._session.get_inputs() if node.type == "tensor(float16)"}
        types = {name: np.float16 if name in half else np.float32 for name in shapes}
        self._start = {name: self._on_gpu(first.astype(types[name])) for name, first in self._start.items()}
        self._staged = self._image.astype(types["image"])
        self._image_on_gpu = self._on_gpu(self._staged)
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input("image", self._image_on_gpu)

    def _provider(self) -> str:
        return PROVIDER

    def _load(self, path: str, spec: ModelSpec, gpu: CudaDevice) -> tuple[Any, dict[str, list[int]]]:
        """As `open_session`."""
        provider = (PROVIDER, {"device_id": gpu.index})
        return open_session(path, spec, ort.SessionOptions(), provider, f" on {gpu.name}")

    def _on_gpu(self, array: np.ndarray[Any, Any]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(array, PLACE, self._index)

    def _infer(self, before: Tensors) -> Tensors:
        np.copyto(self._staged, self._image)
        self._image_on_gpu.update_inplace(self._staged)
        for name, tensor in before.items():
            self._binding.bind_ortvalue_input(name, tensor)
        # Bound anew for each frame: else ONNX Runtime writes over the frame before, now somebody's state.
        for name in self._out:
            self._binding.bind_output(name, "cpu")
        for name in before:
            self._binding.bind_output(f"{name}_next", PLACE, self._index)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
            found = f"expected ONNX Runtime to run a frame, found {first_line(error)}"
            raise DeviceError(f"device {self.device}: {found}; open the engine again") from None
        values = self._binding.get_outputs()
        for out, value in zip(self._out.values(), values, strict=False):
            np.copyto(out, value.numpy())
        return dict(zip(before, values[len(self._out) :], strict=True))

    @staticmethod
    def _fits(tensor: Any, first: Any) -> bool:
        return isinstance(tensor, ort.OrtValue) and bool(tensor.shape() == first.shape())

    def _free(self) -> None:
        self._session = self._binding = self._image_on_gpu = None
        self._start = {}
