"""readings.csv: one row a frame."""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from typing import Any

from echo_rt.chambers import Scale
from echo_rt.errors import output_errors
from echo_rt.fields import row_fields
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult


class TableOutput(FileOutput):
    """Writes one row a frame. Two runs give the same bytes but for the last columns, ``time_<stage>_ms``.

    The first frame decides the units in the header: mm, mm² and mL where its scale is known, else pixels. A frame of
    the other kind has these cells empty. The stages are those of the first reading.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with output_errors(self.path):
            self._file = self.path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._stages: list[str] | None = None
        self._scale = Scale.PX

    def write(self, frame: Frame, reading: Reading) -> None:
        first = self._stages is None
        if self._stages is None:
            self._stages, self._scale = list(reading.time_ms), Scale.of(frame.spacing_mm)
        row = row_fields(reading, self._scale)
        times = [reading.time_ms.get(stage) for stage in self._stages]
        with output_errors(self.path):
            if first:
                columns = [f"time_{stage}_ms" for stage in self._stages]
                self._rows.writerow([*row, *columns])
            index, t_s, *figures = row.values()
            self._rows.writerow(
                [
                    index,
                    f"{t_s:.6f}",
                    *map(_cell, figures),
                    *("" if time_ms is None else f"{time_ms:.3f}" for time_ms in times),
                ]
            )

    def finish(self, result: RecordingResult) -> None:
        with output_errors(self.path):
            self._file.close()

    def discard(self) -> None:
        with suppress(OSError):  # what was still buffered does not fit either
            self._file.close()


def _cell(value: Any) -> str:
    """Six digits are more than any figure is worth, and hide the last bits in which two machines may differ."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(int(value) if isinstance(value, bool) else value)
