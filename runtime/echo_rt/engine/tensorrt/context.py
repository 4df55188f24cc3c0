"""CUDA through PyCUDA: the device's primary context, which TensorRT, torch and everything else on CUDA's runtime
library use too.

In the modules that use these libraries a name means one thing throughout (``cuda`` is ``pycuda.driver``, ``stream`` a
``Stream``, and so on); tests/test_tensorrt_contract.py reads the sources and compares every name with those of the
libraries' releases.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.errors import DeviceError, MissingExtraError, first_line

_NON_BLOCKING = 1
"""Of cuda.h, CU_STREAM_NON_BLOCKING: does not wait for the stream 0 of others, nor they for it; a capture depends on
that."""

_retained: dict[int, PrimaryContext] = {}
_lock = threading.Lock()


def import_pycuda(device: CudaDevice) -> Any:
    """The module pycuda.driver.

    Args:
        device: what `find_device` gave.

    Raises:
        MissingExtraError: PyCUDA is not installed.
        DeviceError: it is, but cannot be loaded.
    """
    try:
        import pycuda.driver as cuda
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pycuda":
            raise DeviceError(f"PyCUDA cannot be loaded on {device.name} ({error}); install it again") from None
        raise MissingExtraError("the device tensorrt", "tensorrt") from None
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"PyCUDA cannot be loaded on {device.name} ({error}); build it again for this CUDA release"
        ) from None
    return cuda


class PrimaryContext:
    """A device's primary context. ``with`` makes it current in this thread; memory is allocated, used and freed inside.

    It is retained once in a process and never given back, as torch does: PyCUDA can give it back only from the thread
    that took it, and does not take it off that thread's stack then.

    Attributes:
        cuda: the module pycuda.driver.
        integrated: whether the GPU shares the processor's memory, as on Jetson.
    """

    def __init__(self, device: CudaDevice) -> None:
        self.cuda = cuda = import_pycuda(device)
        with cuda_errors(cuda, f"open {device.name}"):
            cuda.init()
            gpu = cuda.Device(device.index)
            self.integrated = bool(gpu.get_attribute(cuda.device_attribute.INTEGRATED))
            self._current = gpu.retain_primary_context()

    @classmethod
    def of(cls, device: CudaDevice) -> PrimaryContext:
        """The one of this process.

        Raises:
            MissingExtraError, DeviceError: as `import_pycuda`.
        """
        with _lock:
            if device.index not in _retained:
                _retained[device.index] = cls(device)
            return _retained[device.index]

    def __enter__(self) -> PrimaryContext:
        self._current.push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Of this thread's stack: it takes off what `__enter__` put there.
        self._current.pop()

    def new_stream(self) -> Any:
        """A stream of its own; with the context current."""
        return self.cuda.Stream(_NON_BLOCKING)


@contextmanager
def cuda_errors(cuda: Any, step: str) -> Iterator[None]:
    """Turn PyCUDA's errors into one `DeviceError` that says what could not be done."""
    try:
        yield
    except cuda.MemoryError as error:
        raise DeviceError(
            f"expected enough memory on the GPU to {step}, found too little ({first_line(error)}); end what else uses it"
        ) from None
    except cuda.Error as error:
        raise DeviceError(
            f"expected to {step}, found that CUDA refuses ({first_line(error)}); open the engine again"
        ) from None
