"""What is known of every frame and every beat, and masks that are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array


@dataclass(frozen=True, eq=False)
class Truth:
    """One frame; points are x, y in image pixels, pixel centres at integers."""

    index: int
    t_s: float
    phase: str  # of the beat, one of `echo_rt.phantom.cycle.PHASES`
    volume_ml: float  # of the cavity as drawn, single-plane method of disks
    area_mm2: float  # of the cavity as drawn
    length_mm: float  # of the long axis
    apex: Array  # (2,)
    hinges: Array  # (2, 2) the septal and the lateral end of the mitral annulus


@dataclass(frozen=True)
class BeatTruth:
    """One beat as drawn, from ED (largest volume) over ES (smallest) to the next ED."""

    t_ed_s: float
    t_es_s: float
    t_next_ed_s: float
    edv_ml: float
    esv_ml: float
    ectopic: bool = False  # a premature ventricular beat

    @property
    def ef_percent(self) -> float:
        return 100 * (self.edv_ml - self.esv_ml) / self.edv_ml

    @property
    def heart_rate_bpm(self) -> float:
        return 60 / (self.t_next_ed_s - self.t_ed_s)


def polygon_area(points: Array) -> float:
    """Area of a polygon (N, 2), in its unit squared."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def rasterise(polygon: Array, height: int, width: int) -> NDArray[np.bool_]:
    """(H, W): the pixels whose centres lie inside a polygon (N, 2) of x, y in pixels, even-odd.

    `cv2.fillPoly` also paints the pixels that the border touches, which makes a ventricle 2 % too large.
    """
    inside = np.zeros((height, width), np.bool_)
    (left, top), (right, bottom) = np.floor(polygon.min(axis=0)).astype(int), np.ceil(polygon.max(axis=0)).astype(int)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right + 1, width), min(bottom + 1, height)
    if left >= right or top >= bottom:
        return inside
    start, end = polygon, np.roll(polygon, -1, axis=0)
    rows = np.arange(top, bottom)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    edge, row = np.nonzero((low[:, None] <= rows) & (rows < high[:, None]))
    slope = (end[edge, 0] - start[edge, 0]) / (end[edge, 1] - start[edge, 1])
    crossing = start[edge, 0] + (rows[row] - start[edge, 1]) * slope
    toggles = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.bitwise_xor.at(toggles, (row, np.clip(np.ceil(crossing) - left, 0, right - left).astype(int)), 1)
    inside[top:bottom, left:right] = np.bitwise_xor.accumulate(toggles[:, :-1], axis=1)
    return inside
