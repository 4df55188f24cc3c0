"""A stand-in for a GPU: PyCUDA on the processor, for machines without one; cuda-bindings are in stand_in_bindings.py.

It is as unhelpful as the real thing. Nothing that is enqueued runs before the stream or an event behind it is waited
for; memory is at its address or nowhere, filled with rubbish when it is taken and when it is freed; without a current
context nothing is taken or freed. But the kernels are the real ones (emulated.py), and ONNX
Runtime runs the network (stand_in_network.py), so that the results are the real ones too.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from support import emulated, stand_in_bindings
from support.cuda_names import CUDA_BINDINGS, PYCUDA, names

LIBRARIES = ("PyCUDA", "cuda-bindings")
"""Each can serve alone, but for graphs."""

RUBBISH = 0xFF


class Failure(Exception):
    """CUDA refuses: PyCUDA raises it, cuda-bindings give its number."""


class OutOfMemory(Failure):
    """There is too little memory."""


class StandInGpu:
    """One GPU, and what happened on it.

    Args:
        integrated: it shares the processor's memory.
        capture_fails: ``network`` where TensorRT cannot be recorded, ``end`` where the recording is invalid at its end.
        library: the one that is installed; with PyCUDA cuda-bindings too, for graphs.

    Attributes:
        happened: what was opened, freed and launched, in order.
        living: allocations by address.
        allocations_left: how many pieces of memory the GPU still has.
    """

    def __init__(self, integrated: bool = False, capture_fails: str = "", library: str = LIBRARIES[0]) -> None:
        self.integrated, self.capture_fails, self.library = integrated, capture_fails, library
        self.allocations_left = 1000
        self.happened: list[str] = []
        self.living: dict[int, Allocation] = {}
        self.capturing: Stream | None = None
        self.contexts = threading.local()
        self.cuda, self.driver = self._pycuda(), stand_in_bindings.driver(self)

    def current(self) -> None:
        assert getattr(self.contexts, "depth", 0) > 0, "no current context"

    def memory(self, address: int, nbytes: int) -> np.ndarray:
        """The bytes at an address, which have to be of one living allocation."""
        for start, allocation in self.living.items():
            if start <= address and address + nbytes <= start + allocation.nbytes:
                return allocation.bytes[address - start : address - start + nbytes]
        raise AssertionError(f"{nbytes} bytes at {address:#x} are not of one living allocation")

    def count(self, what: str) -> int:
        return sum(entry.startswith(what) for entry in self.happened)

    def _pycuda(self) -> Any:
        gpu, cuda = self, ModuleType("pycuda.driver")

        class Device:
            def __init__(self, index: int) -> None:
                assert index == 0

            def get_attribute(self, attribute: str) -> int:
                return {"INTEGRATED": int(gpu.integrated)}[attribute]

            def retain_primary_context(self) -> Context:
                gpu.happened.append("retain")
                return Context(gpu)

        cuda.Error, cuda.MemoryError, cuda.Device = Failure, OutOfMemory, Device
        cuda.init = lambda: None
        for flags in ("device_attribute", "event_flags", "host_alloc_flags"):
            setattr(cuda, flags, SimpleNamespace(**{name: name for name in names(flags)}))
        cuda.Stream = lambda flags: Stream(gpu, flags)
        cuda.Event = lambda flags: Event(gpu, flags)
        cuda.mem_alloc = self.allocate
        cuda.module_from_file = lambda path: Module(gpu, path)
        cuda.pagelocked_empty = self._pagelocked
        cuda.memcpy_htod_async = lambda dest, src, stream: stream.put(
            lambda: self.copy(dest, src.ctypes.data, src.nbytes)
        )
        cuda.memcpy_dtoh_async = lambda dest, src, stream: stream.put(
            lambda: self.copy(dest.ctypes.data, src, dest.nbytes)
        )
        cuda.memcpy_dtod_async = lambda dest, src, size, stream: stream.put(lambda: self.copy(dest, src, size))
        cuda.memset_d8_async = lambda dest, data, size, stream: stream.put(lambda: self.memory(dest, size).fill(data))
        return cuda

    def allocate(self, nbytes: int) -> Allocation:
        """Memory on the GPU."""
        self.allocations_left -= 1
        if self.allocations_left < 0:
            raise OutOfMemory("cuMemAlloc failed: out of memory")
        return Allocation(self, nbytes, "device")

    def copy(self, to: int, source: int, nbytes: int) -> None:
        self.memory(to, nbytes)[:] = self.memory(source, nbytes)

    def _pagelocked(self, shape: tuple[int, ...], dtype: Any, mem_flags: Any) -> np.ndarray:
        kind = "mapped" if mem_flags == "DEVICEMAP" else "pinned"
        (nbytes,) = shape
        assert dtype is np.uint8
        return np.asarray(Allocation(self, nbytes, kind))


class Context:
    def __init__(self, gpu: StandInGpu) -> None:
        self._gpu = gpu

    def push(self) -> None:
        self._gpu.contexts.depth = getattr(self._gpu.contexts, "depth", 0) + 1

    def pop(self) -> None:
        self._gpu.current()
        self._gpu.contexts.depth -= 1


class Allocation:
    def __init__(self, gpu: StandInGpu, nbytes: int, kind: str) -> None:
        gpu.current()
        assert gpu.capturing is None, "memory cannot be taken in a capture"
        assert nbytes > 0
        self._gpu, self.nbytes, self._kind, self._freed = gpu, nbytes, kind, False
        whole = np.full(nbytes + 256, RUBBISH, np.uint8)
        shift = -whole.ctypes.data % 256
        self.bytes = whole[shift : shift + nbytes]
        gpu.living[int(self)] = self
        self.__array_interface__ = {"version": 3, "shape": (nbytes,), "typestr": "|u1", "data": (int(self), False)}

    def __int__(self) -> int:
        return int(self.bytes.ctypes.data)

    def get_device_pointer(self) -> int:
        assert self._kind == "mapped", "page-locked memory that was not mapped has no address on the GPU"
        return int(self)

    def free(self) -> None:
        self._gpu.current()
        assert not self._freed, "freed twice"
        self._freed = True
        self.bytes[:] = RUBBISH
        del self._gpu.living[int(self)]
        self._gpu.happened.append(f"free {self._kind}")


class Stream:
    by_handle: dict[int, Stream] = {}  # noqa: RUF012

    def __init__(self, gpu: StandInGpu, flags: int) -> None:
        gpu.current()
        assert flags == 1, "a stream that waits for the stream 0 of others"
        self.gpu, self.handle = gpu, id(self)
        self.queue: list[Callable[[], None]] = []
        self.recorded: list[Callable[[], None]] | None = None
        self.lock = threading.RLock()
        Stream.by_handle[self.handle] = self

    def __int__(self) -> int:
        return self.handle

    def put(self, step: Callable[[], None]) -> None:
        self.gpu.current()
        (self.queue if self.recorded is None else self.recorded).append(step)

    def run(self, steps: int) -> None:
        with self.lock:
            for step in self.queue[:steps]:
                step()
            del self.queue[:steps]

    def synchronize(self) -> None:
        self.gpu.current()
        assert self.recorded is None, "a capture does not allow to wait"
        self.run(len(self.queue))


class Event:
    def __init__(self, gpu: StandInGpu, flags: str) -> None:
        gpu.current()
        assert flags == "DISABLE_TIMING"
        self._gpu, self._marks = gpu, list[Any]()
        self._stream: Stream | None = None

    def record(self, stream: Stream) -> None:
        self._stream, mark = stream, lambda: None
        self._mark = mark
        stream.put(mark)

    def synchronize(self) -> None:
        self._gpu.current()
        assert self._stream is not None
        with self._stream.lock:
            if self._mark in self._stream.queue:
                self._stream.run(self._stream.queue.index(self._mark) + 1)


class Module:
    def __init__(self, gpu: StandInGpu, path: str) -> None:
        gpu.current()
        self._gpu = gpu

    def get_function(self, name: str) -> Function:
        return Function(self._gpu, name)


class Function:
    def __init__(self, gpu: StandInGpu, name: str) -> None:
        self._gpu, self._name = gpu, name

    def prepare(self, types: str) -> None:
        self._types = types

    def prepared_async_call(self, blocks: Any, threads: Any, stream: Stream, *arguments: Any) -> None:
        self._gpu.happened.append(f"kernel {self._name}")
        stream.put(lambda: emulated.launch(self._name, blocks, threads, self._types, arguments))


def names_beyond(gpu: StandInGpu) -> set[str]:
    """What the stand-in knows and the real libraries do not."""
    extra = {name for name in vars(gpu.cuda) if not name.startswith("_")} - frozenset(PYCUDA["cuda"].split())
    extra |= {name for name in vars(gpu.driver) if not name.startswith("_")} - frozenset(
        CUDA_BINDINGS["driver"].split()
    )
    own = {"Stream": Stream, "Event": Event, "Module": Module, "Function": Function, "Context": Context}
    inner = {"Stream": {"by_handle", "put", "run", "gpu", "queue", "recorded", "lock"}}
    for owner, kind in own.items():
        extra |= {name for name in vars(kind) if not name.startswith("_")} - names(owner) - inner.get(owner, set())
    return extra


assert ctypes.sizeof(ctypes.c_void_p) == 8, "addresses are kept as 64 bits"
