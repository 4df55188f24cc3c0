"""The strip of a screen in which a thin bright trace is written, and what stands in it at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image
from echo_rt.sources.screen.marks import brightness, longest_mark

CHANGE = 50
"""Grey levels between the trace and what is seen where it is not."""

SHARE = 0.5
"""What is brighter than that share of the trace is seen; in every moment, it stands still."""

LONG, TALL = 0.08, 0.3
"""Shares of the screen's width and height: a trace that moves is at least that long, and its strip at most that
tall."""

WORD, LETTER_PX = 5, 5
"""A word over the height of its letters, in which they touch, at most; and pixels of that height at least."""

CONNECTED = 3
"""Pixels of a trace in a window of 5 by 3 around each of them."""

MOST = 3
"""Traces that are read at the same time."""

ROOM = (0.11, 0.06)
"""Shares of the screen's height above and below what was seen to move, for peaks that were not seen yet."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The trace in one picture: arrays of (W,), a value for each column of the screen.

    Attributes:
        lit: whether there is a trace.
        top, bottom: its highest and lowest row in the strip; without meaning where there is none.
    """

    lit: Flags
    top: NDArray[np.int16]
    bottom: NDArray[np.int16]

    @property
    def middle(self) -> Array:
        """Half-way between the two."""
        return (self.top + self.bottom) / 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Where the trace is looked for.

    Attributes:
        first, last: its rows.
        least: grey level of the trace.
        moved: its first and last column in which it was seen to move.
        beside: (rows, W) what is not looked at: ultrasound, and texts that stand still.
    """

    first: int
    last: int
    least: int
    moved: tuple[int, int]
    beside: Flags

    def profile(self, image: Image) -> Profile:
        """The trace in an image (H, W) or (H, W, 3)."""
        lit = (brightness(image[self.first : self.last]) > self.least) & ~self.beside
        # A single pixel is the crossing of a grid, or a codec's.
        around = cv2.boxFilter(lit.view(np.uint8), -1, (5, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        lit &= np.asarray(around) >= CONNECTED
        top = lit.argmax(axis=0)
        bottom = len(lit) - 1 - lit[::-1].argmax(axis=0)
        return Profile(np.asarray(lit.any(axis=0)), top.astype(np.int16), bottom.astype(np.int16))


def find_strips(highest: Image, lowest: Image, outlines: Sequence[NDArray[np.int32]]) -> list[Strip]:
    """The strips with the longest things that move and are no ultrasound, the longest first: an ECG, and perhaps the
    breath below it.

    Args:
        highest, lowest: (H, W) the brightest and the darkest moment of each pixel.
        outlines: of all ultrasound on the screen, each (N, 2) x, y.
    """
    height, width = highest.shape
    ultrasound = np.zeros((height, width), np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(ultrasound, np.asarray(outline, np.int32), 1)
    moved = ((cv2.subtract(highest, lowest) > CHANGE) & (ultrasound == 0)).view(np.uint8)
    # A trace is thin: its pieces are joined along it.
    joined = cv2.dilate(moved, np.ones((3, max(3, width // 60)), np.uint8))
    _, names, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for n, (_, top, wide, tall, _) in enumerate(boxes.tolist()):
        if n and wide >= LONG * width and tall <= TALL * height and wide >= 1.5 * tall:
            own = (names == n) & (moved > 0)
            lit = np.flatnonzero(own.any(axis=0))
            found.append((wide, top, top + tall, float(np.median(highest[own])), (int(lit[0]), int(lit[-1]))))
    found = sorted(found, reverse=True)[:MOST]
    strips = []
    for _, top, bottom, bright, columns in found:
        # Not into another trace, unless it touches this one.
        above = [min(other[2], top) for other in found if other[1] < top]
        below = [max(other[1], bottom) for other in found if other[2] > bottom]
        first = max([top - round(ROOM[0] * height), *above, 0])
        last = min([bottom + round(ROOM[1] * height), *below, height])
        still = lowest[first:last] > SHARE * bright
        beside = _letters(still, longest_mark(lowest.shape)) | (ultrasound[first:last] > 0)
        # Above and below what moved only an unseen peak may come: what stands or blinks there is a frame or a sign.
        outside = np.ones(len(still), bool)
        outside[top - first : bottom - first] = False
        blinks = _apart(np.asarray(names[first:last], np.int32), moved[first:last] > 0, outside)
        beside |= blinks | (still & outside[:, None])
        # Letters are blurred, and their edges flicker.
        beside = cv2.dilate(beside.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
        strips.append(Strip(first, last, round(SHARE * bright), columns, np.asarray(beside)))
    return strips


def _apart(names: NDArray[np.int32], moved: Flags, outside: Flags) -> Flags:
    """(rows, W) what moved and belongs to pieces that lie wholly in the rows `outside`.

    Args:
        names: (rows, W) the number of the piece at each pixel, 0 for none.
        moved: (rows, W) whether it moved.
        outside: (rows,) whether the row is above or below the trace.
    """
    return moved & ~np.isin(names, np.unique(names[~outside]))


def _letters(still: Flags, widest: int) -> Flags:
    """(rows, W) the static pixels that belong to a letter or to a connected word.

    The length decides, since a flat trace is static too, where the pen has not come yet or writes the same again.
    """
    _, names, boxes, _ = cv2.connectedComponentsWithStats(still.view(np.uint8), connectivity=8)
    width, height = boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]
    small = (width <= widest) | ((width <= WORD * height) & (height >= LETTER_PX) & (height <= 2 * widest))
    small[0] = False
    return np.asarray(small[names])
