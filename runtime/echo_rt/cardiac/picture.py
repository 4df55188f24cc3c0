"""What the image itself says of a frame: whether it has changed, has colour in it, and where the ultrasound ends.

All is read off a coarse grid, every 5th pixel of a 640 x 480 image, in some 0.1 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import cv2
import numpy as np

from echo_rt import native
from echo_rt.arrays import Array, Field, Image

COARSE_PX = 128
"""Coarse pixels along the longer side of an image. A smaller image is taken as it is."""

DARK = 8
"""Image levels up to which a pixel is black: noise and compression leave a few levels where nothing is shown."""

CHANGE = 4
"""Image levels by which a pixel must change to count as changed. A video encoder moves most pixels of a repeated frame
by less."""

CHROMA = 60
"""Levels between a pixel's strongest and weakest colour from which on it may be colour flow. Sepia and blue maps of a
grey image, which reach as far where they are bright, have a weakest colour above the difference; flow has not."""

WINDOW = (0.05, 0.90, 0.10, 0.90)
"""Top, bottom, left and right of the part of the image in which colour counts, as shares of height and width: colour
bars stand at the sides, the ECG at the bottom."""

EDGE = 0.04
"""How near to the sector's edge a point of the contour lies on it, as a share of the square root of the cavity's area:
some 6 pixels of an image of 600. The network's contour runs along the edge by about that much to either side."""

SPECK = 0.05
"""Lit pieces smaller than this share of the largest do not belong to the sector. A dark chamber may part the sector
into halves."""

OFTEN, MEMORY, LEAST_COMPARISONS = 0.2, 16, 8
"""Share of the comparisons in which a pixel that moves has changed; how many count; and the fewest that tell."""

RENEWED = 4
"""Comparisons after which it is found anew where the feed moves."""

LEAST_SECTOR = 0.03
"""Share of the picture that a sector covers at least: a clock and a cursor move too."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image on the coarse grid.

    Attributes:
        level: (h, w) uint8: of each coarse pixel its strongest colour.
        lit: (h, w) uint8: 1 where it is brighter than `DARK`.
        step: (x, y) image pixels to one coarse pixel.
        colour_share: pixels of saturated colour over lit pixels, both in the `WINDOW`; thin lines and letters do not
            count.
    """

    level: Image
    lit: Image
    step: tuple[float, float]
    colour_share: float

    @classmethod
    def of(cls, image: Image) -> Picture:
        """Of an image (H, W) grey or (H, W, 3) BGR, uint8."""
        height, width = image.shape[:2]
        coarsening = max(1.0, max(height, width) / COARSE_PX)
        rows, columns = max(1, round(height / coarsening)), max(1, round(width / coarsening))
        top, bottom, left, right = WINDOW
        window = int(top * rows), ceil(bottom * rows), int(left * columns), ceil(right * columns)
        level, lit, colour_share = native.coarse(image, (rows, columns), DARK, CHROMA, window)
        return cls(level, lit, (width / columns, height / rows), colour_share)

    def changed(self, before: Picture | None) -> Image | None:
        """(h, w) 1 where it differs from the picture `before`, else 0; None where there is nothing to compare."""
        if before is None or before.level.shape != self.level.shape:
            return None
        return _above(cv2.absdiff(self.level, before.level), CHANGE)

    def changed_share(self, before: Picture | None, where: Image | None = None) -> float:
        """Pixels that differ from those of the picture `before` over lit pixels; 1 where there is nothing to compare.

        Args:
            before: another picture of the feed.
            where: (h, w) 1 where the feed moves; the rest is left out where more is lit there. See `Movement`.
        """
        changed, lit = self.changed(before), self.lit
        if changed is None or not cv2.countNonZero(lit):
            return 1.0
        if where is not None and where.shape == lit.shape:
            inside = lit & where
            if 0 < 2 * cv2.countNonZero(inside) < cv2.countNonZero(lit):
                changed, lit = changed & where, inside
        return min(1.0, cv2.countNonZero(changed) / cv2.countNonZero(lit))

    @cached_property
    def sector(self) -> Array | None:
        """The corners (N, 2) x, y in image pixels, in order, of the part of the image that shows ultrasound; None in a
        black image.

        It is the convex hull of what is lit: a sector is convex, also where a shadow or a weak wall leaves its side
        black. Letters and lines are too thin to count. Whatever else is lit makes it larger, never smaller.
        """
        corners = native.sector(self.lit, SPECK)
        return None if corners is None else corners * self.step

    def edge_share(self, contour: Array) -> float:
        """Share of an endocardial contour's points (N, 2), in image pixels, that lie on the sector's edge or outside.

        Where the middle of the mitral plane, between the contour's ends, lies there, the share is 1.

        Of 599 training and validation pictures of CAMUS that is so in one, under none of the 20 shifts in any of 200.
        """
        sector = self.sector
        if sector is None:
            return 0.0
        reach = EDGE * cv2.contourArea(contour.astype(np.float32)) ** 0.5
        if native.depth(sector, contour[[0, -1]].mean(axis=0, keepdims=True))[0] < reach:
            return 1.0
        return float((native.depth(sector, contour) < reach).mean())


class Movement:
    """Where the pictures of a feed change from one to the next, and where they only stand around that.

    A lit desktop around a small moving sector must not make it frozen: once it is known where the feed moves, only what
    is lit there counts. Where no more is lit beside it than in it, as in a picture of ultrasound alone, all counts.

    Attributes:
        where: (h, w) 1 where the pictures move, as long as that is known.
    """

    def __init__(self) -> None:
        self._often: Field | None = None  # (h, w) of the last comparisons, the share in which a pixel changed
        self._count = 0
        self.where: Image | None = None

    def update(self, picture: Picture, before: Picture | None, frozen: bool) -> None:
        """Take a picture after it was judged. One that is frozen counts as long as nothing is known: the desktop around
        may be why it is."""
        changed = picture.changed(before)
        if changed is None or (frozen and self.where is not None):
            return
        if self._often is None or self._often.shape != changed.shape:
            self._often, self._count, self.where = np.zeros(changed.shape, np.float32), 0, None
        self._count += 1
        # The plain mean at first, then one that forgets.
        self._often += (changed - self._often) / min(self._count, MEMORY)
        if self._count >= LEAST_COMPARISONS and self._count % RENEWED == 0:
            self.where = _hull((self._often > OFTEN).astype(np.uint8))


def _hull(often: Image) -> Image | None:
    """The convex hull of what changes often, where that is large enough for a sector."""
    corners = native.sector(often, SPECK)
    if corners is None or cv2.contourArea(corners.astype(np.float32)) < LEAST_SECTOR * often.size:
        return None
    where = np.zeros_like(often)
    cv2.fillConvexPoly(where, corners.astype(np.int32), 1)
    return where


def _above(levels: Any, threshold: int) -> Image:
    return np.asarray(cv2.threshold(levels, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
