"""What the CUDA driver says of its devices, asked through ctypes.

Everything that needs a GPU asks here first: without a device TensorRT's ``Runtime`` ends the process with SIGSEGV.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from echo_rt.errors import DeviceError, MissingExtraError, NoDeviceError, first_line

# Of cuda.h: attributes of the compute capability, major and minor, and results of cuInit that have a known cause.
_CAPABILITY = 75, 76
_CAUSES = {
    34: "only the stub of the driver's library is installed; install NVIDIA's driver",
    100: "the driver sees no device; check nvidia-smi and CUDA_VISIBLE_DEVICES",
    802: "the GPU is not ready yet; check that nvidia-fabricmanager runs",
    803: "the driver's library and its kernel module differ; restart the machine after a driver update",
    804: "the driver is too old for the CUDA compatibility package; update the driver",
}
_NAME_BYTES = 256


@dataclass(frozen=True)
class CudaDevice:
    """A GPU as the driver describes it: the proof that the driver was asked."""

    index: int  # among the devices that CUDA_VISIBLE_DEVICES leaves
    name: str
    compute_capability: str  # such as 8.6
    cuda_driver: str  # the newest CUDA release that the driver serves, such as 12.4


def find_device(index: int = 0, driver: Any = None) -> CudaDevice:
    """The CUDA device of that index, by the driver's library, or NoDeviceError that says why there is none."""
    library = driver if driver is not None else _open_driver()
    if (result := library.cuInit(0)) != 0:
        cause = _CAUSES.get(result, f"the driver cannot start (CUDA error {result})")
        raise NoDeviceError(f"expected a CUDA device, found none: {cause}")
    count = _integer(library.cuDeviceGetCount)
    if not 0 <= index < count:
        found = f"expected CUDA device {index}, found {count} in all"
        raise NoDeviceError(f"{found}; check nvidia-smi and CUDA_VISIBLE_DEVICES")
    handle = _integer(library.cuDeviceGet, index)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _succeed(library.cuDeviceGetName, name, _NAME_BYTES, handle)
    major, minor = (_integer(library.cuDeviceGetAttribute, which, handle) for which in _CAPABILITY)
    release = _integer(library.cuDriverGetVersion)
    cuda = f"{release // 1000}.{release % 1000 // 10}"
    return CudaDevice(index, name.value.decode(errors="replace"), f"{major}.{minor}", cuda)


@contextmanager
def import_errors(library: str, user: str, device: CudaDevice, advice: str) -> Iterator[None]:
    """Raise MissingExtraError where the library that `user` needs is not installed, DeviceError where it is broken."""
    try:
        yield
    except (ImportError, OSError) as error:
        missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
        if missing.partition(".")[0] == library.lower():
            raise MissingExtraError(user, "tensorrt") from None
        todo = "install it again" if missing else advice
        raise DeviceError(f"{library} cannot be loaded on {device.name} ({first_line(error)}); {todo}") from None


def _open_driver() -> Any:
    try:
        if sys.platform == "win32":
            return ctypes.WinDLL("nvcuda.dll")
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        found = "expected a CUDA device, found no NVIDIA driver"
        raise NoDeviceError(f"{found}; run this on the machine with the GPU") from None


def _integer(function: Any, *arguments: int) -> int:
    """What a function of the driver writes through its first argument."""
    found = ctypes.c_int()
    _succeed(function, ctypes.byref(found), *arguments)
    return found.value


def _succeed(function: Any, *arguments: Any) -> None:
    if (result := function(*arguments)) != 0:
        found = f"expected the CUDA driver to describe its device, found CUDA error {result}"
        raise NoDeviceError(f"{found}; check nvidia-smi")
