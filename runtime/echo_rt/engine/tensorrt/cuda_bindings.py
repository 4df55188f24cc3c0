"""The names of PyCUDA that echo-rt uses, on NVIDIA's cuda-bindings: these have a wheel, PyCUDA needs a compiler.

`CudaBindings` stands where ``pycuda.driver`` stands otherwise, and means the same: context.py chooses. Nothing here
remembers a context: as with PyCUDA, the caller has one current whenever something is taken, used or freed.
"""

from __future__ import annotations

import ctypes
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of the letters that PyCUDA and the struct module have for a kernel's arguments.
_C_TYPES = {"P": ctypes.c_void_p, "i": ctypes.c_int, "d": ctypes.c_double, "f": ctypes.c_float}


class Error(Exception):
    """CUDA refuses a call."""


class MemoryError(Error):
    """There is too little memory."""


def import_driver() -> Any:
    """The module cuda.bindings.driver; ImportError where it is not installed."""
    from cuda.bindings import driver

    return driver


class CudaBindings:
    """What PyCUDA calls ``pycuda.driver``. `driver` is the module cuda.bindings.driver."""

    Error, MemoryError = Error, MemoryError

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.Device, self.Stream, self.Event = partial(Device, driver), partial(Stream, driver), partial(Event, driver)
        self.device_attribute = SimpleNamespace(INTEGRATED=driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_INTEGRATED)
        self.event_flags = SimpleNamespace(DISABLE_TIMING=int(driver.CUevent_flags.CU_EVENT_DISABLE_TIMING))
        self.host_alloc_flags = SimpleNamespace(DEVICEMAP=int(driver.CU_MEMHOSTALLOC_DEVICEMAP))

    def init(self) -> None:
        succeed(self._driver, "cuInit", 0)

    def module_from_file(self, path: str) -> Module:
        return Module(self._driver, path)

    def mem_alloc(self, nbytes: int) -> DeviceAllocation:
        return DeviceAllocation(self._driver, nbytes)

    def pagelocked_empty(self, shape: tuple[int], dtype: Any, mem_flags: int = 0) -> NDArray[Any]:
        """Page-locked memory of one dimension; the array's base frees it."""
        allocation = PagelockedHostAllocation(self._driver, shape[0] * np.dtype(dtype).itemsize, mem_flags)
        # The array has the allocation as its base only where it takes the interface as it is.
        allocation.__array_interface__ |= {"shape": shape, "typestr": np.dtype(dtype).str}
        return np.asarray(allocation)

    def memcpy_htod_async(self, dest: int, src: NDArray[Any], stream: Stream) -> None:
        succeed(self._driver, "cuMemcpyHtoDAsync", dest, src.ctypes.data, src.nbytes, stream.own)

    def memcpy_dtoh_async(self, dest: NDArray[Any], src: int, stream: Stream) -> None:
        succeed(self._driver, "cuMemcpyDtoHAsync", dest.ctypes.data, src, dest.nbytes, stream.own)

    def memcpy_dtod_async(self, dest: int, src: int, size: int, stream: Stream) -> None:
        succeed(self._driver, "cuMemcpyDtoDAsync", dest, src, size, stream.own)

    def memset_d8_async(self, dest: int, data: int, size: int, stream: Stream) -> None:
        succeed(self._driver, "cuMemsetD8Async", dest, data, size, stream.own)


def succeed(driver: Any, name: str, *arguments: Any) -> Any:
    """What a function of the driver gives beside its result; MemoryError or Error where that is not success."""
    result, *found = getattr(driver, name)(*arguments)
    if result != driver.CUresult.CUDA_SUCCESS:
        kind = MemoryError if result == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY else Error
        raise kind(f"{name} failed: {result.name}")
    return found[0] if found else None


class _Held:
    """Something of the driver that is destroyed when it is forgotten: `destroy` is the function's name.

    Its errors are of no use: an earlier one that CUDA repeats, or the end of the program.
    """

    destroy = ""

    def __init__(self, driver: Any, own: Any) -> None:
        self._driver, self.own = driver, own

    own: Any = None

    def free(self) -> None:
        """Destroy it now; a second call does nothing."""
        own, self.own = self.own, None
        if own is not None:
            getattr(self._driver, self.destroy)(own)

    __del__ = free


class Device:
    """A GPU."""

    def __init__(self, driver: Any, index: int) -> None:
        self._driver, self._own = driver, succeed(driver, "cuDeviceGet", index)

    def get_attribute(self, attribute: Any) -> int:
        return int(succeed(self._driver, "cuDeviceGetAttribute", attribute, self._own))

    def retain_primary_context(self) -> Context:
        return Context(self._driver, succeed(self._driver, "cuDevicePrimaryCtxRetain", self._own))


class Context:
    """A primary context, which stays retained."""

    def __init__(self, driver: Any, own: Any) -> None:
        self._driver, self._own = driver, own

    def push(self) -> None:
        succeed(self._driver, "cuCtxPushCurrent", self._own)

    def pop(self) -> None:
        succeed(self._driver, "cuCtxPopCurrent")


class Stream(_Held):
    """A stream; `handle` is its address, for other libraries."""

    destroy = "cuStreamDestroy"

    def __init__(self, driver: Any, flags: int) -> None:
        super().__init__(driver, succeed(driver, "cuStreamCreate", flags))
        self.handle = int(self.own)

    def synchronize(self) -> None:
        succeed(self._driver, "cuStreamSynchronize", self.own)


class Event(_Held):
    """An event."""

    destroy = "cuEventDestroy"

    def __init__(self, driver: Any, flags: int) -> None:
        super().__init__(driver, succeed(driver, "cuEventCreate", flags))

    def record(self, stream: Stream) -> None:
        succeed(self._driver, "cuEventRecord", self.own, stream.own)

    def synchronize(self) -> None:
        succeed(self._driver, "cuEventSynchronize", self.own)


class DeviceAllocation(_Held):
    """Memory on the GPU; its number is its address."""

    destroy = "cuMemFree"

    def __init__(self, driver: Any, nbytes: int) -> None:
        super().__init__(driver, succeed(driver, "cuMemAlloc", nbytes))

    def __int__(self) -> int:
        return int(self.own)


class PagelockedHostAllocation(_Held):
    """Page-locked memory of the processor."""

    destroy = "cuMemFreeHost"

    def __init__(self, driver: Any, nbytes: int, flags: int) -> None:
        super().__init__(driver, succeed(driver, "cuMemHostAlloc", nbytes, flags))
        self.__array_interface__: dict[str, Any] = {"version": 3, "data": (int(self.own), False)}

    def get_device_pointer(self) -> int:
        return int(succeed(self._driver, "cuMemHostGetDevicePointer", self.own, 0))


class Module(_Held):
    """Compiled kernels, loaded."""

    destroy = "cuModuleUnload"

    def __init__(self, driver: Any, path: str) -> None:
        super().__init__(driver, succeed(driver, "cuModuleLoad", path.encode()))

    def get_function(self, name: str) -> Function:
        return Function(self._driver, succeed(self._driver, "cuModuleGetFunction", self.own, name.encode()), self)


class Function:
    """A kernel. It holds its module."""

    def __init__(self, driver: Any, own: Any, module: Module) -> None:
        self._driver, self._own, self._module = driver, own, module
        self._types: tuple[Any, ...] = ()

    def prepare(self, types: str) -> None:
        """Say the arguments' types, a letter each."""
        self._types = tuple(_C_TYPES[letter] for letter in types)

    def prepared_async_call(
        self, blocks: tuple[int, int], threads: tuple[int, int, int], stream: Stream, *arguments: Any
    ) -> None:
        """Enqueue it, without dynamic shared memory."""
        given = (arguments, self._types)
        succeed(self._driver, "cuLaunchKernel", self._own, *blocks, 1, *threads, 0, stream.own, given, 0)
