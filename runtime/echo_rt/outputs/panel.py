"""The panel beside the picture, with the figures."""

from __future__ import annotations

import math
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2

from echo_rt.arrays import Image
from echo_rt.frame import Frame
from echo_rt.outputs.palette import AMBER, BACKDROP, DIM, GREEN, LINE, PALE, WHITE, Colour
from echo_rt.reading import EjectionFraction, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

PANEL_HEIGHT = 480
"""Heights in the panel are given for an image that is so many pixels high."""

METHODS = {
    "disks": "disks, single plane",
    "biplane": "disks, biplane",
    "area-length": "area-length",
    "area": "from area, as FAC",
    "clip-extremes": "clip extremes",
    "area-extremes": "area extremes, as FAC",
}


class Line(NamedTuple):
    """Words in the panel: the height of their base line, and how they look."""

    y: float
    text: str
    scale: float
    colour: Colour
    bold: bool = False
    at_right: bool = False


class Panel:
    """Writes the figures beside the image, frame after frame. What has not changed since the last one stays.

    Args:
        canvas: (H, W, 3) BGR, of the colour `BACKDROP` where the panel is; drawn upon.
        left: the panel's first column.
        unit: height of the image over `PANEL_HEIGHT`.
    """

    def __init__(self, canvas: Image, left: int, unit: float) -> None:
        self._canvas, self._left, self._unit = canvas, left, unit
        margin = round(16 * unit)
        self._text = left + margin, canvas.shape[1] - margin
        self._shown: dict[int, tuple[Line, ...]] = {}
        for y in (162, 292, 416):
            height = round(y * unit)
            ends = (self._text[0], height), (self._text[1], height)
            cv2.line(canvas, *ends, LINE, max(1, round(unit)))

    def show(self, frame: Frame, reading: Reading) -> None:
        """Make it show this frame's figures."""
        for (top, bottom), lines in bands(frame, reading):
            if self._shown.get(top) != lines:
                self._shown[top] = lines
                self._canvas[round(top * self._unit) : round(bottom * self._unit), self._left :] = BACKDROP
                for line in lines:
                    self._write(line)

    def _write(self, line: Line) -> None:
        """ASCII alone: OpenCV 4 has no other letters."""
        left, right = self._text
        font = cv2.FONT_HERSHEY_DUPLEX if line.bold else cv2.FONT_HERSHEY_SIMPLEX
        size = line.scale * self._unit
        thick = max(1, round((1.6 if line.scale > 1 else 1.0) * self._unit * (0.5 + line.scale / 2)))
        (width, _), _ = cv2.getTextSize(line.text, font, size, thick)
        if width > right - left:  # the letters of OpenCV 4 and 5 differ in width
            size *= (right - left) / width
            width = right - left
        at = right - width if line.at_right else left, round(line.y * self._unit)
        cv2.putText(self._canvas, line.text, at, font, size, line.colour, thick, cv2.LINE_AA)


def bands(frame: Frame, reading: Reading) -> Iterator[tuple[tuple[int, int], tuple[Line, ...]]]:
    """Strips of the panel from the top to the bottom, and what is written in each; none reaches into another."""
    ventricle, ok = reading.ventricle, reading.quality.ok
    yield (0, 156), tuple(_ejection(reading.ef))
    yield (168, 192), _pair(186, "FAC", _with_unit(reading.fac_percent, "%"))
    yield (192, 214), _pair(208, "Heart rate", _with_unit(reading.heart_rate_bpm, "bpm"))
    yield (214, 236), _pair(230, "Long. strain", _with_unit(reading.rolling.strain_percent, "%"))
    if frame.spacing_mm is None:
        yield (236, 258), _pair(252, "Scale", "uncalibrated")
        yield (258, 286), ()
    else:
        volume, length = (None, None) if ventricle is None else (ventricle.volume, ventricle.length)
        yield (236, 258), _pair(252, "LV volume now", _with_unit(volume, "mL"))
        yield (258, 286), _pair(274, "LV length now", _with_unit(length, "mm"))
    verdict = "usable" if ok else f"not used: {reading.quality.reason or 'no reason given'}"
    words = [
        Line(346 + 22 * n, row, 0.6, GREEN if ok else AMBER, not ok) for n, row in enumerate(_wrapped(verdict, 22))
    ]
    yield (298, 380), (Line(320, "IMAGE", 0.42, DIM), *words)
    yield (380, 410), _pair(394, "Confidence", _with_unit(100 * reading.quality.confidence, "%"))
    yield (422, 452), _pair(442, f"{reading.t_s:.3f} s", f"frame {reading.index}")
    yield (452, 480), (Line(464, "for research use only", 0.4, DIM),)


def _ejection(ef: EjectionFraction) -> Iterator[Line]:
    yield Line(30, "EJECTION FRACTION", 0.42, DIM)
    if ef.percent is None:
        yield Line(80, "no EF", 1.2, DIM)
        for row, words in enumerate(_wrapped(ef.reason or "none yet", 26)):
            yield Line(114 + 20 * row, words, 0.48, PALE)
        return
    yield Line(84, f"{ef.percent:.0f} %", 1.75, DIM if ef.stale else WHITE, bold=True)
    beats = f"{ef.beats} beat{'s' * (ef.beats != 1)}" if ef.beats else ""
    between = f"{ef.low:.0f}-{ef.high:.0f} %" if ef.low is not None and ef.high is not None else ""
    yield Line(114, ", ".join(filter(None, (between, beats))), 0.58, PALE)
    if ef.stale:
        yield Line(136, _wrapped(ef.reason or "stale", 30)[0], 0.45, AMBER)
    else:
        yield Line(136, METHODS.get(ef.method, ef.method), 0.45, DIM)


def _pair(y: float, name: str, found: str) -> tuple[Line, ...]:
    return Line(y, name, 0.46, DIM), Line(y, found, 0.52, WHITE, at_right=True)


def _with_unit(number: float | None, unit: str) -> str:
    return "--" if number is None or not math.isfinite(number) else f"{number:.0f} {unit}"


@lru_cache(64)
def _wrapped(words: str, columns: int) -> tuple[str, ...]:
    """Two lines at most."""
    return tuple(textwrap.wrap(words, columns, max_lines=2, placeholder=" ..."))
