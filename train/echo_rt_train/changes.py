"""What a chest wall, a scanner and a screen do to a picture, one function a change, its strength given.

Training draws the strengths, `echo-rt evaluate --shifts` sets them. All take and give grey levels (H, W) float32, 0 to
255; what they give may lie outside of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
_Real = NDArray[np.floating[Any]]

LIT = 10
"""Grey level above which a pixel belongs to the sector: JPEG and video leave a few in the black around it."""

SHOWN_DB = 60.0
"""Of echo between black and white, as most cardiac presets have it: what so many dB more or less are in grey levels."""

EDGE_DEG = 1.5
"""Over which a shadow begins: a beam is about as wide."""


@dataclass(frozen=True)
class Sector:
    """Where the beams of a picture come from.

    Attributes:
        tip: x, y of the point where they meet, pixels.
        depth: length of the longest beam, pixels.
        left, right: angles of the outermost beams, degrees; 0 is straight down.
    """

    tip: tuple[float, float]
    depth: float
    left: float
    right: float

    @classmethod
    def of(cls, image: NDArray[np.uint8] | Grey) -> Sector:
        """The sector of a picture (H, W): of its largest lit piece, the tip in the middle of its first rows."""
        lit = cv2.morphologyEx((image > LIT).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(lit)
        height, width = image.shape
        if count < 2:
            return cls((width / 2, 0.0), float(height), -45.0, 45.0)
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        y, x = np.nonzero(pieces == largest)
        top = y <= y.min() + max(2, height // 50)
        tip = float(x[top].mean()), float(y.min())
        radius, angle = _polar(x - tip[0], y - tip[1])
        far = radius > 0.3 * radius.max()
        left, right = np.percentile(angle[far], (0.5, 99.5))
        return cls(tip, float(radius.max()), float(left), float(right))

    def beams(self, shape: tuple[int, ...]) -> tuple[Grey, Grey]:
        """Of each pixel the share of the depth and the angle in degrees, (H, W) both."""
        y, x = np.indices(shape, np.float32)
        radius, angle = _polar(x - self.tip[0], y - self.tip[1])
        return np.asarray(radius / max(self.depth, 1.0), np.float32), np.asarray(angle, np.float32)


def _polar(x: _Real, y: _Real) -> tuple[_Real, _Real]:
    return np.hypot(x, y), np.degrees(np.arctan2(x, np.maximum(y, 1e-3)))


def lit(image: Grey) -> Grey:
    """How much of each pixel is picture, 0 to 1: gain lights no pixel in the black around a sector."""
    return np.minimum(image / LIT, 1).astype(np.float32)


def more_gain(image: Grey, db: float) -> Grey:
    """With so many dB more gain before the log compression; less where it is negative."""
    return np.asarray(image + 255 * db / SHOWN_DB * lit(image), np.float32)


def shadowed(image: Grey, sector: Sector, at_deg: float, width_deg: float, db: float, start: float = 0.0) -> Grey:
    """Behind a rib or lung: the beams around `at_deg` lose `db` from a share `start` of the depth on."""
    depth, angle = sector.beams(image.shape)
    inside = np.clip((width_deg / 2 - np.abs(angle - at_deg)) / EDGE_DEG + 0.5, 0, 1)
    behind = np.clip((depth - start) / 0.05, 0, 1)
    return np.asarray(image - 255 * db / SHOWN_DB * inside * behind * lit(image), np.float32)


def narrowed(image: Grey, sector: Sector, half_deg: float) -> Grey:
    """A sector of that half angle about its own middle, black beside it."""
    _, angle = sector.beams(image.shape)
    middle = (sector.left + sector.right) / 2
    return np.where(np.abs(angle - middle) > half_deg, 0, image).astype(np.float32)


def hazed(image: Grey, sector: Sector, grey: float) -> Grey:
    """Under a veil of so many grey levels that is densest near the probe, as reverberations are."""
    depth, _ = sector.beams(image.shape)
    veil = grey * np.exp(-2.0 * depth) * lit(image)
    return np.asarray(image * (1 - veil / 255) + veil, np.float32)


def speckled(image: Grey, share: float, rng: np.random.Generator) -> Grey:
    """With multiplicative noise of that standard deviation, two pixels wide."""
    noise = cv2.GaussianBlur(rng.standard_normal(image.shape, np.float32), (0, 0), 0.8)
    return np.asarray(image * (1 + share * noise / noise.std()), np.float32)


def compressed(image: Grey, quality: int) -> Grey:
    """After JPEG of that quality, 1 to 100."""
    _, data = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)


def coarsened(image: Grey, side: int) -> Grey:
    """As a picture of `side` x `side` pixels shows it, at its own size again."""
    height, width = image.shape
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def annotated(image: Grey, rng: np.random.Generator, ecg: bool = True, lines: int = 4) -> Grey:
    """With text, a depth scale and an ECG across it, as a screen has them; also over the heart."""
    drawn, (height, width) = np.clip(image, 0, 255).astype(np.uint8), image.shape
    grey, size = float(rng.uniform(150, 255)), height / 600
    for _ in range(lines):
        text = "".join(rng.choice(list("ABDEFGHLMRSTVcdgmsz0123456789.: "), int(rng.integers(4, 18))))
        at = int(rng.uniform(-0.05, 0.8) * width), int(rng.uniform(0.04, 0.98) * height)
        cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size * rng.uniform(0.6, 1.6), grey, 1, cv2.LINE_AA)
    if rng.random() < 0.5:
        x = int(rng.choice([0.03, 0.5, 0.97]) * width)
        for y in np.linspace(0, height - 1, int(rng.integers(8, 20))).astype(int).tolist():
            cv2.line(drawn, (x, y), (x + max(2, width // 80), y), grey, 1)
    if ecg:
        t: NDArray[np.float64] = np.arange(width) / width * rng.uniform(2, 6) + rng.uniform()
        wave = np.exp(-(((t % 1 - 0.3) / 0.02) ** 2)) + 0.2 * np.exp(-(((t % 1 - 0.6) / 0.06) ** 2))
        y = height * (rng.uniform(0.8, 0.98) - rng.uniform(0.04, 0.12) * wave)
        points = np.round(np.stack([np.arange(width), y], axis=1)).astype(np.int32)
        cv2.polylines(drawn, [points], False, grey, 1, cv2.LINE_AA)
    return drawn.astype(np.float32)
