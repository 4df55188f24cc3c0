"""The ``cpu`` engine: ONNX Runtime on the processor."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from echo_rt.arrays import Field
from echo_rt.engine.host import HostEngine, Tensors, default_threads
from echo_rt.engine.onnx_runtime.session import SILENT, VERSION, open_session, ort
from echo_rt.errors import ModelError, first_line
from echo_rt.model import ModelSpec


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    return f"{VERSION}, {os.cpu_count()} cores"


class CpuEngine(HostEngine):
    """An `echo_rt.engine.Engine` on ONNX Runtime; 0 threads are `default_threads`. ModelError as `open_session`."""

    device = "cpu"

    def __init__(self, path: str, spec: ModelSpec, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = count = threads or default_threads()
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Threads that spin between two frames take the cores that decode, measure and show them: docs/engines.md.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session, shapes = open_session(path, spec, options, ("CPUExecutionProvider", {}))
        super().__init__(spec, shapes)
        how = f"{spec.precision}, {count} thread{'s' * (count != 1)}"
        self.description = f"{Path(path).name} on {VERSION} (cpu, {how})"
        self._run = ort.RunOptions()
        self._run.log_severity_level = SILENT
        self._binding = self._session.io_binding()
        self._binding.bind_cpu_input("image", self._image)
        for name, out in self._out.items():
            self._bind_output(name, out)

    def _bind_output(self, name: str, out: Field) -> None:
        self._binding.bind_output(name, "cpu", 0, np.float32, out.shape, out.ctypes.data)

    def _infer(self, before: Tensors) -> Tensors:
        after: Tensors = {name: np.empty_like(tensor) for name, tensor in before.items()}
        for name, tensor in before.items():
            self._binding.bind_cpu_input(name, tensor)
            self._bind_output(f"{name}_next", after[name])
        try:
            self._session.run_with_iobinding(self._binding, self._run)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
            found = f"expected ONNX Runtime to run a frame, found {first_line(error)}"
            raise ModelError(f"device cpu: {found}; export the model again") from None
        return after

    def _stop(self) -> None:
        self._run.terminate = True

    def _free(self) -> None:
        self._binding = self._session = None
