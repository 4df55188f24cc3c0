"""echo-rt: left-ventricle masks and a rolling ejection fraction from apical echocardiography, frame by frame.

    import echo_rt

    for reading in echo_rt.stream("clip.dcm"):
        print(reading.t_s, reading.ef.percent)

For research, not a medical device. This module may import nothing heavy: public names are imported at first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from echo_rt import telemetry

if TYPE_CHECKING:
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.chambers import LeftVentricle
    from echo_rt.engine import Engine, open_engine
    from echo_rt.errors import (
        DataError,
        DeviceError,
        EchoRtError,
        EngineClosedError,
        FrameError,
        MissingExtraError,
        ModelError,
        NoDeviceError,
        OutputError,
        ParameterError,
        SourceError,
        SourceFormatError,
        SourceNotFoundError,
    )
    from echo_rt.frame import Frame
    from echo_rt.live.opened import Session, open_session
    from echo_rt.measures import Body
    from echo_rt.model import ModelSpec, ShippedModel, models
    from echo_rt.outputs.notebook import as_html as as_html
    from echo_rt.outputs.notebook import plot, to_dataframe
    from echo_rt.pipeline import process, stream
    from echo_rt.reading import SEGMENTS, Beat, EjectionFraction, Quality, Reading, Reason, WallBeat, WallReading
    from echo_rt.result import RecordingResult
    from echo_rt.segmentation import Segmentation
    from echo_rt.sources import Source, open_source

telemetry.switch_off()

# Where each other public name lives. They are imported at first use, so that `import echo_rt` costs next to nothing.
_HOME = {
    "SEGMENTS": "reading",
    "Beat": "reading",
    "Body": "measures",
    "DataError": "errors",
    "DeviceError": "errors",
    "EchoRtError": "errors",
    "EjectionFraction": "reading",
    "Engine": "engine",
    "EngineClosedError": "errors",
    "Frame": "frame",
    "FrameError": "errors",
    "LeftVentricle": "chambers",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "ModelSpec": "model",
    "Monitor": "cardiac.monitor",
    "NoDeviceError": "errors",
    "OutputError": "errors",
    "ParameterError": "errors",
    "Quality": "reading",
    "Reading": "reading",
    "Reason": "reading",
    "RecordingResult": "result",
    "Segmentation": "segmentation",
    "Session": "live.opened",
    "ShippedModel": "model",
    "Source": "sources",
    "SourceError": "errors",
    "SourceFormatError": "errors",
    "SourceNotFoundError": "errors",
    "WallBeat": "reading",
    "WallReading": "reading",
    "as_html": "outputs.notebook",  # for notebooks, by `_repr_html_`
    "models": "model",
    "open_engine": "engine",
    "open_session": "live.opened",
    "open_source": "sources",
    "plot": "outputs.notebook",
    "process": "pipeline",
    "stream": "pipeline",
    "to_dataframe": "outputs.notebook",
}

__all__ = [
    "SEGMENTS",
    "Beat",
    "Body",
    "DataError",
    "DeviceError",
    "EchoRtError",
    "EjectionFraction",
    "Engine",
    "EngineClosedError",
    "Frame",
    "FrameError",
    "LeftVentricle",
    "MissingExtraError",
    "ModelError",
    "ModelSpec",
    "Monitor",
    "NoDeviceError",
    "OutputError",
    "ParameterError",
    "Quality",
    "Reading",
    "Reason",
    "RecordingResult",
    "Segmentation",
    "Session",
    "ShippedModel",
    "Source",
    "SourceError",
    "SourceFormatError",
    "SourceNotFoundError",
    "WallBeat",
    "WallReading",
    "__version__",
    "models",
    "open_engine",
    "open_session",
    "open_source",
    "plot",
    "process",
    "stream",
    "to_dataframe",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("echo-rt")
    elif name in _HOME:
        found = getattr(importlib.import_module(f"echo_rt.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'echo_rt' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
