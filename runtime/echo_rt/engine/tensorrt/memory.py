"""Memory on the GPU: several arrays in one piece, and the states of a temporal model."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Image
from echo_rt.engine.tensorrt.build import TensorInfo

_ALIGNMENT = 256  # bytes of which TensorRT wants an address to be a multiple


class Memory:
    """Memory that is taken piece by piece and freed as a whole, by one thread at a time in the primary context."""

    def __init__(self, cuda: Any) -> None:
        self._cuda, self._allocations = cuda, list[Any]()

    def take(self, nbytes: int) -> int:
        """The address of new memory on the GPU, 256 bytes aligned, as CUDA's allocations are."""
        allocation = self._cuda.mem_alloc(nbytes)
        self._allocations.append(allocation)
        return int(allocation)

    def take_page_locked(self, nbytes: int, mapped: bool) -> tuple[Image, int]:
        """New memory of the processor, (nbytes,), and its address on the GPU, 0 unless it is mapped there."""
        flags = self._cuda.host_alloc_flags.DEVICEMAP if mapped else 0
        array: Any = self._cuda.pagelocked_empty((nbytes,), np.uint8, mem_flags=flags)
        self._allocations.append(array.base)
        return array, int(array.base.get_device_pointer()) if mapped else 0

    def close(self) -> None:
        """Free all of it; a second call does nothing."""
        while self._allocations:
            allocation = self._allocations.pop()
            allocation.free()


@dataclass(frozen=True)
class Block:
    """Several arrays in one piece of memory, each where TensorRT may use it."""

    places: dict[str, tuple[int, tuple[int, ...], str]]  # by name: offset in bytes, shape, NumPy type
    nbytes: int
    address: int  # on the GPU; 0 where the block is empty, or only a layout

    @classmethod
    def of(cls, arrays: Sequence[TensorInfo], memory: Memory | None = None) -> Block:
        """The arrays one after another, in new memory; without `memory` the layout alone."""
        places, end = {}, 0
        for array in arrays:
            places[array.name] = (end, array.shape, array.dtype)
            size = int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize
            end += -(-size // _ALIGNMENT) * _ALIGNMENT
        return cls(places, end, memory.take(end) if memory and end else 0)

    def at(self, name: str) -> int:
        """Where an array begins: its address, in a mere layout its offset."""
        return self.address + self.places[name][0]

    def array(self, memory: Image, name: str) -> NDArray[Any]:
        """A new array with what stands in `memory`, (nbytes,)."""
        offset, shape, dtype = self.places[name]
        return np.ndarray(shape, dtype, memory, offset).copy()


class DeviceState:
    """A temporal model's state after one frame, on the GPU: never written again while anybody holds it."""

    def __init__(self, pool: StatePool, address: int) -> None:
        self.pool, self.address = pool, address

    def __del__(self) -> None:
        # Any thread, any moment: no CUDA here. A later frame of the same stream writes the memory again.
        self.pool.unused.append(self.address)


class StatePool:
    """The states of one engine, each of `nbytes`; freed with `memory`."""

    def __init__(self, memory: Memory, nbytes: int) -> None:
        self._memory, self.nbytes, self.unused = memory, nbytes, deque[int]()

    def take(self) -> DeviceState:
        """A state whose content is not defined yet."""
        try:
            return DeviceState(self, self.unused.popleft())
        except IndexError:
            return DeviceState(self, self._memory.take(self.nbytes))
