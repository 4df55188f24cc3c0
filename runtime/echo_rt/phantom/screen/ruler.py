"""Depth rulers as scanners draw them: beside the sector, on its axis or along one of its sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.phantom.screen.placed import Placed

Side = Literal["left", "right", "middle", "left edge", "right edge"]
Mark = Literal["tick", "dot"]
SIDES: tuple[Side, ...] = ("left", "right", "middle", "left edge", "right edge")

COLOURS = {
    "white": (235, 235, 235),
    "grey": (150, 150, 150),
    "yellow": (60, 220, 230),
    "green": (70, 220, 110),
    "blue": (235, 170, 90),
    "amber": (60, 160, 240),
}
"""BGR."""

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class RulerManner:
    """How one machine draws its ruler. Lengths of marks are pixels of the screen.

    Attributes:
        side: where: beside the sector, on its axis, or along a side of it; marks stand across the ruler.
        step_mm: from mark to mark.
        major: every how many marks one is longer; 0: all are alike.
        marks: what the minor and the major marks are.
        lengths_px: of the minor and the major ticks.
        width_px: thickness of ticks and line; a dot is a little larger.
        line: draw the line that the marks stand on.
        numbers: write the depth in cm beside the major marks.
        text: a text with the depth, such as ``D {:.1f} cm``, at the left of the screen; None for none.
        colour: BGR.
        offset_px: distance from the sector's outermost pixel, to the left or right, as far as the picture reaches.
    """

    side: Side = "right"
    step_mm: float = 10.0
    major: int = 5
    marks: tuple[Mark, Mark] = ("tick", "tick")
    lengths_px: tuple[float, float] = (5.0, 10.0)
    width_px: int = 1
    line: bool = False
    numbers: bool = True
    text: str | None = None
    colour: tuple[int, int, int] = COLOURS["white"]
    offset_px: float = 24.0

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int) -> RulerManner:
        """One of the manners of the vendors, for a screen of that height."""
        scale = height / 480
        kind = {"numbers": bool(rng.random() < 0.6), **KINDS[int(rng.integers(len(KINDS)))]}
        side: Side = SIDES[int(rng.choice(5, p=[0.16, 0.5, 0.08, 0.08, 0.18]))]
        minor = float(rng.uniform(3, 7) * scale)
        colour = np.clip(np.array(list(COLOURS.values())[int(rng.integers(6))]) + rng.integers(-15, 16, 3), 0, 255)
        return cls(
            side=side,
            lengths_px=(minor, minor * float(rng.uniform(1.6, 2.6))),
            width_px=max(1, min(3, round(float(rng.uniform(0.7, 1.6)) * scale))),
            line=bool(rng.random() < 0.3) and side in ("left", "right") and kind["marks"] == ("tick", "tick"),
            text=None if rng.random() < 0.5 else str(rng.choice(["{:.0f} cm", "D {:.1f} cm", "{:.0f}cm"])),
            colour=(int(colour[0]), int(colour[1]), int(colour[2])),
            offset_px=float(rng.uniform(12, 60) * scale),
            **kind,  # type: ignore[arg-type]  # the values are those of the fields
        )


KINDS: tuple[dict[str, object], ...] = (
    {"step_mm": 10.0, "major": 5, "marks": ("tick", "tick")},
    {"step_mm": 10.0, "major": 5, "marks": ("tick", "tick")},
    {"step_mm": 10.0, "major": 5, "marks": ("dot", "tick")},
    {"step_mm": 10.0, "major": 5, "marks": ("dot", "dot")},
    {"step_mm": 10.0, "major": 0, "marks": ("tick", "tick")},
    {"step_mm": 10.0, "major": 0, "marks": ("dot", "dot")},
    {"step_mm": 10.0, "major": 5, "marks": ("dot", "tick")},
    {"step_mm": 5.0, "major": 2, "marks": ("tick", "tick"), "numbers": True},
)
"""What marks there are, as on pictures of six vendors. Who marks half centimetres numbers the whole ones."""


def draw_ruler(canvas: Image, placed: Placed, manner: RulerManner) -> None:
    """Draw the ruler of a picture onto the screen (H, W, 3) BGR that it stands on, anti-aliased, from 0 at the apex."""
    start, along, across = _line_of(placed, manner)
    count = int(placed.depth_mm / manner.step_mm + 1e-6)
    if manner.line:
        _stroke(canvas, start, start + along * placed.depth_mm * placed.px_per_mm, manner)
    for k in range(count + 1):
        at = start + along * k * manner.step_mm * placed.px_per_mm
        long = manner.major > 0 and k % manner.major == 0
        mark, length = manner.marks[long], manner.lengths_px[long]
        if mark == "tick":
            _stroke(canvas, at, at + across * length, manner)
        else:
            _dot(canvas, at, manner.width_px * (1.5 if long else 0.8), manner.colour)
        if manner.numbers and manner.major > 0 and k % manner.major == 0:
            _number(canvas, at + across * (manner.lengths_px[1] + 0.012 * len(canvas)), k * manner.step_mm / 10, manner)
    if manner.text is not None:
        corner = round(0.012 * canvas.shape[1]), round(0.16 * len(canvas))
        _write(canvas, manner.text.format(placed.depth_mm / 10), corner, (210, 210, 210))


def _line_of(placed: Placed, manner: RulerManner) -> tuple[Array, Array, Array]:
    """The point of depth 0, the direction of depth, and the direction in which ticks grow."""
    apex, half = np.array(placed.apex), np.radians(placed.half_angle_deg)
    sign = -1.0 if manner.side in ("left", "left edge") else 1.0
    if manner.side in ("left edge", "right edge"):
        along = np.array([sign * np.sin(half), np.cos(half)])
        across = np.array([sign * np.cos(half), -np.sin(half)])
        return apex + across * 0.2 * manner.offset_px, along, across
    reach = 0.0 if manner.side == "middle" else np.sin(half) * placed.depth_mm * placed.px_per_mm + manner.offset_px
    # A picture that leaves no room beside the sector has its ruler over the sector's corner.
    room = 0.03 * placed.width
    x = float(np.clip(apex[0] + sign * reach, placed.x + room, placed.x + placed.width - 1 - room))
    return np.array([x, apex[1]]), np.array([0.0, 1.0]), np.array([sign, 0.0])


def _stroke(canvas: Image, start: Array, end: Array, manner: RulerManner) -> None:
    a, b = ([round(float(v) * 2**_SHIFT) for v in point] for point in (start, end))
    cv2.line(canvas, a, b, manner.colour, manner.width_px, cv2.LINE_AA, _SHIFT)


def _dot(canvas: Image, at: Array, radius: float, colour: tuple[int, int, int]) -> None:
    centre = [round(float(v) * 2**_SHIFT) for v in at]
    cv2.circle(canvas, centre, round(max(radius, 0.8) * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)


def _number(canvas: Image, at: Array, depth_cm: float, manner: RulerManner) -> None:
    text, scale = f"{depth_cm:.0f}", 0.4 * len(canvas) / 480
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = at[0] - (width if manner.side in ("left", "left edge") else 0)
    _write(canvas, text, (round(float(left)), round(float(at[1]) + height / 2)), manner.colour)


def _write(canvas: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    scale = 0.4 * len(canvas) / 480
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, round(scale)), cv2.LINE_AA)
