"""The panel beside the picture, with the figures."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import cv2

from echo_rt.arrays import Image
from echo_rt.frame import Frame
from echo_rt.outputs.palette import AMBER, DIM, GREEN, LINE, PALE, WHITE
from echo_rt.reading import Reading

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


def draw_panel(canvas: Image, left: int, unit: float, frame: Frame, reading: Reading) -> None:
    """Write the figures on the canvas from column `left` on; `unit` is its height over `PANEL_HEIGHT`."""
    text = _Text(canvas, left + round(16 * unit), canvas.shape[1] - round(16 * unit), unit)
    ef, ventricle = reading.ef, reading.ventricle
    text.line(30, "EJECTION FRACTION", 0.42, DIM)
    if ef.percent is not None:
        text.line(84, f"{ef.percent:.0f} %", 1.75, DIM if ef.stale else WHITE, bold=True)
        beats = f"{ef.beats} beat{'s' * (ef.beats != 1)}" if ef.beats else ""
        between = f"{ef.low:.0f}-{ef.high:.0f} %" if ef.low is not None and ef.high is not None else ""
        text.line(114, ", ".join(filter(None, (between, beats))), 0.58, PALE)
        if ef.stale:
            text.line(136, next(_wrapped(ef.reason or "stale", 30)), 0.45, AMBER)
        else:
            text.line(136, METHODS.get(ef.method, ef.method), 0.45, DIM)
    else:
        text.line(80, "no EF", 1.2, DIM)
        for row, words in enumerate(_wrapped(ef.reason or "none yet", 26)):
            text.line(114 + 20 * row, words, 0.48, PALE)
    text.rule(162)
    text.pair(190, "FAC", _with_unit(reading.fac_percent, "%"))
    text.pair(216, "Heart rate", _with_unit(reading.heart_rate_bpm, "bpm"))
    if frame.spacing_mm is None:
        text.pair(242, "Scale", "uncalibrated")
    else:
        text.pair(242, "LV volume now", _with_unit(ventricle.volume if ventricle is not None else None, "mL"))
        text.pair(268, "LV length now", _with_unit(ventricle.length if ventricle is not None else None, "mm"))
    text.rule(292)
    ok = reading.quality.ok
    text.line(320, "IMAGE", 0.42, DIM)
    for row, words in enumerate(
        _wrapped("usable" if ok else f"not used: {reading.quality.reason or 'no reason given'}", 22)
    ):
        text.line(346 + 22 * row, words, 0.6, GREEN if ok else AMBER, bold=not ok)
    text.pair(394, "Confidence", _with_unit(100 * reading.quality.confidence, "%"))
    text.rule(416)
    text.pair(442, f"{reading.t_s:.3f} s", f"frame {reading.index}")
    text.line(464, "for research use only", 0.4, DIM)


def _with_unit(number: float | None, unit: str) -> str:
    return "--" if number is None or not math.isfinite(number) else f"{number:.0f} {unit}"


def _wrapped(words: str, columns: int) -> Iterator[str]:
    """Two lines at most."""
    yield from textwrap.wrap(words, columns, max_lines=2, placeholder=" ...")


class _Text:
    """Text in the panel, at heights given for a panel of `PANEL_HEIGHT`. ASCII alone: OpenCV 4 has no other letters."""

    def __init__(self, canvas: Image, left: int, right: int, unit: float) -> None:
        self.canvas, self.left, self.right, self.unit = canvas, left, right, unit

    def line(
        self,
        y: float,
        text: str,
        scale: float,
        colour: tuple[int, int, int],
        *,
        bold: bool = False,
        at_right: bool = False,
    ) -> None:
        font = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX
        size, thick = scale * self.unit, max(1, round((1.6 if scale > 1 else 1.0) * self.unit * (0.5 + scale / 2)))
        (width, _), _ = cv2.getTextSize(text, font, size, thick)
        if width > self.right - self.left:  # the letters of OpenCV 4 and 5 differ in width
            size *= (self.right - self.left) / width
        x = self.right - width if at_right else self.left
        cv2.putText(self.canvas, text, (x, round(y * self.unit)), font, size, colour, thick, cv2.LINE_AA)

    def pair(self, y: float, name: str, found: str) -> None:
        self.line(y, name, 0.46, DIM)
        self.line(y, found, 0.52, WHITE, at_right=True)

    def rule(self, y: float) -> None:
        height = round(y * self.unit)
        cv2.line(self.canvas, (self.left, height), (self.right, height), LINE, max(1, round(self.unit)))
