"""CUDA through PyCUDA: the device's primary context, which TensorRT, torch and CUDA's runtime library use too.

Where engines run, a name means one thing throughout: ``cuda`` is ``pycuda.driver``, ``stream`` a ``Stream``, and so on.
tests/test_tensorrt_contract.py compares every name with those of the libraries' releases.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice, import_errors
from echo_rt.errors import DeviceError, first_line

_retained: dict[int, PrimaryContext] = {}
_lock = threading.Lock()


class PrimaryContext:
    """A device's primary context. ``with`` makes it current in this thread; memory is allocated, used and freed inside.

    A process retains it once and never gives it back, as torch does: PyCUDA can give it back only from the thread that
    took it, and would leave it on that thread's stack. An `integrated` GPU shares the processor's memory, as on Jetson.
    """

    def __init__(self, device: CudaDevice) -> None:
        with import_errors("PyCUDA", "the device tensorrt", device, "build it again for this CUDA release"):
            import pycuda.driver as cuda
        self.cuda: Any = cuda
        with cuda_errors(cuda, f"open {device.name}"):
            cuda.init()
            gpu = cuda.Device(device.index)
            self.integrated = bool(gpu.get_attribute(cuda.device_attribute.INTEGRATED))
            self._current = gpu.retain_primary_context()

    @classmethod
    def of(cls, device: CudaDevice) -> PrimaryContext:
        """The one of this process; MissingExtraError or DeviceError where PyCUDA or CUDA refuses."""
        with _lock:
            if device.index not in _retained:
                _retained[device.index] = cls(device)
            return _retained[device.index]

    def __enter__(self) -> PrimaryContext:
        self._current.push()
        return self

    def __exit__(self, *_: object) -> None:
        self._current.pop()  # of this thread's stack: what `__enter__` put there


@contextmanager
def cuda_errors(cuda: Any, step: str) -> Iterator[None]:
    """Turn PyCUDA's errors into one `DeviceError` that says what could not be done."""
    try:
        yield
    except cuda.MemoryError as error:
        found = f"expected enough memory on the GPU to {step}, found too little ({first_line(error)})"
        raise DeviceError(f"{found}; end what else uses it") from None
    except cuda.Error as error:
        found = f"expected to {step}, found that CUDA refuses ({first_line(error)})"
        raise DeviceError(f"{found}; open the engine again") from None
