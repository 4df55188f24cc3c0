"""The picture in the picture: the ultrasound cut out of a scanner's whole screen, and the patient's name left
outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Field, Image
from echo_rt.errors import FrameError, ParameterError
from echo_rt.frame import Frame

Points = NDArray[np.int32]

GRID_PX = 256
"""Pixels along the longer side of the coarse image in which motion is looked for."""

SAMPLE_S = 0.08
"""Between two frames that are compared; tissue that moves slowly has moved by then."""

WINDOW = 16
"""Comparisons to one verdict: 1.3 s, one heart beat."""

CHANGE = 4.0
"""Mean change in grey levels from which on a pixel moves. Video compression changes still letters by less."""

SPECK = 0.04
"""Moving pieces smaller than that share of the screen are no sector: an ECG trace, a clock, a cursor."""

SAME, AGAIN = 0.75, 2
"""Of the area of what moves, the share that lies within the sector as long as the layout is the same. What moves is
elsewhere, or much smaller, in that many verdicts one after the other before the sector is looked for anew."""

MARGIN = 0.015
"""Widening of what was found, as a share of the longer side: the edge of the sector moves least."""


class Cut(Protocol):
    """Makes the frame that goes on out of the one that came; None while it does not know where the ultrasound is."""

    def __call__(self, frame: Frame) -> Frame | None: ...


@dataclass(frozen=True, slots=True)
class FixedCut:
    """Always the same rectangle.

    Attributes:
        x, y, width, height: in pixels of the source's image.

    Raises:
        FrameError: when called: the rectangle does not lie within the image.
    """

    x: int
    y: int
    width: int
    height: int

    def __call__(self, frame: Frame) -> Frame:
        height, width = frame.image.shape[:2]
        if self.x + self.width > width or self.y + self.height > height:
            raise FrameError(
                f"--roi {self.x},{self.y},{self.width},{self.height}: expected a rectangle within the image of "
                f"{width}x{height}; change it"
            )
        # A copy, so that what lies outside is not kept behind a view.
        return replace(frame, image=frame.image[self.y : self.y + self.height, self.x : self.x + self.width].copy())


class SectorCut:
    """The ultrasound sector, found by its motion: nothing else on a screen moves over so large an area.

    The sector is the convex hull of what moves. The picture is cut to its bounding box, and black outside the hull. The
    hull is kept while the motion lies within it, as when the depth changes, and while nothing moves, as in a frozen
    image. It is looked for again when the layout or the size of the screen changes.

    Attributes:
        hull: (N, 1, 2) in pixels of the screen, x before y; None before it is found.
    """

    def __init__(self) -> None:
        self.reset(())

    def reset(self, shape: tuple[int, ...]) -> None:
        """Forget the sector; the next frames are `shape` (rows, columns)."""
        self.hull: Points | None = None
        self._shape = shape
        self._before: Image | None = None
        self._before_s = 0.0
        self._changes: list[Field] = []
        self._elsewhere = 0
        self._mask: Image | None = None

    def __call__(self, frame: Frame) -> Frame | None:
        if frame.image.shape[:2] != self._shape:
            self.reset(frame.image.shape[:2])
        self._look(frame)
        if self.hull is None:
            return None
        x, y, width, height = cv2.boundingRect(self.hull)
        if self._mask is None:
            self._mask = np.zeros((height, width), np.uint8)
            cv2.fillConvexPoly(self._mask, self.hull - (x, y), 255)
        inside = frame.image[y : y + height, x : x + width]
        return replace(frame, image=np.asarray(cv2.bitwise_and(inside, inside, mask=self._mask), np.uint8))

    def _look(self, frame: Frame) -> None:
        if self._before is not None and frame.t_s - self._before_s < SAMPLE_S:
            return
        coarse = _coarse(frame.image)
        if self._before is not None:
            self._changes.append(np.asarray(cv2.absdiff(coarse, self._before), np.float32))
        self._before, self._before_s = coarse, frame.t_s
        if len(self._changes) < WINDOW:
            return
        # The mean, and not the largest, change: a menu that opens once changes once.
        found = _sector(np.mean(self._changes, axis=0), self._shape)
        self._changes = []
        if found is None:
            return
        if self.hull is not None and self._within(found):
            self._elsewhere = 0
            return
        self._elsewhere += 1
        if self.hull is None or self._elsewhere >= AGAIN:
            self.hull, self._mask, self._elsewhere = found, None, 0

    def _within(self, found: Points) -> bool:
        assert self.hull is not None
        shared, _ = cv2.intersectConvexConvex(self.hull.astype(np.float32), found.astype(np.float32))
        area = cv2.contourArea(found)
        return shared >= SAME * area and area >= (1 - SAME) * cv2.contourArea(self.hull)


def parse_roi(text: str) -> Callable[[], Cut | None]:
    """What makes the cut for each opening of a source: of ``auto``, ``none`` (no cut) or ``x,y,w,h``.

    Raises:
        ParameterError: it is none of these.
    """
    if text == "none":
        return lambda: None
    if text == "auto":
        return SectorCut
    numbers = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text)
    if numbers is None or min(width := int(numbers[3]), height := int(numbers[4])) < 1:
        raise ParameterError(
            f"--roi: expected auto, none or x,y,width,height in pixels, such as 320,80,640,480, found {text!r}"
        )
    fixed = FixedCut(int(numbers[1]), int(numbers[2]), width, height)
    return lambda: fixed


def _coarse(image: Image) -> Image:
    factor = GRID_PX / max(image.shape[:2])
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small
    return np.asarray(grey, np.uint8)


def _sector(change: Field, shape: tuple[int, ...]) -> Points | None:
    """The convex hull (N, 1, 2) of the largest moving piece, in pixels of an image of `shape`."""
    moving = (change > CHANGE).astype(np.uint8)
    # Closing joins the speckle over the dark chambers; opening takes out traces and letters.
    moving = np.asarray(cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    moving = np.asarray(cv2.morphologyEx(moving, cv2.MORPH_CLOSE, _disk(13)), np.uint8)
    moving = np.asarray(cv2.morphologyEx(moving, cv2.MORPH_OPEN, _disk(13)), np.uint8)
    pieces, _ = cv2.findContours(moving, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(pieces, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < SPECK * moving.size:
        return None
    factor = shape[0] / change.shape[0], shape[1] / change.shape[1]
    hull = (np.asarray(cv2.convexHull(largest), np.float64) + 0.5) * (factor[1], factor[0])
    # Widened evenly, and kept within the image.
    grown = _disk(2 * round(MARGIN * max(shape)) + 1)
    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, np.round(hull).astype(np.int32), 1)
    outline, _ = cv2.findContours(np.asarray(cv2.dilate(canvas, grown)), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.convexHull(outline[0]), np.int32)


def _disk(size: int) -> Image:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
