"""The sector's outline on a screen: its two sides, the tip in which they meet, its top and its bottom."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image

COARSE_PX = 320
"""Pixels along the longer side of the image on which the outline is drawn: enough for 0.5 % of a depth."""

MOVES = 10
"""Grey levels between the brightest and the darkest moment from which on a coarse pixel moves. Compressed letters stay
below."""

SPECK = 0.03
"""Share of the screen below which a moving piece is no sector."""

ANGLES_DEG = np.arange(12.0, 62.0, 0.5)
"""Of a side against the vertical."""

BESIDE = 0.012
"""How far, as a share of the outline's size, its points lie from a straight side."""

LEAST_SIDE = 0.16
"""Share of the outline's height that has to lie along either side."""

PROBE = 0.3
"""The outline's top lies at most that share of the depth below the tip: phased arrays are small."""

WELL_DEG = 3.0
"""How far from the two sides a point lies that is well inside."""

Outline = Array
"""(N, 2) x, y in pixels: a dense convex outline."""


@dataclass(frozen=True, slots=True)
class Fan:
    """A sector, in pixels of the screen.

    Attributes:
        tip: x and y where the two sides meet.
        sides_deg: angles of the left and the right side against the vertical, both positive.
        top, bottom: rows where it begins and ends.
    """

    tip: tuple[float, float]
    sides_deg: tuple[float, float]
    top: float
    bottom: float

    @property
    def depth(self) -> float:
        """From the tip to the bottom."""
        return self.bottom - self.tip[1]

    def holds(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which points lie well inside, away from the two sides and from the bottom."""
        right, down = x - self.tip[0], y - self.tip[1]
        angle, radius = np.degrees(np.arctan2(right, down)), np.hypot(right, down)
        left_deg, right_deg = self.sides_deg
        return np.asarray((angle > WELL_DEG - left_deg) & (angle < right_deg - WELL_DEG) & (radius < 0.98 * self.depth))


def find_fan(highest: Image, lowest: Image) -> Fan | None:
    """The largest moving sector on a screen; None where there is none.

    Args:
        highest, lowest: (H, W) the brightest and the darkest moment of each pixel.
    """
    change = cv2.subtract(highest, lowest)
    factor = min(COARSE_PX / max(change.shape), 1.0)
    if factor < 1:
        change = cv2.resize(change, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return fan_of((np.asarray(change) > MOVES).astype(np.uint8), factor)


def fan_of(lit: Image, factor: float = 1.0) -> Fan | None:
    """The sector that is the largest piece of a coarse mask (h, w).

    Args:
        lit: 1 in the ultrasound, 0 elsewhere; specks, traces and letters do no harm.
        factor: coarse pixels to a pixel of the screen.
    """
    outline = _outline(lit)
    if outline is None:
        return None
    size = float(np.ptp(outline, axis=0).max())
    height = float(np.ptp(outline[:, 1]))
    left, right = (_side(outline, sign, BESIDE * size) for sign in (-1.0, 1.0))
    if left is None or right is None or min(left[2], right[2]) < LEAST_SIDE * height:
        return None
    normals = np.array([_normal(left[0], -1.0), _normal(right[0], 1.0)])
    x, y = np.linalg.solve(normals, [left[1], right[1]])
    top, bottom = float(outline[:, 1].min()), float(outline[:, 1].max())
    # The tip lies at the top: a rectangle or a trapezium of a flat probe is no sector.
    if not -0.05 * height <= top - y <= PROBE * (bottom - y):
        return None
    tip_x, tip_y = ((float(v) + 0.5) / factor - 0.5 for v in (x, y))
    return Fan((tip_x, tip_y), (left[0], right[0]), (top + 0.5) / factor - 0.5, (bottom + 0.5) / factor - 0.5)


def _outline(lit: Image) -> Outline | None:
    opened = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _disk(13), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    pieces, _ = cv2.findContours(
        np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, _disk(9))), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    largest = max(pieces, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < SPECK * lit.size:
        return None
    hull = np.asarray(cv2.convexHull(largest)[:, 0, :], np.float64)
    return _dense(hull)


def _dense(polygon: Array) -> Outline:
    """A point each pixel along a closed polygon."""
    ahead = np.roll(polygon, -1, axis=0)
    steps = np.maximum(np.ceil(np.hypot(*(ahead - polygon).T)).astype(int), 1)
    parts = [a + (b - a) * (np.arange(n)[:, None] / n) for a, b, n in zip(polygon, ahead, steps, strict=True)]
    return np.concatenate(parts)


def _side(outline: Outline, sign: float, beside: float) -> tuple[float, float, float] | None:
    """The straight side left (-1) or right (1): its angle in degrees, its distance from the origin along its normal,
    and how many pixels of the outline lie along it."""
    best: tuple[float, float, float] | None = None
    for angle in ANGLES_DEG:
        along = outline @ _normal(float(angle), sign)
        reach = along.max()
        near = along > reach - beside
        length = float(np.ptp(outline[near, 1])) / np.cos(np.radians(angle))
        if best is None or length > best[2]:
            best = float(angle), float(along[near].mean()), length
    return best


def _normal(angle_deg: float, sign: float) -> Array:
    """Outwards from a side at that angle against the vertical."""
    angle = np.radians(angle_deg)
    return np.array([sign * np.cos(angle), -np.sin(angle)])


def _disk(size: int) -> Image:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
