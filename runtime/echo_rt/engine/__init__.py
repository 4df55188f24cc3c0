"""Engines: image in, `Segmentation` out. Preprocess, network and postprocess belong to the engine; history does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from echo_rt.errors import DeviceError, MissingExtraError, ParameterError
from echo_rt.model import ModelSpec, Precision, model_path, read_spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from echo_rt.segmentation import Segmentation

__all__ = ["DEVICES", "Device", "Engine", "choose", "open_engine", "probe"]


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
            ParameterError: the state is not one that this engine gave, or one just like it.
            EngineClosedError: the engine was closed.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class Device:
    """How a device is used.

    Attributes:
        open: the engine on it, for a model file and its spec.
        probe: a sentence on it, or DeviceError or MissingExtraError with the reason why it cannot be used on this
            machine.
        precisions: of a shipped model, the best for this device first.
    """

    open: Callable[[str, ModelSpec], Engine]
    probe: Callable[[], str]
    precisions: tuple[Precision, ...]


def _open_cpu(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.onnx_runtime.cpu import CpuEngine

    return CpuEngine(path, spec)


def _probe_cpu() -> str:
    from echo_rt.engine.onnx_runtime.cpu import probe

    return probe()


def _open_openvino(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.openvino import OpenVinoEngine

    return OpenVinoEngine(path, spec)


def _probe_openvino() -> str:
    from echo_rt.engine.openvino import probe

    return probe()


def _open_tensorrt(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.tensorrt.engine import TensorRtEngine

    return TensorRtEngine(path, spec)


def _probe_tensorrt() -> str:
    from echo_rt.engine.tensorrt.engine import probe_tensorrt

    return probe_tensorrt()


def _open_cuda(path: str, spec: ModelSpec) -> Engine:
    from echo_rt.engine.onnx_runtime.cuda import CudaEngine

    return CudaEngine(path, spec)


def _probe_cuda() -> str:
    from echo_rt.engine.onnx_runtime.cuda import probe_cuda

    return probe_cuda()


# A new engine adds its line here. The order is the order in which `auto` tries them: the fastest first.
DEVICES: dict[str, Device] = {
    "tensorrt": Device(_open_tensorrt, _probe_tensorrt, ("fp16", "fp32")),
    "cuda": Device(_open_cuda, _probe_cuda, ("fp16", "fp32")),
    "cpu": Device(_open_cpu, _probe_cpu, ("int8", "fp32")),
    "openvino": Device(_open_openvino, _probe_openvino, ("fp32",)),
}


def probe(device: str) -> str:
    """A sentence on a device that can be used here.

    Raises:
        DeviceError, MissingExtraError: why it cannot.
    """
    return DEVICES[device].probe()


def choose() -> tuple[str, str]:
    """The device that ``auto`` stands for on this machine, and why: the first of `DEVICES` that can be used."""
    reasons: list[str] = []
    for device in DEVICES:
        found = _try(device)
        reasons.insert(0, f"{device}: {found}")
        if isinstance(found, str):
            return device, "; ".join(reasons)
    raise DeviceError(f"expected a device that can be used, found none ({'; '.join(reasons)})")


def _try(device: str) -> str | DeviceError | MissingExtraError:
    try:
        return probe(device)
    except (DeviceError, MissingExtraError) as error:
        return error


def open_engine(model: str | os.PathLike[str] | None = None, device: str = "auto") -> Engine:
    """Load a model on a device.

    Args:
        model: the name of a shipped model, a path, or None for the default one. Of a shipped model named without a
            precision the file is taken that is best for the device: INT8 on a processor, where the gate of `echo-rt
            export` found that it agrees with FP32.
        device: one of `DEVICES`, or ``auto``, see `choose`. A device that is named and cannot be used is an error,
            never a fallback.

    Raises:
        ModelError: the file is not an echo-rt model.
        DeviceError, MissingExtraError: the device cannot be used here.
        ParameterError: there is no such device.
    """
    if device != "auto" and device not in DEVICES:
        raise ParameterError(f"expected a device of auto, {', '.join(DEVICES)}, found {device!r}")
    chosen = DEVICES[choose()[0] if device == "auto" else device]
    path = model_path(model, chosen.precisions)
    return chosen.open(os.fspath(path), read_spec(path))
