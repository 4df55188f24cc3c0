"""All the files of one recording, behind one `write` and one `finish`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput, changed_size
from echo_rt.outputs.folder import CURVE, MASKS, OVERLAY, TABLE, Folder
from echo_rt.outputs.lane import Lane
from echo_rt.outputs.owner import SUMMARY
from echo_rt.outputs.reports import REPORTS, Asked, check_reports
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
        recording: whose results these are; those of another are not replaced. None replaces any.
        leave_out: files that are not made, such as ``overlay.mp4``.
        reports: kinds of `REPORTS` that are made too.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        name: str,
        *,
        recording: str | None = None,
        leave_out: Collection[str] = (),
        reports: Collection[str] = (),
    ) -> None:
        self.name, self._recording = name, recording
        self._reports = [REPORTS[kind] for kind in check_reports(reports)]
        self._folder = Folder(out, name, recording)
        self._leave_out = leave_out
        self._outputs: dict[str, FileOutput] = {}
        self._lanes: list[Lane] = []
        self._size: tuple[int, ...] | None = None

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
                    # Among them as soon as it is open, so that a failure of the next one lets go of it.
                    self._outputs[file] = open_output(self._folder.file(file), self.name)
            for report in self._reports:
                asked = Asked(self._folder.file(report.file), self.name, self._recording)
                self._outputs[report.file] = report.open(asked)
            # Drawing and encoding take as long as all the other files together.
            film = [output for file, output in self._outputs.items() if file == OVERLAY]
            rest = [output for file, output in self._outputs.items() if file not in (OVERLAY, SUMMARY)]
            self._lanes = [Lane(name, outputs) for name, outputs in (("film", film), ("files", rest)) if outputs]
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, frame: Frame, reading: Reading) -> None:
        """Leave the next frame, and what is known after it, for the outputs; both are kept for some frames.

        Raises:
            OutputError: a file cannot be written, with this frame or one before.
        """
        size = frame.image.shape[:2]
        self._size = self._size or size
        if size != self._size:  # an output would say so some frames later
            raise changed_size(self.path, self._size, size)
        for lane in self._lanes:
            lane.write(frame, reading)

    def finish(self, result: RecordingResult) -> None:
        """Complete all files and move them to their place.

        Raises:
            OutputError: a file cannot be written; what was there before stays.
        """
        for lane in self._lanes:
            lane.finish(result)
        for lane in self._lanes:
            lane.wait()
        if SUMMARY in self._outputs:
            self._outputs[SUMMARY].finish(result)
        self._folder.commit()
        self._outputs, self._lanes = {}, []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def _abandon(self) -> None:
        for lane in self._lanes:
            lane.discard()
        for output in self._outputs.values():
            output.discard()
        self._outputs, self._lanes = {}, []
        self._folder.__exit__(None, None, None)


def files_of(
    out: str | os.PathLike[str],
    name: str | None,
    recordings: Sequence[str],
    paths: Sequence[str],
    *,
    leave_out: Collection[str] = (),
    reports: Collection[str] = (),
) -> list[RecordingFiles]:
    """A folder of files for each recording, not yet entered.

    Args:
        name: of the first folder; None chooses one.
        recordings: what each is called.
        paths: where each is.
        out, leave_out, reports: as in `RecordingFiles`.
    """
    from echo_rt.outputs.names import names_of

    return [
        RecordingFiles(out, each, recording=path, leave_out=leave_out, reports=reports)
        for each, path in zip(names_of(out, name, recordings, paths), paths, strict=True)
    ]
