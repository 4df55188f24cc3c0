"""The sector's outline on a screen: its two sides, the tip in which they meet, its top and its bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image

COARSE_PX = 320
"""Pixels along the longer side of the image on which the outline is drawn: enough for 0.5 % of a depth."""

MOVES = 8
"""Grey levels between the brightest and the darkest moment from which on a coarse pixel moves. Compressed letters stay
below."""

OFTEN = 0.3
"""Share of the neighbourhood that moves where there is ultrasound."""

SPECK = 0.03
"""Share of the screen below which a moving piece is no sector."""

MOST = 3
"""Sectors of one screen that are looked at."""

ANGLES_DEG = np.arange(12.0, 62.0, 0.5)
"""Of a side against the vertical."""

PEAK = 4
"""Of those angles, how many on either side of a side's own fit less."""

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

    def mask(self, shape: tuple[int, ...]) -> Image:
        """(H, W) 1 in the sector, of a screen of that shape."""
        angles = np.radians(np.linspace(-self.sides_deg[0], self.sides_deg[1], 33))
        rim = np.array(self.tip) + self.depth * np.stack([np.sin(angles), np.cos(angles)], axis=1)
        mask = np.zeros(shape[:2], np.uint8)
        corners = np.concatenate([[self.tip], rim])
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
        return mask

    def reaches(self, points: Array) -> NDArray[np.bool_]:
        """Which of some points (N, 2) x, y lie in the sector."""
        right, down = points[:, 0] - self.tip[0], points[:, 1] - self.tip[1]
        angle, (left_deg, right_deg) = np.degrees(np.arctan2(right, down)), self.sides_deg
        return np.asarray((angle > -left_deg) & (angle < right_deg) & (np.hypot(right, down) < self.depth))

    def holds(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which points lie well inside, away from the two sides and from the bottom."""
        right, down = x - self.tip[0], y - self.tip[1]
        angle, radius = np.degrees(np.arctan2(right, down)), np.hypot(right, down)
        left_deg, right_deg = self.sides_deg
        return np.asarray((angle > WELL_DEG - left_deg) & (angle < right_deg - WELL_DEG) & (radius < 0.98 * self.depth))


def find_fans(highest: Image, lowest: Image, outlines: Sequence[NDArray[np.int32]]) -> list[Fan]:
    """The sectors of some moving ultrasound on a screen, the largest first.

    Args:
        highest, lowest: (H, W) the brightest and the darkest moment of each pixel.
        outlines: (N, 2) x, y around each piece of ultrasound. What moves elsewhere is none: an ECG close below a sector
            would make it deeper.
    """
    change = np.asarray(cv2.subtract(highest, lowest))
    factor = min(COARSE_PX / max(change.shape), 1.0)
    found = []
    for outline in outlines:
        within = np.zeros_like(change)
        cv2.fillConvexPoly(within, np.asarray(outline, np.int32), 255)
        within = np.asarray(cv2.bitwise_and(change, within), np.uint8)
        if factor < 1:
            within = np.asarray(cv2.resize(within, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        moves = within > MOVES
        # Or much of the neighbourhood: weak speckle moves here and there.
        often = np.asarray(cv2.boxFilter(moves.astype(np.float32), -1, (5, 5))) > OFTEN
        found.append(fan_of((moves | often).astype(np.uint8), factor))
    fans = [fan for fan in found if fan is not None]
    return sorted(fans, key=lambda fan: -fan.depth)[:MOST]


def fan_of(lit: Image, factor: float = 1.0) -> Fan | None:
    """The sector that is the largest piece of a coarse mask (h, w); None where that is no sector.

    Args:
        lit: 1 in the ultrasound, 0 elsewhere; specks, traces and letters do no harm.
        factor: coarse pixels to a pixel of the screen.
    """
    outlines = _outlines(lit)
    return _fan(outlines[0], factor) if outlines else None


def _fan(outline: Outline, factor: float) -> Fan | None:
    """The sector with that outline, in coarse pixels."""
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


def _outlines(lit: Image) -> list[Outline]:
    """Those of the large pieces of a mask, the largest first."""
    opened = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _disk(13), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    pieces, _ = cv2.findContours(
        np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, _disk(9))), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    large = [piece for piece in pieces if cv2.contourArea(piece) >= SPECK * lit.size]
    large.sort(key=cv2.contourArea, reverse=True)
    return [_dense(np.asarray(cv2.convexHull(piece)[:, 0, :], np.float64)) for piece in large]


def _dense(polygon: Array) -> Outline:
    """A point each pixel along a closed polygon."""
    ahead = np.roll(polygon, -1, axis=0)
    steps = np.maximum(np.ceil(np.hypot(*(ahead - polygon).T)).astype(int), 1)
    parts = [a + (b - a) * (np.arange(n)[:, None] / n) for a, b, n in zip(polygon, ahead, steps, strict=True)]
    return np.concatenate(parts)


def _side(outline: Outline, sign: float, beside: float) -> tuple[float, float, float] | None:
    """The straight side left (-1) or right (1): its angle in degrees, its distance from the origin along its normal,
    and how many pixels of the outline lie along it."""
    sides = []
    for angle in ANGLES_DEG:
        along = outline @ _normal(float(angle), sign)
        near = along > along.max() - beside
        length = float(np.ptp(outline[near, 1])) / np.cos(np.radians(angle))
        sides.append((float(angle), float(along[near].mean()), length))
    # The steepest angle is no peak where the side of a cut sector, which is upright, lies near it.
    lengths = np.array([length for _, _, length in sides])
    inner = range(PEAK, len(sides) - PEAK)
    peaks = [n for n in inner if lengths[n] == lengths[n - PEAK : n + PEAK + 1].max()]
    return max((sides[n] for n in peaks), key=lambda side: side[2], default=None)


def _normal(angle_deg: float, sign: float) -> Array:
    """Outwards from a side at that angle against the vertical."""
    angle = np.radians(angle_deg)
    return np.array([sign * np.cos(angle), -np.sin(angle)])


def _disk(size: int) -> Image:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
