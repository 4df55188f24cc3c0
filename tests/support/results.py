"""The result of a recording that nobody made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from echo_rt.cardiac.recording import RecordingHistory
from echo_rt.frame import Frame
from echo_rt.outputs import RecordingFiles
from echo_rt.reading import Reading
from echo_rt.result import ClipFigures, Provenance, RecordingResult


def provenance(view: str | None = "A4C", **more: Any) -> Provenance:
    """Of ``clip.dcm`` by a toy model."""
    return Provenance("clip.dcm", "toy 1", "toy engine", "0.1", view, **more)


def result_of(
    frames: Iterable[tuple[Frame, Reading]] = (),
    clip: ClipFigures | None = None,
    source: Provenance | None = None,
    files: RecordingFiles | None = None,
) -> RecordingResult:
    """The result of frames; files are written and finished where there are some."""
    history = RecordingHistory()
    for frame, reading in frames:
        history.update(frame, reading)
        if files is not None:
            files.write(frame, reading)
    result = history.result(source or provenance(), clip)
    if files is not None:
        files.finish(result)
    return result
