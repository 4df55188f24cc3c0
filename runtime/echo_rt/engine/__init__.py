"""Engines: image in, `Segmentation` out. Preprocess, network and postprocess belong to the engine; history does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from echo_rt.errors import ParameterError
from echo_rt.model import DEFAULT_MODEL, ModelSpec, model_path, read_spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from echo_rt.segmentation import Segmentation

__all__ = ["DEVICES", "Engine", "open_engine", "probe"]


class Engine(Protocol):
    """What every engine offers. It is freed with ``with`` or `close`; closing twice does no harm.

    Attributes:
        spec: the contract of the model it runs.
        device: one of `DEVICES`.
        description: of the runtime and its settings, for people.
    """

    spec: ModelSpec
    device: str
    description: str

    def segment(self, image: NDArray[np.uint8], state: object = None) -> Segmentation:
        """Segment one image.

        Args:
            image: (H, W) grey or (H, W, 3) BGR uint8.
            state: of a temporal model after the frame before, or None at the first one.

        Raises:
            FrameError: the image is of another type or shape.
            EngineClosedError: the engine was closed.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def _open_cpu(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.cpu import CpuEngine

    return CpuEngine(path, spec)


def _probe_cpu() -> str:
    from echo_rt.engine.cpu import version

    return f"ONNX Runtime {version()}, {os.cpu_count()} cores"


def _open_tensorrt(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.tensorrt import TensorRtEngine

    return TensorRtEngine(path, spec)


def _probe_tensorrt() -> str:
    from echo_rt.engine.tensorrt import probe_tensorrt

    return probe_tensorrt()


def _open_cuda(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.cuda import CudaEngine

    return CudaEngine(path, spec)


def _probe_cuda() -> str:
    from echo_rt.engine.cuda import probe_cuda

    return probe_cuda()


# A new engine adds its line here: how to open it, and a probe that names it or raises DeviceError or MissingExtraError with
# the reason why it cannot be used on this machine. The order is the order in which `auto` tries them.
_Opener = Callable[[str, ModelSpec], Engine]
DEVICES: dict[str, tuple[_Opener, Callable[[], str]]] = {
    "tensorrt": (_open_tensorrt, _probe_tensorrt),
    "cuda": (_open_cuda, _probe_cuda),
    "cpu": (_open_cpu, _probe_cpu),
}

_GPU_PRECISION = {"tensorrt": "fp16", "cuda": "fp16"}
"""Which file of a shipped model a device runs, where it passed the parity gate and no other is named."""


def probe(device: str) -> str:
    """A sentence on a device that can be used here.

    Raises:
        DeviceError, MissingExtraError: why it cannot.
    """
    return DEVICES[device][1]()


def open_engine(model: str | os.PathLike[str] | None = None, device: str = "auto") -> Engine:
    """Load a model on a device.

    Args:
        model: the name of a shipped model, a path, or None for the default one.
        device: one of `DEVICES`, or ``auto``. A device that is named and cannot be used is an error, never a fallback.

    Raises:
        ModelError: the file is not an echo-rt model.
        DeviceError: the device cannot be used here.
        ParameterError: there is no such device.
    """
    if device != "auto" and device not in DEVICES:
        raise ParameterError(f"expected a device of auto, {', '.join(DEVICES)}, found {device!r}")
    device = "cpu" if device == "auto" else device
    path = _model_file(model, device)
    return DEVICES[device][0](os.fspath(path), read_spec(path))


def _model_file(model: str | os.PathLike[str] | None, device: str) -> Path:
    """A file that was named as it is; of a model that was named, the one that this device runs best."""
    path, precision = model_path(model), _GPU_PRECISION.get(device)
    named = DEFAULT_MODEL if model is None else os.fspath(model)
    if precision is not None and path.name.startswith(f"{named}."):
        better = path.with_name(f"{named}.{precision}.onnx")
        if better.is_file() and read_spec(better).parity.get("ok"):
            return better
    return path
