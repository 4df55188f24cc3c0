"""The ``cuda`` engine: ONNX Runtime on an NVIDIA GPU, for those without TensorRT. Pre- and postprocess stay on the
processor."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.engine.cuda_driver import CudaDevice, find_device
from echo_rt.engine.heads import read_heads
from echo_rt.engine.preprocess import Preprocess
from echo_rt.engine.signature import check_signature, foreign_state
from echo_rt.errors import DeviceError, EngineClosedError, ModelError, first_line
from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation

PROVIDER, PLACE = "CUDAExecutionProvider", "cuda"
"""ONNX Runtime's names of the provider and of its memory."""


def probe_cuda() -> str:
    """What would run here.

    Raises:
        NoDeviceError, DeviceError: why nothing can.
    """
    device = find_device()
    _check_provider(device)
    return f"ONNX Runtime {ort.__version__} on {device.name}"


def _check_provider(device: CudaDevice) -> None:
    found = ort.get_available_providers()
    if PROVIDER not in found:
        raise DeviceError(
            f"device cuda: expected an ONNX Runtime for CUDA on {device.name}, found one with {', '.join(found)}; run  "
            "pip uninstall onnxruntime  and then  pip install onnxruntime-gpu"
        )


class CudaEngine:
    """An `echo_rt.engine.Engine` on ONNX Runtime's CUDA provider. It may be used from any thread, by one at a time.

    Raises:
        NoDeviceError: there is no CUDA device.
        DeviceError: this ONNX Runtime has no CUDA provider, or did not take it.
        ModelError: it cannot load the file, or the network contradicts its spec.
    """

    device = "cuda"

    def __init__(self, path: str, spec: ModelSpec) -> None:
        found = find_device()
        _check_provider(found)
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA's and cuDNN's libraries from their wheels, where they are installed so
        options = ort.SessionOptions()
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(path, options, providers=[(PROVIDER, {"device_id": found.index})])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
            first = first_line(error)
            raise ModelError(
                f"{path}: ONNX Runtime cannot load it on {found.name} ({first}); export the model again"
            ) from None
        # Without a library that the provider needs, ONNX Runtime warns and takes the processor.
        if PROVIDER not in (taken := session.get_providers()):
            raise DeviceError(
                f"device cuda: expected ONNX Runtime to run on {found.name}, found that it took {', '.join(taken)}; install the CUDA "
                f"and cuDNN that ONNX Runtime {ort.__version__} asks for"
            )
        session.disable_fallback()  # by default an error in a frame would silently move the network to the processor
        inputs, outputs = (
            {node.name: list(node.shape) for node in nodes} for nodes in (session.get_inputs(), session.get_outputs())
        )
        check_signature(path, spec, inputs, outputs)
        types = {
            node.name: np.float16 if node.type == "tensor(float16)" else np.float32 for node in session.get_inputs()
        }
        self.spec = spec
        self.description = f"{Path(path).name} on ONNX Runtime {ort.__version__} (cuda, {found.name}, {spec.precision})"
        self._index, self._lock = found.index, threading.Lock()
        self._session: ort.InferenceSession | None = session
        self._preprocess = Preprocess((spec.height, spec.width), spec.mean, spec.std)
        self._input = np.empty((1, 1, spec.height, spec.width), np.float32)
        self._staged = np.empty(self._input.shape, types["image"])
        self._image = self._on_gpu(self._staged)
        self._start = {name: self._on_gpu(np.zeros(inputs[name], types[name])) for name in spec.state}
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("image", self._image)

    def _on_gpu(self, array: NDArray[Any]) -> Any:
        return ort.OrtValue.ortvalue_from_numpy(array, PLACE, self._index)

    def segment(self, image: NDArray[np.uint8], state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`. The state stays on the GPU."""
        with self._lock:
            return self._segment(image, state)

    def _segment(self, image: NDArray[np.uint8], state: Any) -> Segmentation:
        if self._session is None:
            raise EngineClosedError(
                "expected an open engine, found one that was closed; open a new one with open_engine"
            )
        if state is not None and not (isinstance(state, dict) and state.keys() == self._start.keys()):
            raise foreign_state(state)
        start = time.perf_counter()
        grid_map = self._preprocess(image, self._input[0, 0])
        np.copyto(self._staged, self._input)
        self._image.update_inplace(self._staged)
        ready = time.perf_counter()
        for name, tensor in (self._start if state is None else state).items():
            self._binding.bind_ortvalue_input(name, tensor)
        # Bound anew for each frame: ONNX Runtime would write into the memory of the frame before, which is somebody's
        # state now.
        names = ("logits", *self.spec.heads)
        for name in names:
            self._binding.bind_output(name, "cpu")
        for name in self.spec.state:
            self._binding.bind_output(f"{name}_next", PLACE, self._index)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # noqa: BLE001 - as above
            first = first_line(error)
            raise DeviceError(
                f"device cuda: expected ONNX Runtime to run a frame, found {first}; open the engine again"
            ) from None
        values = self._binding.get_outputs()
        found = {name: value.numpy() for name, value in zip(names, values, strict=False)}
        after = dict(zip(self.spec.state, values[len(names) :], strict=True)) or None
        done = time.perf_counter()
        probability, labels, tally = native.postprocess(found["logits"][0].astype(np.float32, copy=False))
        view, confidence = read_heads({name: found[name][0].astype(np.float32) for name in self.spec.heads})
        time_ms = {
            "preprocess": 1e3 * (ready - start),
            "network": 1e3 * (done - ready),
            "postprocess": 1e3 * (time.perf_counter() - done),
        }
        return Segmentation(probability, labels, grid_map, view, confidence, after, time_ms, tally)

    def close(self) -> None:
        """Free the network, once a frame that another thread runs has ended; a second call does nothing."""
        with self._lock:
            self._session = self._binding = self._image = None
            self._start = {}

    def __enter__(self) -> CudaEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
