"""A part of a picture, and what is kept of the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Image
from echo_rt.errors import FrameError
from echo_rt.frame import Frame, Kept

Points = NDArray[np.int32]
Box = tuple[int, int, int, int]
"""x, y, width and height in pixels."""


class Keep(Enum):
    """What of a screen outputs keep."""

    ULTRASOUND = "the ultrasound, with its ruler"
    SCREEN = "all of the screen"


@dataclass(frozen=True, eq=False)
class Region:
    """A rectangle of a picture, or what lies in a convex polygon and some strips of it.

    Attributes:
        box: the rectangle, in pixels of the picture.
        outline: (N, 2) x, y in pixels of the picture, at least three corners in order; None for all of the rectangle.
        strips: rectangles beside the polygon that belong to it, such as the ruler's.
    """

    box: Box
    outline: Points | None = None
    strips: tuple[Box, ...] = ()

    def with_strips(self, strips: tuple[Box, ...]) -> Region:
        """It and these strips, in the smallest rectangle around both."""
        boxes = (self.box, *strips)
        left, top = min(x for x, *_ in boxes), min(y for _, y, *_ in boxes)
        right, bottom = max(x + width for x, _, width, _ in boxes), max(y + height for _, y, _, height in boxes)
        return Region((left, top, right - left, bottom - top), self.outline, strips)

    @cached_property
    def _mask(self) -> Image | None:
        if self.outline is None:
            return None
        x, y, width, height = self.box
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, self.outline - (x, y), 255)
        for left, top, wide, tall in self.strips:
            mask[max(0, top - y) : top - y + tall, max(0, left - x) : left - x + wide] = 255
        return mask

    def cut(self, image: Image) -> Image:
        """The rectangle, black outside polygon and strips: a new array, so that nothing else is kept behind a view.

        Raises:
            FrameError: the rectangle does not lie within the image (H, W) or (H, W, 3).
        """
        x, y, width, height = self.box
        rows, columns = image.shape[:2]
        if x + width > columns or y + height > rows:
            raise FrameError(
                f"--roi {x},{y},{width},{height}: expected a rectangle within the image of {columns}x{rows}; change it"
            )
        inside = image[y : y + height, x : x + width]
        if self._mask is None:
            return inside.copy()
        return np.asarray(cv2.bitwise_and(inside, inside, mask=self._mask), np.uint8)


@dataclass(frozen=True, eq=False)
class Crop:
    """Makes the frame that goes on out of the one that came.

    Attributes:
        seen: what the network sees of a picture; None for all of it.
        kept: what outputs keep where that is something else; None for all of the picture.
        keep: whether they keep it.
    """

    seen: Region | None
    kept: Region | None = None
    keep: bool = False

    def __call__(self, frame: Frame) -> Frame:
        """The frame; its `kept` holds the rest.

        Raises:
            FrameError: the region does not lie within its image.
        """
        image = frame.image if self.seen is None else self.seen.cut(frame.image)
        if not self.keep:
            return replace(frame, image=image)
        x, y = (0, 0) if self.seen is None else self.seen.box[:2]
        outline = None if self.seen is None else self.seen.outline
        if self.kept is None:
            return replace(frame, image=image, kept=Kept(frame.image, x, y, outline))
        left, top = self.kept.box[:2]
        moved = None if outline is None else outline - np.array([left, top], np.int32)
        return replace(frame, image=image, kept=Kept(self.kept.cut(frame.image), x - left, y - top, moved))
