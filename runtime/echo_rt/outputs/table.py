"""readings.csv: one row a frame."""

from __future__ import annotations

import csv
import math
import os
from contextlib import suppress

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.reading import SEGMENTS, Beat, LeftVentricle, Quality, Reading, WallReading

_CALIBRATED = ("area_mm2", "length_mm", "volume_ml", "volume_area_length_ml")
_UNCALIBRATED = ("area_px2", "length_px", "volume_px3", "volume_area_length_px3")
_POINTS = ("apex_x_px", "apex_y_px", "hinge1_x_px", "hinge1_y_px", "hinge2_x_px", "hinge2_y_px")
_ROLLING = ("ef_percent", "ef_low", "ef_high", "ef_beats", "ef_stale", "fac_percent", "heart_rate_bpm")


class TableOutput(FileOutput):
    """Writes one row a frame. Two runs give the same bytes but for the last columns, ``time_<stage>_ms``.

    The units of lengths, area and volume stand in the header: mm, mm² and mL where the first frame's scale is known,
    else pixels. A frame of the other kind, which no known recording holds, has these cells empty. The stages are those
    of the first reading.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with output_errors(self.path):
            self._file = self.path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._stages: list[str] | None = None
        self._calibrated = False

    def write(self, frame: Frame, reading: Reading) -> None:
        with output_errors(self.path):
            if self._stages is None:
                self._stages = list(reading.time_ms)
                self._calibrated = frame.spacing_mm is not None
                self._rows.writerow(self._header(self._stages))
            self._rows.writerow(
                [
                    reading.index,
                    f"{reading.t_s:.6f}",
                    _quality(reading.quality),
                    _number(reading.quality.confidence),
                    *self._ventricle(reading.ventricle),
                    *self._wall(reading.wall),
                    *map(_number, (reading.ef.percent, reading.ef.low, reading.ef.high)),
                    reading.ef.beats,
                    int(reading.ef.stale),
                    _number(reading.fac_percent),
                    _number(reading.heart_rate_bpm),
                    _beat(reading.beat),
                    *(f"{reading.time_ms[stage]:.3f}" if stage in reading.time_ms else "" for stage in self._stages),
                ]
            )

    def close(self) -> None:
        with output_errors(self.path):
            self._file.close()

    def discard(self) -> None:
        with suppress(OSError):  # what was still buffered does not fit either
            self._file.close()

    def _header(self, stages: list[str]) -> list[str]:
        units = _CALIBRATED if self._calibrated else _UNCALIBRATED
        times = [f"time_{stage}_ms" for stage in stages]
        wall = [f"displacement_{segment}_{'mm' if self._calibrated else 'px'}" for segment in SEGMENTS]
        return ["frame", "t_s", "quality", "confidence", *units, *_POINTS, *wall, *_ROLLING, "beat", *times]

    def _ventricle(self, ventricle: LeftVentricle | None) -> list[str]:
        if ventricle is None:
            return [""] * (len(_CALIBRATED) + len(_POINTS))
        measures = (ventricle.area, ventricle.length, ventricle.volume, ventricle.volume_area_length)
        points = (*ventricle.apex, *ventricle.hinges[0], *ventricle.hinges[1])
        known = ventricle.calibrated == self._calibrated
        return [_number(m) if known else "" for m in measures] + [_number(float(p)) for p in points]

    def _wall(self, wall: WallReading | None) -> list[str]:
        if wall is None or wall.calibrated != self._calibrated:
            return [""] * len(SEGMENTS)
        return [_number(float(shift)) for shift in wall.displacement]


def _number(number: float | None) -> str:
    """Six digits are more than any of these is worth, and hide the last bits in which two machines may differ."""
    return "" if number is None or not math.isfinite(number) else f"{number:.6g}"


def _quality(quality: Quality) -> str:
    return "ok" if quality.ok else quality.reason or "not ok"


def _beat(beat: Beat | None) -> str:
    if beat is None:
        return ""
    return "accepted" if beat.accepted else beat.reason or "rejected"
