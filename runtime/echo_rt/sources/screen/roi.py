"""The picture in the picture: the ultrasound cut out of a scanner's whole screen, and the patient's name left
outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import ParameterError
from echo_rt.frame import Frame
from echo_rt.sources.screen.region import Box, Crop, Keep, Points, Region
from echo_rt.sources.screen.sectors import Sector, coarse, find_sectors, overlap

SAMPLE_S = 0.08
"""Between two frames that are compared; tissue that moves slowly has moved by then."""

JITTER_S = 1e-3
"""A frame may come that much earlier: times are sums, and at 25 frames a second every second frame is compared."""

WINDOW = 16
"""Comparisons to one verdict: 1.3 s, one heart beat."""

SAME, AGAIN = 0.75, 2
"""Of the area of what moves, the share that lies within the sector as long as the layout is the same. What moves is
elsewhere, or much smaller, in that many verdicts one after the other before the sector is looked for anew."""


class Cut(Protocol):
    """Makes the frame that goes on out of the one that came; None while it does not know where the ultrasound is."""

    def __call__(self, frame: Frame) -> Frame | None: ...


@dataclass(frozen=True, slots=True)
class FixedCut:
    """Always the same rectangle.

    Attributes:
        x, y, width, height: in pixels of the source's image.
        keep: what outputs keep.

    Raises:
        FrameError: when called: the rectangle does not lie within the image.
    """

    x: int
    y: int
    width: int
    height: int
    keep: Keep = Keep.ULTRASOUND

    @property
    def box(self) -> Box:
        """The rectangle."""
        return self.x, self.y, self.width, self.height

    def __call__(self, frame: Frame) -> Frame:
        return Crop(Region(self.box), keep=self.keep is Keep.SCREEN)(frame)


class Watch:
    """Looks at a screen all the time, and says each `WINDOW` comparisons what moved."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Args: shape: rows and columns of the screen."""
        self.shape = shape
        self._seen: list[Image] = []
        self._seen_s = 0.0

    def update(self, frame: Frame) -> list[Sector]:
        """Take the next frame; the sectors that moved, the largest first, where it ends a window in which some did."""
        if self._seen and frame.t_s - self._seen_s < SAMPLE_S - JITTER_S:
            return []
        self._seen.append(coarse(frame.image))
        self._seen_s = frame.t_s
        if len(self._seen) <= WINDOW:
            return []
        found = find_sectors(self._seen, self.shape)
        self._seen = self._seen[-1:]
        return found


class SectorCut:
    """The ultrasound sector of a feed, found by its motion.

    The picture is cut to the smallest rectangle around the sector, unless it fills the picture but for slim margins,
    and made black outside of it. The sector is kept while the motion lies within it, as when the depth changes, and
    while nothing moves, as in a frozen image. It is looked for again when the layout or the size of the screen changes.

    Attributes:
        sector: None before it is found.
    """

    def __init__(self, keep: Keep = Keep.ULTRASOUND) -> None:
        self._keep = keep
        self._reset((0, 0))

    def _reset(self, shape: tuple[int, int]) -> None:
        """Forget the sector; the next frames are `shape` (rows, columns)."""
        self.sector: Sector | None = None
        self._watch = Watch(shape)
        self._elsewhere = 0
        self._crop: Crop | None = None

    @property
    def hull(self) -> Points | None:
        """(N, 2) corners of the sector, x before y, in pixels of the screen; None before it is found."""
        return None if self.sector is None else self.sector.outline

    def __call__(self, frame: Frame) -> Frame | None:
        shape = frame.image.shape[0], frame.image.shape[1]
        if shape != self._watch.shape:
            self._reset(shape)
        if found := self._watch.update(frame):
            self._take(found)
        return None if self._crop is None else self._crop(frame)

    def _take(self, found: list[Sector]) -> None:
        if self.sector is not None and any(_same(self.sector, other) for other in found):
            self._elsewhere = 0
            return
        self._elsewhere += 1
        if self.sector is None or self._elsewhere >= AGAIN:
            self.sector, self._elsewhere = found[0], 0
            self._crop = black_beside(self.sector, self._keep)


class WatchedCut:
    """The sector of a recording, where it was found. While ultrasound moves elsewhere on the screen all is black.

    A recording has frames of one size, and its lengths can be compared: a sector that moved is not followed.

    Attributes:
        left_s: when it was elsewhere for the first time; None as long as it never was.
        left_out: how many frames were made black.
    """

    def __init__(self, sector: Sector, crop: Crop) -> None:
        """Args: the sector, and what cuts it out."""
        self._sector, self._crop = sector, crop
        self._watch = Watch(sector.shape)
        self._elsewhere = 0
        self.left_s: float | None = None
        self.left_out = 0

    def __call__(self, frame: Frame) -> Frame:
        if found := self._watch.update(frame):
            here = any(_same(self._sector, other) for other in found)
            self._elsewhere = 0 if here else self._elsewhere + 1
        seen = self._crop(frame)
        if self._elsewhere < AGAIN:
            return seen
        self.left_s = frame.t_s if self.left_s is None else self.left_s
        self.left_out += 1
        return replace(seen, image=np.zeros_like(seen.image))

    @property
    def note(self) -> str | None:
        """What to say of it."""
        if self.left_s is None:
            return None
        return f"from {self.left_s:.1f} s on the ultrasound is elsewhere on the screen: {self.left_out} frames left out"


def _same(sector: Sector, found: Sector) -> bool:
    return overlap(sector, found) >= SAME * found.area and found.area >= (1 - SAME) * sector.area


def black_beside(sector: Sector, keep: Keep) -> Crop:
    """Shows the sector and makes all else black: what a live feed shows is also what it keeps."""
    rows, columns = sector.shape
    seen = Region((0, 0, columns, rows), sector.outline) if sector.fills else sector.region
    return Crop(seen, keep=keep is Keep.SCREEN)


def parse_roi(text: str, keep: Keep = Keep.ULTRASOUND) -> Callable[[], Cut | None]:
    """What makes the cut for each opening of a feed: of ``auto``, ``none`` (no cut) or ``x,y,w,h``.

    Raises:
        ParameterError: it is none of these.
    """
    if text == "none":
        return lambda: None
    if text == "auto":
        return lambda: SectorCut(keep)
    numbers = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text)
    if numbers is None or min(width := int(numbers[3]), height := int(numbers[4])) < 1:
        raise ParameterError(
            f"--roi: expected auto, none or x,y,width,height in pixels, such as 320,80,640,480, found {text!r}"
        )
    fixed = FixedCut(int(numbers[1]), int(numbers[2]), width, height, keep)
    return lambda: fixed
