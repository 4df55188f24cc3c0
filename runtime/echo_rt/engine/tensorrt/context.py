"""CUDA from Python: the device's primary context, which TensorRT, torch and CUDA's runtime library use too.

PyCUDA serves where it is installed, else cuda-bindings under PyCUDA's names (cuda_bindings.py).
Where engines run, a name means one thing throughout: ``cuda`` is ``pycuda.driver``, ``stream`` a ``Stream``, and so on.
tests/test_tensorrt_contract.py compares every name with those of the libraries' releases.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice, import_errors
from echo_rt.engine.tensorrt.cuda_bindings import CudaBindings, import_driver
from echo_rt.errors import DeviceError, MissingExtraError, first_line

_USER = "the device tensorrt"

_retained: dict[int, PrimaryContext] = {}
_lock = threading.Lock()


class PrimaryContext:
    """A device's primary context. ``with`` makes it current in this thread; memory is allocated, used and freed inside.

    A process retains it once and never gives it back, as torch does: PyCUDA can give it back only from the thread that
    took it, and would leave it on that thread's stack. An `integrated` GPU shares the processor's memory, as on Jetson.
    `library` is the one that serves.
    """

    def __init__(self, device: CudaDevice) -> None:
        cuda, self.library = open_cuda(device)
        self.cuda: Any = cuda
        with cuda_errors(cuda, f"open {device.name}"):
            cuda.init()
            gpu = cuda.Device(device.index)
            self.integrated = bool(gpu.get_attribute(cuda.device_attribute.INTEGRATED))
            self._current = gpu.retain_primary_context()

    @classmethod
    def of(cls, device: CudaDevice) -> PrimaryContext:
        """The one of this process; MissingExtraError or DeviceError where no library or CUDA refuses."""
        with _lock:
            if device.index not in _retained:
                _retained[device.index] = cls(device)
            return _retained[device.index]

    def __enter__(self) -> PrimaryContext:
        self._current.push()
        return self

    def __exit__(self, *_: object) -> None:
        self._current.pop()  # of this thread's stack: what `__enter__` put there


def open_cuda(device: CudaDevice) -> tuple[Any, str]:
    """``pycuda.driver`` or what stands for it, and the library's name.

    Raises:
        MissingExtraError: neither library is installed.
        DeviceError: the one that is installed is broken.
    """
    advice = "uninstall it, for cuda-bindings do the same, or build it again for this CUDA release"
    with suppress(MissingExtraError), import_errors("PyCUDA", _USER, device, advice):
        import pycuda.driver as cuda

        return cuda, "PyCUDA"
    with import_errors("cuda", _USER, device, "install cuda-bindings of this CUDA release"):
        return CudaBindings(import_driver()), "cuda-bindings"


@contextmanager
def cuda_errors(cuda: Any, step: str) -> Iterator[None]:
    """Turn CUDA's errors into one `DeviceError` that says what could not be done."""
    try:
        yield
    except cuda.MemoryError as error:
        found = f"expected enough memory on the GPU to {step}, found too little ({first_line(error)})"
        raise DeviceError(f"{found}; end what else uses it") from None
    except cuda.Error as error:
        found = f"expected to {step}, found that CUDA refuses ({first_line(error)})"
        raise DeviceError(f"{found}; open the engine again") from None
