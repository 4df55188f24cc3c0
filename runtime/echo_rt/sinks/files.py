"""All the files of one recording, behind one `write`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.reading import ClipExtremes, Reading
from echo_rt.sinks.base import FileSink
from echo_rt.sinks.folder import CURVE, MASKS, OVERLAY, SUMMARY, TABLE, Folder
from echo_rt.sinks.summary import as_json
from echo_rt.sinks.table import TableSink

if TYPE_CHECKING:
    from typing_extensions import Self

    from echo_rt.sinks.curve import CurveSink


class FileSinks:
    """``DIR/<name>/`` with readings.csv, masks.npz, overlay.mp4, curve.png and summary.json: all of them, or what was there before.

        with FileSinks("results", "clip") as sinks:
            sinks.write(frame, reading)  # for every frame
            sinks.finish(summary)

    Leaving it without `finish`, by an exception or otherwise, removes what was written.

    Args:
        out: the folder of all recordings, made where it is missing.
        name: of the recording: one part of a path.
        overlay, masks, curve: whether that file is made.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(self, out: str | os.PathLike[str], name: str, *, overlay: bool = True, masks: bool = True, curve: bool = True) -> None:
        self.name = name
        self._folder = Folder(out, name)
        self._overlay_wanted, self._masks_wanted, self._curve_wanted = overlay, masks, curve
        self._sinks: list[FileSink] = []
        self._curve: CurveSink | None = None

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
            self._open()
        except BaseException:
            self._abandon()
            raise
        return self

    def write(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it.

        Raises:
            OutputError: a file cannot be written.
        """
        for sink in self._sinks:
            sink.write(frame, reading)

    def finish(self, summary: Mapping[str, Any], extremes: ClipExtremes | str | None = None) -> None:
        """Complete all files and move them to their place.

        Args:
            summary: what `Summary.result` gives.
            extremes: what `Monitor.clip_extremes` says, for the curve.

        Raises:
            OutputError: a file cannot be written; what was there before stays.
        """
        if self._curve is not None:
            self._curve.extremes = extremes
        for sink in self._sinks:
            sink.close()
        path = self._folder.file(SUMMARY)
        with output_errors(path):
            path.write_text(as_json(summary), encoding="utf-8")
        self._folder.commit()
        self._sinks = []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._abandon()

    def _open(self) -> None:
        # Each is in the list as soon as it is open, so that a failure of the next one lets go of it.
        self._sinks.append(TableSink(self._folder.file(TABLE)))
        if self._masks_wanted:
            from echo_rt.sinks.masks import MaskSink

            self._sinks.append(MaskSink(self._folder.file(MASKS)))
        if self._overlay_wanted:
            from echo_rt.sinks.video import OverlaySink

            self._sinks.append(OverlaySink(self._folder.file(OVERLAY)))
        if self._curve_wanted:
            from echo_rt.sinks.curve import CurveSink

            self._curve = CurveSink(self._folder.file(CURVE), self.name)
            self._sinks.append(self._curve)

    def _abandon(self) -> None:
        for sink in self._sinks:
            sink.discard()
        self._sinks = []
        self._folder.__exit__(None, None, None)
