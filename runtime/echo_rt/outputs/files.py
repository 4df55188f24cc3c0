"""All the files of one recording, behind one `write` and one `finish`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.folder import CURVE, MASKS, OVERLAY, SUMMARY, TABLE, Folder
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from typing_extensions import Self


def _table(path: Path, name: str) -> FileOutput:
    from echo_rt.outputs.table import TableOutput

    return TableOutput(path)


def _masks(path: Path, name: str) -> FileOutput:
    from echo_rt.outputs.masks import MaskOutput

    return MaskOutput(path)


def _overlay(path: Path, name: str) -> FileOutput:
    from echo_rt.outputs.video import OverlayOutput

    return OverlayOutput(path)


def _curve(path: Path, name: str) -> FileOutput:
    from echo_rt.outputs.curve import CurveOutput

    return CurveOutput(path, name)


def _summary(path: Path, name: str) -> FileOutput:
    from echo_rt.outputs.summary import SummaryOutput

    return SummaryOutput(path)


# A new output adds its line here, and its file to `folder.FILES`. The summary comes last: it says that all is there.
OUTPUTS: dict[str, Callable[[Path, str], FileOutput]] = {
    TABLE: _table,
    MASKS: _masks,
    OVERLAY: _overlay,
    CURVE: _curve,
    SUMMARY: _summary,
}


class RecordingFiles:
    """``DIR/<name>/`` with a file for each of `OUTPUTS`: all of them, or what was there before.

        with RecordingFiles("results", "clip") as files:
            files.write(frame, reading)  # for every frame
            files.finish(result)

    Leaving it without `finish`, by an exception or otherwise, removes what was written.

    Args:
        out: the folder of all recordings, made where it is missing.
        name: of the recording: one part of a path.
        leave_out: files that are not made, such as ``overlay.mp4``.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(self, out: str | os.PathLike[str], name: str, *, leave_out: Collection[str] = ()) -> None:
        self.name = name
        self._folder = Folder(out, name)
        self._leave_out = leave_out
        self._outputs: list[FileOutput] = []

    @property
    def path(self) -> Path:
        """The folder where the results will be."""
        return self._folder.path

    def __enter__(self) -> Self:
        """Open all files.

        Raises:
            OutputError: that is refused, or this installation cannot make the overlay.
        """
        self._folder.__enter__()
        try:
            for file, open_output in OUTPUTS.items():
                if file not in self._leave_out:
                    # In the list as soon as it is open, so that a failure of the next one lets go of it.
                    self._outputs.append(open_output(self._folder.file(file), self.name))
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it.

        Raises:
            OutputError: a file cannot be written.
        """
        for output in self._outputs:
            output.write(frame, reading)

    def finish(self, result: RecordingResult) -> None:
        """Complete all files and move them to their place.

        Raises:
            OutputError: a file cannot be written; what was there before stays.
        """
        for output in self._outputs:
            output.finish(result)
        self._folder.commit()
        self._outputs = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def _abandon(self) -> None:
        for output in self._outputs:
            output.discard()
        self._outputs = []
        self._folder.__exit__(None, None, None)
