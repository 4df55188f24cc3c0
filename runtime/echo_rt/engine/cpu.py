"""The ``cpu`` engine: ONNX Runtime on the processor."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from echo_rt.engine.postprocess import postprocess
from echo_rt.engine.preprocess import Preprocess
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
        _check_signature(path, spec, session)
        self.spec = spec
        self.description = f"{Path(path).name} on ONNX Runtime {version()} (cpu, {spec.precision})"
        self._session: ort.InferenceSession | None = session
        self._input = np.empty((1, 1, spec.height, spec.width), np.float32)
        self._preprocess = Preprocess((spec.height, spec.width), spec.mean, spec.std)

    def segment(self, image: NDArray[np.uint8], state: object = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`."""
        if self._session is None:
            raise EngineClosedError("expected an open engine, found one that was closed; open a new one with open_engine")
        start = time.perf_counter()
        grid_map = self._preprocess(image, self._input[0, 0])
        ready = time.perf_counter()
        logits = self._session.run(["logits"], {"image": self._input})[0]
        done = time.perf_counter()
        probability, labels = postprocess(logits[0])
        time_ms = {
            "preprocess": 1e3 * (ready - start),
            "network": 1e3 * (done - ready),
            "postprocess": 1e3 * (time.perf_counter() - done),
        }
        return Segmentation(probability, labels, grid_map, None, time_ms)

    def close(self) -> None:
        """Free the network; a second call does nothing."""
        self._session = None

    def __enter__(self) -> CpuEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _check_signature(path: str, spec: ModelSpec, session: ort.InferenceSession) -> None:
    found = {node.name: list(node.shape) for node in [*session.get_inputs(), *session.get_outputs()]}
    expected = {
        "image": [1, 1, spec.height, spec.width],
        "logits": [1, len(spec.classes), spec.height, spec.width],
    }
    if found != expected:
        raise ModelError(f"{path}: its spec says {expected}, the network has {found}; export the model again")
