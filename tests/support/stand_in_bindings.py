"""cuda-bindings on the stand-in GPU: what the functions of ``cuda.bindings.driver`` take and give.

They take addresses and sizes as numbers, and give a tuple that begins with the result. That the real ones take and give
the same is what tests/test_cuda_bindings.py says.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from support import emulated
from support.cuda_names import names

if TYPE_CHECKING:
    from support.stand_in_cuda import Event, StandInGpu, Stream

_FLAGS = {"CU_EVENT_DISABLE_TIMING": 2}
_LETTERS = {kind: letter for letter, kind in emulated.C_TYPES.items()}


class Graph:
    """A graph, or one that can be launched."""

    def __init__(self, steps: list[Callable[[], None]]) -> None:
        self.steps, self.living = steps, True

    def __int__(self) -> int:
        return 1


def driver(gpu: StandInGpu) -> Any:
    """The module ``cuda.bindings.driver``."""
    module = ModuleType("cuda.bindings.driver")
    results = sorted(names("CUresult") - {"name", "value"})
    module.CUresult = enum.Enum("CUresult", results)
    for owner in ("CUstreamCaptureMode", "CUdevice_attribute"):
        setattr(module, owner, enum.Enum(owner, sorted(names(owner))))
    module.CUevent_flags = enum.IntEnum("CUevent_flags", _FLAGS)
    module.CU_MEMHOSTALLOC_DEVICEMAP = 2
    module.CUstream = lambda handle: _stream_type().by_handle[handle]
    for part in (_Memory, _Work, _Graphs):
        functions = part(gpu, module)
        for name in (name for name in dir(part) if name.startswith("cu")):
            setattr(module, name, getattr(functions, name))
    return module


def _stream_type() -> type[Stream]:
    from support.stand_in_cuda import Stream

    return Stream


class _Functions:
    def __init__(self, gpu: StandInGpu, module: Any) -> None:
        self._gpu, self._results = gpu, module.CUresult

    def _good(self, *found: Any) -> tuple[Any, ...]:
        return (self._results.CUDA_SUCCESS, *found)

    def _tried(self, step: Callable[[], Any]) -> tuple[Any, ...]:
        """What the step gives, or the number of its failure."""
        from support.stand_in_cuda import Failure, OutOfMemory

        try:
            found = step()
        except OutOfMemory:
            return self._results.CUDA_ERROR_OUT_OF_MEMORY, 0
        except Failure:
            return (self._results.CUDA_ERROR_ILLEGAL_ADDRESS,)
        return self._good() if found is None else self._good(found)


class _Memory(_Functions):
    """Devices, contexts and memory."""

    def cuInit(self, flags: int) -> Any:
        return self._good()

    def cuDeviceGet(self, index: int) -> Any:
        return self._good(self._gpu.cuda.Device(index))

    def cuDeviceGetAttribute(self, attribute: Any, device: Any) -> Any:
        return self._good(device.get_attribute(attribute.name.removeprefix("CU_DEVICE_ATTRIBUTE_")))

    def cuDevicePrimaryCtxRetain(self, device: Any) -> Any:
        return self._good(device.retain_primary_context())

    def cuCtxPushCurrent(self, context: Any) -> Any:
        context.push()
        self._context = context
        return self._good()

    def cuCtxPopCurrent(self) -> Any:
        self._context.pop()
        return self._good(self._context)

    def cuMemAlloc(self, nbytes: int) -> Any:
        return self._tried(lambda: self._gpu.allocate(nbytes))

    def cuMemFree(self, allocation: Any) -> Any:
        return self._tried(allocation.free)

    def cuMemHostAlloc(self, nbytes: int, flags: int) -> Any:
        from support.stand_in_cuda import Allocation

        return self._good(int(Allocation(self._gpu, nbytes, {0: "pinned", 2: "mapped"}[flags])))

    def cuMemHostGetDevicePointer(self, address: int, flags: int) -> Any:
        return self._good(self._gpu.living[address].get_device_pointer())

    def cuMemFreeHost(self, address: int) -> Any:
        return self._tried(self._gpu.living[address].free)


class _Work(_Functions):
    """Streams, events, copies and kernels."""

    def cuStreamCreate(self, flags: int) -> Any:
        return self._good(_stream_type()(self._gpu, flags))

    def cuStreamSynchronize(self, stream: Stream) -> Any:
        return self._tried(stream.synchronize)

    def cuStreamDestroy(self, stream: Stream) -> Any:
        return self._destroyed()

    def cuEventCreate(self, flags: int) -> Any:
        from support.stand_in_cuda import Event

        return self._good(Event(self._gpu, {2: "DISABLE_TIMING"}[flags]))

    def cuEventRecord(self, event: Event, stream: Stream) -> Any:
        return self._tried(lambda: event.record(stream))

    def cuEventSynchronize(self, event: Event) -> Any:
        return self._tried(event.synchronize)

    def cuEventDestroy(self, event: Event) -> Any:
        return self._destroyed()

    def _copy(self, to: int, source: int, nbytes: int, stream: Stream) -> Any:
        stream.put(lambda: self._gpu.copy(to, source, nbytes))
        return self._good()

    cuMemcpyHtoDAsync = cuMemcpyDtoHAsync = cuMemcpyDtoDAsync = _copy

    def cuMemsetD8Async(self, to: int, data: int, nbytes: int, stream: Stream) -> Any:
        stream.put(lambda: self._gpu.memory(to, nbytes).fill(data))
        return self._good()

    def cuModuleLoad(self, path: bytes) -> Any:
        return self._good(self._gpu.cuda.module_from_file(path.decode()))

    def cuModuleGetFunction(self, module: Any, name: bytes) -> Any:
        return self._good(module.get_function(name.decode()))

    def cuModuleUnload(self, module: Any) -> Any:
        return self._destroyed()

    def _destroyed(self) -> Any:
        # Without a context the real one may refuse, and what was to be destroyed is lost.
        here = getattr(self._gpu.contexts, "depth", 0) > 0
        self._gpu.happened.append("destroy" if here else "lose")
        return self._good()

    def cuLaunchKernel(self, function: Any, *launch: Any) -> Any:
        *sizes, shared, stream, (values, types), extra = launch
        assert (shared, extra) == (0, 0)
        function.prepare("".join(_LETTERS[kind] for kind in types))
        function.prepared_async_call(tuple(sizes[:3]), tuple(sizes[3:]), stream, *values)
        return self._good()


class _Graphs(_Functions):
    def cuStreamBeginCapture(self, stream: Stream, mode: Any) -> Any:
        self._gpu.current()
        assert mode.name.endswith("THREAD_LOCAL")
        assert self._gpu.capturing is None
        self._gpu.capturing, stream.recorded = stream, []
        return self._good()

    def cuStreamEndCapture(self, stream: Stream) -> Any:
        assert self._gpu.capturing is stream
        self._gpu.capturing, recorded, stream.recorded = None, stream.recorded, None
        if self._gpu.capture_fails:
            return self._results.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, 0
        return self._good(Graph(recorded or []))

    def cuGraphInstantiate(self, graph: Graph, flags: int) -> Any:
        self._gpu.happened.append("instantiate")
        return self._good(Graph(graph.steps))

    def cuGraphUpload(self, graph: Graph, stream: Stream) -> Any:
        return self._good()

    def cuGraphLaunch(self, graph: Graph, stream: Stream) -> Any:
        self._gpu.current()
        assert graph.living
        self._gpu.happened.append("launch graph")
        stream.queue.extend(graph.steps)
        return self._good()

    def cuGraphDestroy(self, graph: Graph) -> Any:
        return self._good()

    def cuGraphExecDestroy(self, graph: Graph) -> Any:
        assert graph.living
        graph.living = False
        self._gpu.happened.append("destroy graph")
        return self._good()
