"""Engines: image in, `Segmentation` out. Each preprocesses, runs the network and postprocesses; none has a history.

May import the ground floor and itself; a runtime's library only where that runtime is used.
"""

from __future__ import annotations

import importlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from echo_rt.errors import DeviceError, MissingExtraError, ParameterError, did_you_mean
from echo_rt.model import ModelSpec, Precision, check_graph, model_path, read_spec

if TYPE_CHECKING:
    from echo_rt.arrays import Image
    from echo_rt.engine.fastest import Candidate
    from echo_rt.segmentation import Segmentation

_LOG = logging.getLogger(__name__)

__all__ = ["DEVICES", "Device", "Engine", "choose", "measured", "open_engine", "probe"]


class Engine(Protocol):
    """What every engine offers. ``with`` or `close` frees it; closing twice does no harm."""

    spec: ModelSpec
    device: str
    description: str
    """Of the runtime and its settings, for people."""

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

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> None: ...


@dataclass(frozen=True)
class Device:
    """How a device is used."""

    module: str  # Below `echo_rt.engine`, imported at first use, with a function `probe`.
    engine: str  # The class there, made of a model file and its spec.
    precisions: tuple[Precision, ...]  # Of a shipped model, the best for this device first.
    threaded: bool = False  # The class also takes the number of threads.

    def load(self) -> Any:
        return importlib.import_module(f"echo_rt.engine.{self.module}")

    def open(self, path: Path, spec: ModelSpec, threads: int = 0) -> Engine:
        """The engine of a model file. ModelError and DeviceError say why there is none."""
        more = [threads] if self.threaded else []
        engine: Engine = getattr(self.load(), self.engine)(os.fspath(path), spec, *more)
        return engine


# A new engine adds its line here. `auto` tries them in this order, and measures those on the processor. It does not
# come to `tensorrt-ort`, whose libraries include those of `cuda`, until benchmarks/gpu.py has shown that it leads.
DEVICES: dict[str, Device] = {
    "tensorrt": Device("tensorrt.engine", "TensorRtEngine", ("fp16", "fp32")),
    "cuda": Device("onnx_runtime.cuda", "CudaEngine", ("fp16", "fp32")),
    "tensorrt-ort": Device("onnx_runtime.tensorrt", "OrtTensorRtEngine", ("fp16", "fp32")),
    "cpu": Device("onnx_runtime.cpu", "CpuEngine", ("int8", "fp32"), threaded=True),
    "openvino": Device("openvino", "OpenVinoEngine", ("fp32",), threaded=True),
}


def probe(device: str) -> str:
    """A sentence on a device that can be used here; DeviceError or MissingExtraError says why it cannot."""
    return str(DEVICES[device].load().probe())


def choose() -> tuple[str, str]:
    """The first of `DEVICES` that can be used here, which is what ``auto`` takes, and why."""
    reasons: list[str] = []
    for device in DEVICES:
        try:
            why = "; ".join([f"{device}: {probe(device)}", *reasons])
            _LOG.debug("auto takes %s: %s", device, why)
            return device, why
        except (DeviceError, MissingExtraError) as error:  # noqa: PERF203 - few devices
            reasons.insert(0, f"{device}: {error}")
    raise DeviceError(f"expected a device that can be used, found none ({'; '.join(reasons)})")


def measured(model: str | os.PathLike[str] | None = None) -> list[Candidate]:
    """What ``auto`` takes for a model where all runs on the processor, and after it the other candidates.

    Empty where a GPU comes first, or no device can be used.
    """
    from echo_rt.engine.fastest import fastest

    usable: dict[str, Device] = {}
    for name, device in DEVICES.items():
        with suppress(DeviceError, MissingExtraError):
            probe(name)
            usable[name] = device
    if not usable or not next(iter(usable.values())).threaded:
        return []
    return fastest(model, {name: device for name, device in usable.items() if device.threaded})


def open_engine(model: str | os.PathLike[str] | None = None, device: str = "auto", threads: int = 0) -> Engine:
    """Load a model on a device.

    Args:
        model: a shipped model's name, a path, or None for the default model. A name without a precision takes the best
            file for the device that passed the gate of `echo-rt export`.
        device: one of `DEVICES`, or ``auto``: the first that can be used, and on a processor the fastest, see
            `measured`.
        threads: of the network on the processor; 0 lets the engine choose. Another number also keeps the order of
            `DEVICES`.

    Raises:
        ModelError: the file is not an echo-rt model.
        DeviceError, MissingExtraError: the device cannot be used here.
        ParameterError: there is no such device.
    """
    if device != "auto" and device not in DEVICES:
        near = did_you_mean(device, DEVICES)
        raise ParameterError(f"expected a device of auto, {', '.join(DEVICES)}, found {device!r}{near}")
    precisions: tuple[Precision, ...] = ()
    if device == "auto":
        device = choose()[0]
        if not threads and (found := measured(model)) and found[0].ms is not None:
            device, precisions, threads = found[0].device, (found[0].precision,), found[0].threads
    chosen = DEVICES[device]
    path = model_path(model, precisions + chosen.precisions)
    spec = read_spec(path)
    check_graph(path)
    engine = chosen.open(path, spec, threads)
    if (try_out := getattr(engine, "try_out", None)) is not None:
        try_out()
    _LOG.info("model %s %s: %s", spec.name, spec.version, engine.description)
    return engine
