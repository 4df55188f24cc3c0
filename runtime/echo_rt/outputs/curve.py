"""curve.png: volume over time and the beats on it; below the rolling EF, strain, the left atrium and the wall."""

from __future__ import annotations

import os

from echo_rt.curves import Curves
from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.fonts import quiet
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult


class CurveOutput(FileOutput):
    """Draws the figure at the end: 1200 pixels wide, 700 high with volume and EF alone, more with what else is known.

    Args:
        path: of the PNG.
        title: shown above the figure; the recording's name.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], title: str = "") -> None:
        super().__init__(path)
        self.title = title
        self._curves = Curves()
        self._open = True

    def write(self, frame: Frame, reading: Reading) -> None:
        self._curves.take(reading)

    def finish(self, result: RecordingResult) -> None:
        if not self._open:
            return
        self._open = False
        # At its first import matplotlib writes a cache, which a full disk refuses too.
        with output_errors(self.path), quiet():
            from echo_rt.outputs.curve_figure import save_figure

            save_figure(self.path, self.title, self._curves, result.single_plane)
