"""The way of a frame through the GPU and back, for one size of image; threads as for `Network`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from echo_rt.arrays import Image
from echo_rt.engine.tensorrt.build import Say
from echo_rt.engine.tensorrt.graph import CudaGraph
from echo_rt.engine.tensorrt.memory import Memory
from echo_rt.engine.tensorrt.network import Network
from echo_rt.errors import DeviceError, MissingExtraError, first_line
from echo_rt.segmentation import GridMap


@dataclass
class FrameBuffers:
    """Page-locked memory for one frame on its way, flat uint8, and where the GPU finds it and leaves its results."""

    image: Image
    output: Image
    image_address: int
    output_address: int
    done: Any  # event recorded behind the frame
    graph: CudaGraph | None = None  # where the capture went well
    occupant: Any = field(default=None, repr=False)  # whose results are still to be fetched


class FrameRunner:
    """Runs frames of one size: (H, W) or (H, W, 3), and at most `in_flight` at once.

    `say` is told why there is no graph, where one was wanted.
    """

    def __init__(self, network: Network, shape: tuple[int, ...], in_flight: int, use_graph: bool, say: Say) -> None:
        self.network, self.shape = network, shape
        self.map = GridMap.letterbox((shape[0], shape[1]), network.spec.input.grid)
        # A GPU that shares the processor's memory works in the page-locked buffers, another in memory of its own: one
        # for all frames, since the stream does one after another.
        self.copies = not network.primary.integrated
        self._memory = Memory(network.primary.cuda)
        self.buffers: list[FrameBuffers] = []
        self.in_turn = cycle(self.buffers)  # the oldest frame's first
        try:
            self._open(in_flight)
            # A black frame, thrown away: what TensorRT sets up on first use cannot be captured.
            self._enqueue(self.buffers[0])
            network.stream.synchronize()
            if use_graph:
                self._capture(say)
        except BaseException:
            self.close()
            raise

    def _open(self, in_flight: int) -> None:
        cuda, sizes = self.network.primary.cuda, (int(np.prod(self.shape)), self.network.outputs.nbytes)
        own = [self._memory.take(nbytes) for nbytes in sizes] if self.copies else []
        for _ in range(in_flight):
            pinned = [self._memory.take_page_locked(nbytes, mapped=not self.copies) for nbytes in sizes]
            image, output = (memory for memory, _ in pinned)
            image[:] = 0
            addresses = own or [address for _, address in pinned]
            done = cuda.Event(cuda.event_flags.DISABLE_TIMING)
            self.buffers.append(FrameBuffers(image, output, addresses[0], addresses[1], done))

    def _capture(self, say: Say) -> None:
        try:
            for buffers in self.buffers:
                buffers.graph = CudaGraph(self.network.stream.handle, partial(self._enqueue, buffers))
        except (DeviceError, MissingExtraError, self.network.primary.cuda.Error) as error:
            self._drop_graphs()
            say(f"without a CUDA graph, which makes each frame slower, not different: {first_line(error)}")

    def _enqueue(self, buffers: FrameBuffers) -> None:
        cuda, stream = self.network.primary.cuda, self.network.stream
        if self.copies:
            cuda.memcpy_htod_async(buffers.image_address, buffers.image, stream)
        self.network.enqueue(buffers.image_address, self.shape, self.map, buffers.output_address)
        if self.copies:
            cuda.memcpy_dtoh_async(buffers.output, buffers.output_address, stream)

    @property
    def captured(self) -> bool:
        """Whether frames run as graphs."""
        return all(buffers.graph is not None for buffers in self.buffers)

    def run(self, buffers: FrameBuffers) -> None:
        """Enqueue the frame that lies in the buffers."""
        if buffers.graph is not None:
            buffers.graph.launch()
        else:
            self._enqueue(buffers)

    def close(self) -> None:
        """Free all of it, once the stream has come to its end. Twice does no harm."""
        with suppress(self.network.primary.cuda.Error):
            self.network.stream.synchronize()
        self._drop_graphs()
        for buffers in self.buffers:
            buffers.done = None  # destroyed where its context is current, whoever else still holds the buffers
        self.buffers.clear()
        self._memory.close()

    def _drop_graphs(self) -> None:
        for buffers in self.buffers:
            if buffers.graph is not None:
                buffers.graph.close()
                buffers.graph = None
