"""The ``cpu`` engine: ONNX Runtime on the processor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.engine.host import HostEngine, Tensors, default_threads
from echo_rt.engine.signature import check_signature
from echo_rt.errors import DeviceError, ModelError, first_line
from echo_rt.model import ModelSpec

try:
    import onnxruntime as ort
except ImportError as error:  # pragma: no cover - a broken installation
    raise DeviceError(f"device cpu: ONNX Runtime cannot be loaded ({error}); run  pip install onnxruntime") from None


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    return f"ONNX Runtime {ort.__version__}, {os.cpu_count()} cores"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"


class CpuEngine(HostEngine):
    """An `echo_rt.engine.Engine` on ONNX Runtime.

    Args:
        path: of the ONNX file.
        spec: what it says of itself.
        threads: of the network; 0 is `default_threads`.

    Raises:
        ModelError: ONNX Runtime cannot load it, or it contradicts its spec.
    """

    device = "cpu"

    def __init__(self, path: str, spec: ModelSpec, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Threads that spin between two frames take the cores that decode, measure and show them: docs/engines.md.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
            first = first_line(error)
            raise ModelError(f"{path}: ONNX Runtime cannot load it ({first}); export the model again") from None
        inputs, outputs = (
            {node.name: list(node.shape) for node in nodes} for nodes in (session.get_inputs(), session.get_outputs())
        )
        check_signature(path, spec, inputs, outputs)
        super().__init__(spec, {**inputs, **outputs})
        self.description = f"{Path(path).name} on ONNX Runtime {ort.__version__} (cpu, {spec.precision}, {_threads(options.intra_op_num_threads)})"
        self._session: Any = session
        self._binding = session.io_binding()
        self._binding.bind_cpu_input("image", self._image)
        for name, out in self._out.items():
            self._binding.bind_output(name, "cpu", 0, np.float32, out.shape, out.ctypes.data)

    def _infer(self, before: Tensors, after: Tensors) -> None:
        for name, tensor in before.items():
            self._binding.bind_cpu_input(name, tensor)
            out = after[name]
            self._binding.bind_output(f"{name}_next", "cpu", 0, np.float32, out.shape, out.ctypes.data)
        self._session.run_with_iobinding(self._binding)

    def _free(self) -> None:
        self._binding = self._session = None
