"""Engines: image in, `Segmentation` out. Each preprocesses, runs the network and postprocesses; none has a history.

May import the ground floor and itself; a runtime's library only where that runtime is used.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from echo_rt.errors import DeviceError, MissingExtraError, ParameterError
from echo_rt.model import ModelSpec, Precision, model_path, read_spec

if TYPE_CHECKING:
    from echo_rt.arrays import Image
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

    def segment(self, image: Image, state: object = None) -> Segmentation:
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
    """How a device is used. Its module is imported at first use.

    Attributes:
        module: name of the engine's module, below `echo_rt.engine`; it has a function ``probe``.
        engine: name of the engine's class there, made of a model file and its spec.
        precisions: of a shipped model, the best for this device first.
    """

    module: str
    engine: str
    precisions: tuple[Precision, ...]

    def open(self, path: str, spec: ModelSpec) -> Engine:
        """The engine on this device."""
        opened: Engine = getattr(importlib.import_module(f"echo_rt.engine.{self.module}"), self.engine)(path, spec)
        return opened

    def probe(self) -> str:
        """See `echo_rt.engine.probe`."""
        found: str = importlib.import_module(f"echo_rt.engine.{self.module}").probe()
        return found


# A new engine adds its line here. The order is the order in which `auto` tries them: the fastest first.
DEVICES: dict[str, Device] = {
    "tensorrt": Device("tensorrt.engine", "TensorRtEngine", ("fp16", "fp32")),
    "cuda": Device("onnx_runtime.cuda", "CudaEngine", ("fp16", "fp32")),
    "cpu": Device("onnx_runtime.cpu", "CpuEngine", ("int8", "fp32")),
    "openvino": Device("openvino", "OpenVinoEngine", ("fp32",)),
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
        model: the name of a shipped model, a path, or None for the default one. A name without a precision takes the
            best file for the device that agrees with FP32 by the gate of `echo-rt export`.
        device: one of `DEVICES`, or ``auto``, see `choose`. A named device that cannot be used is an error.

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
