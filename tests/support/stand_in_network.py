"""A stand-in for TensorRT's engine and execution context on the stand-in GPU: ONNX Runtime runs the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from support.stand_in_cuda import StandInGpu, Stream


class StandInEngine:
    """An ``ICudaEngine`` that ONNX Runtime runs."""

    def __init__(self, gpu: StandInGpu, model: str) -> None:
        gpu.current()
        self._gpu, self._model = gpu, model

    def create_execution_context(self) -> StandInContext:
        self._gpu.current()
        self._gpu.happened.append("open network")
        return StandInContext(self._gpu, self._model, self)

    def __del__(self) -> None:
        self._gpu.happened.append("free engine")


class StandInContext:
    def __init__(self, gpu: StandInGpu, model: str, engine: StandInEngine) -> None:
        self._gpu, self._engine, self._used = gpu, engine, False
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        known = {node.name for node in (*self._session.get_inputs(), *self._session.get_outputs())}
        if name not in known or address % 256 != 0:
            return False
        self._addresses[name] = address
        return True

    def execute_async_v3(self, handle: int) -> bool:
        self._gpu.current()
        if self._gpu.capturing is not None and (self._gpu.capture_fails == "network" or not self._used):
            return False  # what is set up on first use cannot be recorded
        self._used = True
        addresses = dict(self._addresses)
        Stream.by_handle[handle].put(lambda: self._run(addresses))
        return True

    def _array(self, node: Any, addresses: dict[str, int]) -> np.ndarray:
        dtype = np.dtype({"tensor(float)": np.float32, "tensor(float16)": np.float16}[node.type])
        nbytes = int(np.prod(node.shape)) * dtype.itemsize
        return self._gpu.memory(addresses[node.name], nbytes).view(dtype).reshape(node.shape)

    def _run(self, addresses: dict[str, int]) -> None:
        outputs = self._session.get_outputs()
        inputs = {node.name: self._array(node, addresses) for node in self._session.get_inputs()}
        for node, found in zip(outputs, self._session.run([node.name for node in outputs], inputs), strict=True):
            self._array(node, addresses)[...] = found

    def __del__(self) -> None:
        self._gpu.happened.append("free network")
