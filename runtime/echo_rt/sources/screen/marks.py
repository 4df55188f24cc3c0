"""Small marks on a still picture: ticks and dots, and also letters, which others must tell from them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image

LONGEST = 0.05
"""Share of the screen's shorter side that a mark may span: longer strokes are lines, borders and pictures."""

LEAST = 18
"""Grey levels above what lies around it that make a mark: compression makes fainter ones of its own."""

LETTERS = 0.018
"""Share of the screen's shorter side within which letters of a word follow one another."""

FRAME_PX = 7
"""Pixels that the level line of a frame is thick at most. Its corners, and the sides of one that is lower than the
longest mark, lie close to it."""

MOST_MARKS = 6000
"""More marks are no writing on a screen but a noisy picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The marks of one picture: arrays of (N,) pixels of the screen.

    Attributes:
        x, y: their centres of brightness.
        left, right: their ends.
        thick: their height.
        peak: their brightness.
        alone: whether no other mark stands right beside them, as letters do.
    """

    x: Array
    y: Array
    left: Array
    right: Array
    thick: Array
    peak: Array
    alone: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


def brightness(image: Image) -> Image:
    """(H, W) the brightest channel of each pixel: a blue tick is as good as a white one."""
    if image.ndim == 2:
        return image
    blue, green, red = cv2.split(image)
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)


def longest_mark(shape: tuple[int, ...]) -> int:
    """Pixels that a mark may span on a screen of that shape."""
    return max(round(LONGEST * min(shape[:2])), 9)


def small_things(still: Image, sector: Image) -> Image:
    """(H, W) what of a still picture is short in both directions; lines and surfaces are gone, and frames beside the
    sector with their corners.

    Args:
        still: the picture.
        sector: (H, W) 1 in the sector, where speckle has lines of its own.
    """
    span = longest_mark(still.shape)
    upright = cv2.morphologyEx(still, cv2.MORPH_OPEN, np.ones((span, 1), np.uint8))
    level = np.asarray(cv2.morphologyEx(still, cv2.MORPH_OPEN, np.ones((1, span), np.uint8)), np.uint8)
    long = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, 2 * span), np.uint8))
    thin = cv2.subtract(long, cv2.morphologyEx(long, cv2.MORPH_OPEN, np.ones((FRAME_PX, 1), np.uint8)))
    # Thin along all of its length: a mark that touches a panel is not.
    thin = cv2.morphologyEx(thin, cv2.MORPH_OPEN, np.ones((1, 2 * span), np.uint8))
    lines = ((np.asarray(thin) > LEAST) & (sector == 0)).view(np.uint8)
    small = np.asarray(cv2.subtract(still, cv2.max(upright, level)), np.uint8)
    around = np.ones((span + FRAME_PX, FRAME_PX), np.uint8)
    small[np.asarray(cv2.dilate(lines, around)) > 0] = 0
    return small


def find_marks(small: Image) -> Marks | None:
    """The marks in what `small_things` gave; None where there are too many to be writing.

    Two that touch come apart where the brightness between them falls to half.
    """
    around = np.asarray(cv2.dilate(small, np.ones((5, 5), np.uint8)), np.uint8)
    lit = (small >= LEAST) & (small >= (around >> 1))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(lit.view(np.uint8), connectivity=8)
    if count - 1 > MOST_MARKS:
        return None
    rows, columns = np.nonzero(lit)
    owner, weight = np.asarray(labels[rows, columns], np.int64), small[rows, columns].astype(np.float64)
    total = np.bincount(owner, weight, count)[1:]
    x = np.bincount(owner, weight * columns, count)[1:] / total
    y = np.bincount(owner, weight * rows, count)[1:] / total
    peak = np.zeros(count)
    np.maximum.at(peak, owner, weight)
    left = boxes[1:, cv2.CC_STAT_LEFT].astype(np.float64)
    width, thick = (boxes[1:, side].astype(np.float64) for side in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT))
    alone = _alone(lit.view(np.uint8), np.round(x).astype(int), np.round(y).astype(int))
    keep = np.maximum(width, thick) <= longest_mark(small.shape)
    return Marks(x[keep], y[keep], left[keep], (left + width - 1)[keep], thick[keep], peak[1:][keep], alone[keep])


def _alone(lit: Image, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the marks with these centres are no letters of a word."""
    gap = max(9, round(LETTERS * min(lit.shape)))
    count, words = cv2.connectedComponents(cv2.dilate(lit, np.ones((3, gap), np.uint8)))
    word = words[y, x]
    return np.asarray(np.bincount(word, minlength=count)[word] == 1)
