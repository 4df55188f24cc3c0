"""The ``cpu`` engine: ONNX Runtime on the processor."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.engine.postprocess import postprocess, read_heads
from echo_rt.engine.preprocess import Preprocess
from echo_rt.engine.signature import check_signature
from echo_rt.errors import DeviceError, EngineClosedError, ModelError
from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation

try:
    import onnxruntime as ort
except ImportError as error:  # pragma: no cover - a broken installation
    raise DeviceError(f"device cpu: ONNX Runtime cannot be loaded ({error}); run  pip install onnxruntime") from None


def version() -> str:
    """Of ONNX Runtime."""
    return str(ort.__version__)


class CpuEngine:
    """An `echo_rt.engine.Engine` on ONNX Runtime. It may be used from any thread, by one thread at a time."""

    device = "cpu"

    def __init__(self, path: str, spec: ModelSpec, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
            first = str(error).strip().splitlines()[0]
            raise ModelError(f"{path}: ONNX Runtime cannot load it ({first}); export the model again") from None
        inputs, outputs = ({node.name: list(node.shape) for node in nodes} for nodes in (session.get_inputs(), session.get_outputs()))
        check_signature(path, spec, inputs, outputs)
        self.spec = spec
        self.description = f"{Path(path).name} on ONNX Runtime {version()} (cpu, {spec.precision})"
        self._session: ort.InferenceSession | None = session
        self._input = np.empty((1, 1, spec.height, spec.width), np.float32)
        self._preprocess = Preprocess((spec.height, spec.width), spec.mean, spec.std)
        self._start = {node.name: np.zeros(node.shape, np.float32) for node in session.get_inputs() if node.name in spec.state}
        self._outputs = ["logits", *spec.heads, *(f"{name}_next" for name in spec.state)]

    def segment(self, image: NDArray[np.uint8], state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`."""
        if self._session is None:
            raise EngineClosedError("expected an open engine, found one that was closed; open a new one with open_engine")
        start = time.perf_counter()
        grid_map = self._preprocess(image, self._input[0, 0])
        ready = time.perf_counter()
        before = self._start if state is None else state
        found = dict(zip(self._outputs, self._session.run(self._outputs, {"image": self._input, **before}), strict=True))
        done = time.perf_counter()
        probability, labels = postprocess(found["logits"][0])
        view, confidence = read_heads({name: found[name][0] for name in self.spec.heads})
        after = {name: found[f"{name}_next"] for name in self.spec.state} or None
        time_ms = {
            "preprocess": 1e3 * (ready - start),
            "network": 1e3 * (done - ready),
            "postprocess": 1e3 * (time.perf_counter() - done),
        }
        return Segmentation(probability, labels, grid_map, view, confidence, after, time_ms)

    def close(self) -> None:
        """Free the network; a second call does nothing."""
        self._session = None

    def __enter__(self) -> CpuEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
