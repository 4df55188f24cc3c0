"""From the heart to the beams, and from the beams to the image.

Probe frame: mm from the tip of the sector, x to the right of the display and y into the body. Polar grid: rows are
samples in depth, columns are beams. Image: pixel centres at integers, x to the right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.phantom.options import PhantomOptions

SAMPLES, BEAMS = 448, 192
EDGE = 2
"""Rows and columns of the polar grid that lie outside the sector, so that filters have something to stand on."""

_ROWS, _COLUMNS = np.arange(SAMPLES, dtype=float), np.arange(BEAMS, dtype=float)


@dataclass(frozen=True)
class Pose:
    """Where the heart is in the probe frame."""

    tip: tuple[float, float]  # x, y of the epicardial apex, mm
    tip_z: float  # its height in the heart frame
    angle: float  # radians; 0: apex up, negative: apex to the left

    def to_probe(self, points: Array) -> Array:
        """Heart-frame points (N, 2) in the probe frame."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        x, z = points[:, 0], points[:, 1] - self.tip_z
        return np.stack([self.tip[0] + c * x + s * z, self.tip[1] + s * x - c * z], axis=1)

    def to_heart(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Probe-frame positions in the heart frame."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        dx, dy = x - self.tip[0], y - self.tip[1]
        return c * dx + s * dy, self.tip_z + s * dx - c * dy


class Sector:
    """The sector and its place in the image."""

    def __init__(
        self, options: PhantomOptions, depth_mm: float, opening_deg: float, margin: float, top_mm: float
    ) -> None:
        """Args: the options, depth, opening angle, border as a fraction of the image, radius of the probe's face."""
        self.height, self.width = options.recording.height, options.recording.width
        self.depth_mm, self.half = depth_mm, float(np.radians(opening_deg)) / 2
        self.top_mm = top_mm
        self._tilt = float(np.radians(options.view.tilt_deg))
        self._mirror = options.view.mirror
        arc = self._tilt + np.linspace(-self.half, self.half, 65)
        rim = depth_mm * np.stack([np.sin(arc), np.cos(arc)], axis=1)
        low, high = np.minimum(rim.min(axis=0), 0), np.maximum(rim.max(axis=0), 0)
        room_h, room_w = self.height * (1 - 2 * margin), self.width * (1 - 2 * margin)
        self.pixels_per_mm = float(min(room_h / (high[1] - low[1]), room_w / (high[0] - low[0])))
        # The sector stands in the middle; pixel centres at integers, so that the image reaches from -0.5 to size - 0.5.
        spare = np.array([self.width, self.height]) - (high - low) * self.pixels_per_mm
        self._origin = spare / 2 - low * self.pixels_per_mm - 0.5

    @property
    def spacing_mm(self) -> float:
        """Height and width of a pixel."""
        return 1 / self.pixels_per_mm

    @property
    def origin_px(self) -> tuple[float, float]:
        """The sector's tip (x, y) in image pixels."""
        x = self.width - 1 - self._origin[0] if self._mirror else self._origin[0]
        return float(x), float(self._origin[1])

    def to_image(self, points: Array) -> Array:
        """Probe-frame points (N, 2), not yet tilted, in image pixels (x, y)."""
        c, s = np.cos(self._tilt), np.sin(self._tilt)
        x, y = points[:, 0], points[:, 1]
        image = np.stack([c * x + s * y, c * y - s * x], axis=1) * self.pixels_per_mm + self._origin
        if self._mirror:
            image[:, 0] = self.width - 1 - image[:, 0]
        return np.asarray(image)

    def to_grid(self, points: Array) -> Array:
        """Probe-frame points (N, 2) on the polar grid (column, row)."""
        radius, angle = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 0], points[:, 1])
        return np.stack([self._column(angle), self._row(radius)], axis=1)

    def _column(self, angle: Array) -> Array:
        return np.asarray((angle / self.half + 1) / 2 * (BEAMS - 1 - 2 * EDGE) + EDGE)

    def _row(self, radius: Array) -> Array:
        return np.asarray(radius / self.depth_mm * (SAMPLES - 1 - 2 * EDGE) + EDGE)

    def nodes(self, rows: Array = _ROWS, columns: Array = _COLUMNS) -> tuple[Array, Array]:
        """Probe-frame x and y, (rows, columns), of positions on the polar grid, by default of all of it."""
        radius, angle = self.radii(rows)[:, None], self.angles(columns)[None, :]
        return radius * np.sin(angle), radius * np.cos(angle)

    def radii(self, rows: Array = _ROWS) -> Array:
        """mm from the tip."""
        return (rows - EDGE) / (SAMPLES - 1 - 2 * EDGE) * self.depth_mm

    def angles(self, columns: Array = _COLUMNS) -> Array:
        """Radians, 0 in the middle."""
        return ((columns - EDGE) / (BEAMS - 1 - 2 * EDGE) * 2 - 1) * self.half

    def scan_map(self) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
        """What `cv2.remap` needs to turn a polar image into the display; fixed-point is twice as fast as floats."""
        x, y = self._pixels()
        angle, radius = np.arctan2(x, y) - self._tilt, np.hypot(x, y)
        outside = (np.abs(angle) > self.half) | (radius > self.depth_mm) | (radius < self.top_mm)
        column = np.where(outside, -10, self._column(angle)).astype(np.float32)
        row = np.where(outside, -10, self._row(radius)).astype(np.float32)
        first, second = cv2.convertMaps(column, row, cv2.CV_16SC2)
        return np.asarray(first, np.int16), np.asarray(second, np.uint16)

    def inside(self) -> NDArray[np.bool_]:
        """(H, W) whether a pixel lies above the far rim. Annotators do not cut masks at the other sides."""
        return np.asarray(np.hypot(*self._pixels()) <= self.depth_mm)

    def _pixels(self) -> tuple[Array, Array]:
        """x (1, W) and y (H, 1) of the pixels from the sector's tip, mm, still tilted."""
        x = (np.arange(self.width)[None, :] - self._origin[0]) / self.pixels_per_mm
        y = (np.arange(self.height)[:, None] - self._origin[1]) / self.pixels_per_mm
        return x[:, ::-1] if self._mirror else x, y
