"""One network on one stream of the GPU, between the kernels that preprocess and postprocess."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt.build import TensorInfo
from echo_rt.engine.tensorrt.cache import StoredEngine
from echo_rt.engine.tensorrt.context import PrimaryContext
from echo_rt.engine.tensorrt.kernels import TALLY_NUMBERS, Kernels
from echo_rt.engine.tensorrt.memory import Block, Memory
from echo_rt.errors import DeviceError, ModelError
from echo_rt.model import ModelSpec
from echo_rt.segmentation import GridMap


class Network:
    """An engine of TensorRT, its stream, the kernels around it and the memory between them. Freed by `close`.

    The engine uses it with the primary context current, one thread at a time.

    Attributes:
        memory: freed with the network.
        outputs: layout of what a frame leaves: ``probability``, ``labels``, ``tally``, and the model's heads.
        state, next_state: a temporal model's tensors before and after a frame; empty for others.
    """

    def __init__(self, primary: PrimaryContext, device: CudaDevice, stored: StoredEngine, spec: ModelSpec) -> None:
        tensors = {tensor.name: tensor for tensor in (*stored.record.inputs, *stored.record.outputs)}
        _check_types(stored, spec, tensors)
        self.primary, self.spec, self.memory = primary, spec, Memory(primary.cuda)
        self.stream: Any = None
        self.trt_engine: Any = None
        self.trt_context: Any = None
        self._kernels: Any = None
        try:
            self._open(device, stored, tensors)
        except BaseException:
            self.close()
            raise

    def _open(self, device: CudaDevice, stored: StoredEngine, tensors: Mapping[str, TensorInfo]) -> None:
        # 1 is CU_STREAM_NON_BLOCKING: it and others' stream 0 do not wait for each other, as a capture needs.
        self.stream = self.primary.cuda.Stream(1)
        self.trt_engine = stored.deserialize(device)
        self.trt_context = self.trt_engine.create_execution_context()
        if self.trt_context is None:
            found = f"expected TensorRT to run {stored.path.name} on {device.name}, found too little memory"
            raise DeviceError(f"{found}; end what else uses the GPU")
        image, logits = tensors["image"], tensors["logits"]
        self._kernels = Kernels(self.primary.cuda, self.spec, image.dtype, logits.dtype)
        own = [
            TensorInfo("probability", logits.shape[1:], "float32"),
            TensorInfo("labels", logits.shape[2:], "uint8"),
            TensorInfo("tally", (TALLY_NUMBERS,), "uint64"),
        ]
        self.outputs = Block.of([*own, *(tensors[name] for name in self.spec.heads)])
        self._inner = Block.of([image, logits], self.memory)
        self.state = Block.of([tensors[name] for name in self.spec.state], self.memory)
        self.next_state = Block.of([tensors[f"{name}_next"] for name in self.spec.state], self.memory)
        for block in (self._inner, self.state, self.next_state):
            for name in block.places:
                self._bind(name, block.at(name))

    def _bind(self, name: str, address: int) -> None:
        if not self.trt_context.set_tensor_address(name, address):
            found = f"expected TensorRT to take an address for {name}, found that it refuses"
            raise DeviceError(f"{found}; build the engine again")

    def enqueue(self, image: int, shape: tuple[int, ...], grid_map: GridMap, output: int) -> None:
        """Preprocess, network and postprocess of one frame.

        Args:
            image: address of the image, (H, W) or (H, W, 3) without gaps between the rows.
            output: address of the memory for `outputs`.
        """
        self._kernels.preprocess(self.stream, image, shape, grid_map, self._inner.at("image"))
        for name in self.spec.heads:
            self._bind(name, output + self.outputs.at(name))
        if not self.trt_context.execute_async_v3(self.stream.handle):
            raise DeviceError("expected TensorRT to run the network, found that it refuses; open the engine again")
        probability, labels, tally = (output + self.outputs.at(name) for name in ("probability", "labels", "tally"))
        self._kernels.postprocess(self.stream, self._inner.at("logits"), probability, labels, tally)

    def close(self) -> None:
        """Free the context before its engine, both before the memory they use, the stream last. Twice does no harm."""
        if self.stream is not None:
            with suppress(self.primary.cuda.Error):  # known by now, and all of this has to go
                self.stream.synchronize()
        self.trt_context = self.trt_engine = self._kernels = None  # from the left to the right
        self.memory.close()
        self.stream = None


def _check_types(stored: StoredEngine, spec: ModelSpec, tensors: Mapping[str, TensorInfo]) -> None:
    """ModelError where the kernels cannot read or write a tensor of the network."""
    for name in ("image", "logits", *spec.heads):
        if (dtype := tensors[name].dtype) not in ("float32", "float16"):
            found = f"expected {name} in float32 or float16, found {dtype}"
            raise ModelError(f"{stored.path}: {found}; export the model again")
    for name in spec.state:
        if tensors[name].dtype != tensors[f"{name}_next"].dtype:
            found = f"expected {name} and {name}_next of one type, found two"
            raise ModelError(f"{stored.path}: {found}; export the model again")
