"""Gives the frames of a screen their scale, and notices when the ruler changes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.frame import Frame
from echo_rt.provenance import RulerScale
from echo_rt.sources.screen.marks import LEAST
from echo_rt.sources.screen.ruler import Found, RulerReader

if TYPE_CHECKING:
    from echo_rt.sources.screen.roi import Cut

SEEN = 0.6
"""Of the marks that are usually seen in a frame, the share from which on the ruler is still the same."""

GONE = 2
"""Frames in a row without the ruler after which the scale is unknown: a cursor may pass over it in one."""

USUAL = 0.7
"""Share of the marks that a single frame must show at first: tissue may hide more, and then nothing is noticed."""

AGAIN_S = (1.0, 30.0)
"""The wait after a reading that gave none: the first, doubled each time up to the last."""


class RulerWatch:
    """Looks in each frame whether the marks of a ruler are where they were read.

    Args:
        found: the ruler.
        shape: of the screen.
    """

    def __init__(self, found: Found, shape: tuple[int, ...]) -> None:
        ticks = found.ticks
        along, across = ticks.lattice.axes()
        points = across * ticks.lattice.across + along * ticks.places[:, None]
        marks = points[ticks.there]
        gaps = marks + along * ticks.lattice.step / 2
        self._marks, self._gaps = _around(marks, shape), _around(gaps, shape)
        self._least = np.maximum(0.3 * ticks.brightness[ticks.there], LEAST / 2)
        self._usual: float | None = None

    def sees(self, image: Image) -> bool:
        """Whether the ruler is there, in an image (H, W) or (H, W, 3) of that shape."""
        share = float((_level(image, self._marks) - _level(image, self._gaps) > self._least).mean())
        if self._usual is None:
            self._usual = share
        return self._usual < USUAL or share >= SEEN * self._usual


Pixels = tuple["np.ndarray[tuple[int, int], np.dtype[np.int64]]", "np.ndarray[tuple[int, int], np.dtype[np.int64]]"]


def _around(points: Array, shape: tuple[int, ...]) -> Pixels:
    """Rows and columns (N, 9) of the pixels at and around points (N, 2) x, y."""
    near = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    pixels = np.round(points).astype(np.int64)[:, None, :] + near
    return np.clip(pixels[..., 1], 0, shape[0] - 1), np.clip(pixels[..., 0], 0, shape[1] - 1)


def _level(image: Image, pixels: Pixels) -> Array:
    """(N,) the brightest channel of the brightest of the pixels around each point."""
    level = image[pixels]
    return np.asarray(level.reshape(len(level), -1).max(axis=1), np.float64)


class Scaled:
    """A step on the way of a screen's frames: sets the spacing of those that have none, from the ruler.

    Where the ruler changes, the spacing is unknown until the new one was read.

    Args:
        found: the ruler, where it was read before the first frame.
        background: read in a thread, so that no frame waits: which frame is the first with a scale is then chance.

    Attributes:
        scale: of the last frame, None where it is not known.
        changes: times in seconds at which the ruler changed.
    """

    def __init__(self, found: Found | None = None, background: bool = False) -> None:
        self.scale: RulerScale | None = None
        self.changes: list[float] = []
        self._given = found
        self._watch: RulerWatch | None = None
        self._missed = 0
        self._reader: RulerReader | None = None
        self._again_s, self._wait_s = -np.inf, AGAIN_S[0]
        self._shape: tuple[int, ...] | None = None
        self._readings = Readings(background)

    def __call__(self, frame: Frame) -> Frame:
        """The frame with its scale."""
        if frame.spacing_mm is not None:
            return frame
        shape = frame.image.shape[:2]
        if self._shape not in (None, shape):
            self._forget(frame.t_s)
        self._shape = shape
        if self._given is not None:
            self._take(self._given)
            self._given = None
        if self._watch is not None:
            self._missed = 0 if self._watch.sees(frame.image) else self._missed + 1
            if self._missed >= GONE:
                self.changes.append(frame.t_s)
                self._forget(frame.t_s)
        if self._watch is None:
            self._look(frame)
        if self.scale is None:
            return frame
        return replace(frame, spacing_mm=(self.scale.mm_per_px, self.scale.mm_per_px))

    def _look(self, frame: Frame) -> None:
        """Read the ruler when it is time."""
        if self._readings.running:
            done, found = self._readings.result()
            if done:
                self._done(found, frame.t_s)
            return
        if frame.t_s < self._again_s:
            return
        if self._reader is None:
            self._reader = RulerReader()
        if self._reader.update(frame.image, frame.t_s):
            reader, self._reader = self._reader, None
            self._readings.start(reader)
            done, found = self._readings.result()
            if done:
                self._done(found, frame.t_s)

    def _done(self, found: Found | None, t_s: float) -> None:
        if found is not None:
            self._take(found)
            return
        self._again_s = t_s + self._wait_s
        self._wait_s = min(2 * self._wait_s, AGAIN_S[1])

    def _take(self, found: Found) -> None:
        assert self._shape is not None
        self._watch, self.scale, self._missed = RulerWatch(found, self._shape), found.scale, 0
        self._wait_s = AGAIN_S[0]

    def _forget(self, t_s: float) -> None:
        self._watch, self.scale, self._reader, self._missed = None, None, None, 0
        self._again_s, self._wait_s = t_s, AGAIN_S[0]
        self._readings.drop()


class ScaledCut:
    """Scales a feed's frames, and cuts them then.

    Args:
        cut: makes the frame that goes on; None for all of it.
    """

    def __init__(self, cut: Cut | None) -> None:
        self._scaled, self._cut = Scaled(background=True), cut

    def __call__(self, frame: Frame) -> Frame | None:
        """See `Cut`."""
        scaled = self._scaled(frame)
        return scaled if self._cut is None else self._cut(scaled)


class Readings:
    """Readings of a ruler one after another, each at once or in a thread.

    Attributes:
        running: whether a reading was started whose result was not taken.
    """

    def __init__(self, background: bool) -> None:
        self.running = False
        self._pool = ThreadPoolExecutor(1, "echo-rt ruler") if background else None
        self._future: Future[Found | None] = Future()

    def start(self, reader: RulerReader) -> None:
        """Begin one."""
        self.running = True
        if self._pool is not None:
            self._future = self._pool.submit(reader.read)
            return
        self._future = Future()
        self._future.set_result(reader.read())

    def result(self) -> tuple[bool, Found | None]:
        """Whether it is done, and what was found."""
        if not self._future.done():
            return False, None
        self.running = False
        return True, self._future.result()

    def drop(self) -> None:
        """Ignore the one that runs."""
        self.running = False
        self._future = Future()
