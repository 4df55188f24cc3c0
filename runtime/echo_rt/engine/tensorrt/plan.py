"""One network on one stream of the GPU, and the way of a frame around it for one size of image.

Everything here runs with the primary context current, one thread at a time; `echo_rt.engine.tensorrt.engine` sees to
both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt import kernels as kernels
from echo_rt.engine.tensorrt.build import TensorInfo
from echo_rt.engine.tensorrt.cache import StoredEngine
from echo_rt.engine.tensorrt.context import PrimaryContext
from echo_rt.engine.tensorrt.graph import CudaGraph
from echo_rt.errors import DeviceError, MissingExtraError, ModelError, first_line
from echo_rt.model import ModelSpec
from echo_rt.segmentation import GridMap

_ALIGNMENT = 256
"""Bytes that TensorRT wants an address to be a multiple of."""


@dataclass(frozen=True)
class Block:
    """Several arrays in one piece of memory, each where TensorRT may use it.

    Attributes:
        places: offset in bytes, shape and NumPy type of each array by its name.
        nbytes: of the whole.
    """

    places: dict[str, tuple[int, tuple[int, ...], str]]
    nbytes: int

    @classmethod
    def of(cls, arrays: Sequence[TensorInfo]) -> Block:
        places, end = {}, 0
        for array in arrays:
            places[array.name] = (end, array.shape, array.dtype)
            size = int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize
            end += -(-size // _ALIGNMENT) * _ALIGNMENT
        return cls(places, end)

    def offset(self, name: str) -> int:
        return self.places[name][0]

    def array(self, memory: NDArray[np.uint8], name: str) -> NDArray[Any]:
        """A new array with what stands in `memory`, (nbytes,)."""
        offset, shape, dtype = self.places[name]
        return np.ndarray(shape, dtype, memory, offset).copy()


class Network:
    """An engine of TensorRT with its stream, the kernels around it and the memory between them. Freed by `close`.

    Attributes:
        primary: the context that all of it lives in.
        spec: of the model.
        stream: that everything is enqueued on.
        outputs: what a frame leaves: ``probability``, ``labels``, ``tally``, and the model's heads.
        state, next_state: a temporal model's tensors before and after a frame; empty for others.
    """

    def __init__(self, primary: PrimaryContext, device: CudaDevice, stored: StoredEngine, spec: ModelSpec) -> None:
        self.primary, self.spec = primary, spec
        tensors = {tensor.name: tensor for tensor in (*stored.record.inputs, *stored.record.outputs)}
        for name in ("image", "logits", *spec.heads):
            if tensors[name].dtype not in ("float32", "float16"):
                raise ModelError(
                    f"{stored.path}: expected {name} in float32 or float16, found {tensors[name].dtype}; export the model again"
                )
        for name in spec.state:
            if tensors[name].dtype != tensors[f"{name}_next"].dtype:
                raise ModelError(
                    f"{stored.path}: expected {name} and {name}_next of one type, found two; export the model again"
                )
        shape = tensors["logits"].shape[1:]
        own = [TensorInfo("probability", shape, "float32"), TensorInfo("labels", shape[1:], "uint8")]
        own.append(TensorInfo("tally", (kernels.TALLY_NUMBERS,), "uint64"))
        self.outputs = Block.of([*own, *(tensors[name] for name in spec.heads)])
        self.state = Block.of([tensors[name] for name in spec.state])
        self.next_state = Block.of([tensors[f"{name}_next"] for name in spec.state])
        self._inner = Block.of([tensors["image"], tensors["logits"]])
        self._dtypes = (tensors["image"].dtype, tensors["logits"].dtype)
        self._memory: list[Any] = []
        self._functions: dict[str, Any] = {}
        self.stream: Any = None
        self.trt_engine: Any = None
        self.trt_context: Any = None
        try:
            self._open(device, stored)
        except BaseException:
            self.close()
            raise

    def _open(self, device: CudaDevice, stored: StoredEngine) -> None:
        cuda, grid = self.primary.cuda, (self.spec.height, self.spec.width)
        self.stream = self.primary.new_stream()
        self.trt_engine = stored.deserialize(device)
        self.trt_context = self.trt_engine.create_execution_context()
        if self.trt_context is None:
            raise DeviceError(
                f"expected TensorRT to run {stored.path.name} on {device.name}, found too little memory; end what else uses the GPU"
            )
        self.module = cuda.module_from_file(str(kernels.fatbin_path()))
        for colour in (False, True):
            self._prepare(
                "bgr" if colour else "grey",
                kernels.preprocess_name(colour, self._dtypes[0]),
                kernels.PREPROCESS_ARGUMENTS,
            )
        self._prepare("postprocess", kernels.postprocess_name(self._dtypes[1]), kernels.POSTPROCESS_ARGUMENTS)
        self._launches = (kernels.preprocess_launch(grid), kernels.postprocess_launch(grid))
        inner = self.allocate(self._inner.nbytes)
        self._image, self._logits = (inner + self._inner.offset(name) for name in ("image", "logits"))
        # An empty state has no memory, and nothing that asks for it.
        self.state_address, self.next_state_address = (
            self.allocate(b.nbytes) if b.nbytes else 0 for b in (self.state, self.next_state)
        )
        self._bind("image", self._image)
        self._bind("logits", self._logits)
        for name in self.spec.state:
            self._bind(name, self.state_address + self.state.offset(name))
            self._bind(f"{name}_next", self.next_state_address + self.next_state.offset(f"{name}_next"))

    def _prepare(self, key: str, name: str, arguments: str) -> None:
        function = self.module.get_function(name)
        function.prepare(arguments)
        self._functions[key] = function

    def _bind(self, name: str, address: int) -> None:
        if not self.trt_context.set_tensor_address(name, address):
            raise DeviceError(
                f"expected TensorRT to take an address for {name}, found that it refuses; build the engine again"
            )

    def allocate(self, nbytes: int) -> int:
        """The address of memory on the GPU that is freed with the network, 256 bytes aligned, as CUDA's allocations
        are."""
        allocation = self.primary.cuda.mem_alloc(nbytes)
        self._memory.append(allocation)
        return int(allocation)

    def enqueue(self, image: int, shape: tuple[int, ...], grid_map: GridMap, output: int) -> None:
        """Preprocess, network and postprocess of one frame.

        Args:
            image: address of the image, its rows without gaps.
            shape: (H, W) or (H, W, 3).
            grid_map: from the grid to the image.
            output: address of the memory for `outputs`.
        """
        cuda, stream, colour = self.primary.cuda, self.stream, len(shape) == 3
        (before_blocks, before_threads), (after_blocks, after_threads) = self._launches
        arguments = kernels.preprocess_arguments(
            image, shape[1] * (3 if colour else 1), grid_map, self.spec, self._image
        )
        function = self._functions["bgr" if colour else "grey"]
        function.prepared_async_call(before_blocks, before_threads, stream, *arguments)
        for name in self.spec.heads:
            self._bind(name, output + self.outputs.offset(name))
        if not self.trt_context.execute_async_v3(stream.handle):
            raise DeviceError("expected TensorRT to run the network, found that it refuses; open the engine again")
        probability, labels, tally = (output + self.outputs.offset(name) for name in ("probability", "labels", "tally"))
        cuda.memset_d8_async(tally, 0, 8 * kernels.TALLY_NUMBERS, stream)
        pixels = self.spec.height * self.spec.width
        function = self._functions["postprocess"]
        function.prepared_async_call(
            after_blocks, after_threads, stream, self._logits, pixels, probability, labels, tally
        )

    def close(self) -> None:
        """Free all of it: the context before its engine, both before the memory they use, the stream last. Twice does
        no harm."""
        if self.stream is not None:
            with suppress(
                self.primary.cuda.Error
            ):  # what failed before is known by now, and all of this has to go all the same
                self.stream.synchronize()
        self.trt_context = None
        self.trt_engine = None
        self._functions.clear()
        self.module = None
        while self._memory:
            allocation = self._memory.pop()
            allocation.free()
        self.stream = None


@dataclass
class Slot:
    """Page-locked memory for one frame on its way.

    Attributes:
        image, output: what the processor writes and reads, flat uint8.
        image_address, output_address: where the GPU finds the frame and leaves its results.
        done: recorded behind the frame.
        graph: of this slot, where the capture went well.
        occupant: whose results are still to be fetched.
    """

    image: NDArray[np.uint8]
    output: NDArray[np.uint8]
    image_address: int
    output_address: int
    done: Any
    graph: CudaGraph | None = None
    occupant: Any = field(default=None, repr=False)


class Plan:
    """All that depends on the size of the image: slots, their addresses, their graphs.

    Args:
        network: it runs.
        shape: (H, W) or (H, W, 3).
        slots: frames that can be on their way at once.
        use_graph: whether to try a capture.
        say: told why there is no graph, where one was wanted.
    """

    def __init__(
        self, network: Network, shape: tuple[int, ...], slots: int, use_graph: bool, say: Callable[[str], None]
    ) -> None:
        self.network, self.shape = network, shape
        self.map = GridMap.letterbox((shape[0], shape[1]), (network.spec.height, network.spec.width))
        # Where processor and GPU share their memory, the GPU works in the slots themselves; elsewhere on memory of its
        # own, one for all slots, since the stream does one frame after another.
        self.copies = not network.primary.integrated
        self._memory: list[Any] = []
        self.slots: list[Slot] = []
        self._next = 0
        try:
            self._open(slots)
            self._warm_up()
            if use_graph:
                self._capture(say)
        except BaseException:
            self.close()
            raise

    def _open(self, slots: int) -> None:
        cuda, sizes = self.network.primary.cuda, (int(np.prod(self.shape)), self.network.outputs.nbytes)
        device: list[int] = []
        if self.copies:
            for nbytes in sizes:
                allocation = cuda.mem_alloc(nbytes)
                self._memory.append(allocation)
                device.append(int(allocation))
        flags = 0 if self.copies else cuda.host_alloc_flags.DEVICEMAP
        for _ in range(slots):
            arrays = []
            for nbytes in sizes:
                arrays.append(cuda.pagelocked_empty((nbytes,), np.uint8, mem_flags=flags))
                self._memory.append(arrays[-1].base)
            image, output = arrays
            image[:] = 0
            image_address, output_address = device or [int(array.base.get_device_pointer()) for array in arrays]
            self.slots.append(
                Slot(image, output, image_address, output_address, cuda.Event(cuda.event_flags.DISABLE_TIMING))
            )

    def _warm_up(self) -> None:
        """A black frame, thrown away: TensorRT sets up on first use what a capture would not allow, and kernels are
        loaded."""
        self._enqueue(self.slots[0])
        self.network.stream.synchronize()

    def _capture(self, say: Callable[[str], None]) -> None:
        try:
            for slot in self.slots:
                slot.graph = CudaGraph(self.network.stream.handle, partial(self._enqueue, slot))
        except (DeviceError, MissingExtraError, self.network.primary.cuda.Error) as error:
            self._drop_graphs()
            say(f"without a CUDA graph, which makes each frame slower, not different: {first_line(error)}")

    def _enqueue(self, slot: Slot) -> None:
        cuda, stream = self.network.primary.cuda, self.network.stream
        if self.copies:
            cuda.memcpy_htod_async(slot.image_address, slot.image, stream)
        self.network.enqueue(slot.image_address, self.shape, self.map, slot.output_address)
        if self.copies:
            cuda.memcpy_dtoh_async(slot.output, slot.output_address, stream)

    @property
    def captured(self) -> bool:
        """Whether frames run as graphs."""
        return all(slot.graph is not None for slot in self.slots)

    def next_slot(self) -> Slot:
        """The slots in turn: that of the oldest frame."""
        slot = self.slots[self._next]
        self._next = (self._next + 1) % len(self.slots)
        return slot

    def run(self, slot: Slot) -> None:
        """Enqueue the frame that lies in the slot."""
        if slot.graph is not None:
            slot.graph.launch()
        else:
            self._enqueue(slot)

    def record(self, slot: Slot) -> None:
        """Mark the frame's end, behind all that was enqueued for it."""
        slot.done.record(self.network.stream)

    def close(self) -> None:
        """Free all of it, once the stream has come to its end. Twice does no harm."""
        with suppress(self.network.primary.cuda.Error):
            self.network.stream.synchronize()
        self._drop_graphs()
        for slot in self.slots:
            slot.done = None  # an event is destroyed where its context is current, whoever else still holds the slot
        self.slots.clear()
        while self._memory:
            allocation = self._memory.pop()
            allocation.free()

    def _drop_graphs(self) -> None:
        for slot in self.slots:
            if slot.graph is not None:
                slot.graph.close()
                slot.graph = None
