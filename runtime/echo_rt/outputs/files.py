"""All the files of one recording, behind one `write`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.folder import CURVE, MASKS, OVERLAY, SUMMARY, TABLE, Folder
from echo_rt.outputs.summary import as_json
from echo_rt.outputs.table import TableOutput
from echo_rt.reading import ClipExtremes, Reading

if TYPE_CHECKING:
    from typing_extensions import Self

    from echo_rt.outputs.curve import CurveOutput


class RecordingFiles:
    """``DIR/<name>/`` with readings.csv, masks.npz, overlay.mp4, curve.png and summary.json: all of them, or what was
    there before.

        with RecordingFiles("results", "clip") as outputs:
            outputs.write(frame, reading)  # for every frame
            outputs.finish(summary)

    Leaving it without `finish`, by an exception or otherwise, removes what was written.

    Args:
        out: the folder of all recordings, made where it is missing.
        name: of the recording: one part of a path.
        overlay, masks, curve: whether that file is made.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(
        self, out: str | os.PathLike[str], name: str, *, overlay: bool = True, masks: bool = True, curve: bool = True
    ) -> None:
        self.name = name
        self._folder = Folder(out, name)
        self._overlay_wanted, self._masks_wanted, self._curve_wanted = overlay, masks, curve
        self._outputs: list[FileOutput] = []
        self._curve: CurveOutput | None = None

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
        for output in self._outputs:
            output.write(frame, reading)

    def finish(self, summary: Mapping[str, Any], extremes: ClipExtremes | str | None = None) -> None:
        """Complete all files and move them to their place.

        Args:
            summary: what `Summary.result` gives.
            extremes: what `Monitor.clip_figures` says, for the curve.

        Raises:
            OutputError: a file cannot be written; what was there before stays.
        """
        if self._curve is not None:
            self._curve.extremes = extremes
        for output in self._outputs:
            output.close()
        path = self._folder.file(SUMMARY)
        with output_errors(path):
            path.write_text(as_json(summary), encoding="utf-8")
        self._folder.commit()
        self._outputs = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def _open(self) -> None:
        # Each is in the list as soon as it is open, so that a failure of the next one lets go of it.
        self._outputs.append(TableOutput(self._folder.file(TABLE)))
        if self._masks_wanted:
            from echo_rt.outputs.masks import MaskOutput

            self._outputs.append(MaskOutput(self._folder.file(MASKS)))
        if self._overlay_wanted:
            from echo_rt.outputs.video import OverlayOutput

            self._outputs.append(OverlayOutput(self._folder.file(OVERLAY)))
        if self._curve_wanted:
            from echo_rt.outputs.curve import CurveOutput

            self._curve = CurveOutput(self._folder.file(CURVE), self.name)
            self._outputs.append(self._curve)

    def _abandon(self) -> None:
        for output in self._outputs:
            output.discard()
        self._outputs = []
        self._folder.__exit__(None, None, None)
