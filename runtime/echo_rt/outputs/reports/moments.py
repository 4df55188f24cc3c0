"""The pictures of end-diastole and end-systole, kept while a recording passes by.

A beat is known some tenths of a second after its end, and which beat is shown at the recording's end alone.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.chambers import LeftVentricle
from echo_rt.frame import Frame
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

WAITING, APART_S, SIDE = 200, 0.018, 384
"""How many pictures wait for their beat, how far they are apart at least, and pixels of their longer side at most.

At 55 a second that is 3.6 s: the slowest beat lasts 2 s. In grey it is at most 30 MB, of a 4:3 picture 22 MB."""

BEATS = 8
"""Last accepted beats of which the pictures are kept: EF stands on five."""

NEAR_S = 0.06
"""A picture farther from ED or ES is not shown as one of it. Two frames at 30 a second are nearer."""


class Picture(NamedTuple):
    """One frame, small.

    Attributes:
        t_s: when it was.
        image: (H, W) grey, uint8.
        contour: (N, 2) x, y in its pixels, the endocardium; None where none was found.
        apex: (2,) x, y; None without a contour.
    """

    t_s: float
    image: Image
    contour: Array | None
    apex: Array | None


class Pair(NamedTuple):
    """End-diastole and end-systole of one beat, or of a clip."""

    ed: Picture
    es: Picture


class Moments:
    """Keeps the pictures of the last frames, of the last accepted beats, and of the largest and the smallest area."""

    def __init__(self) -> None:
        self._waiting: deque[Picture] = deque(maxlen=WAITING)
        self._beats: deque[tuple[float, Pair]] = deque(maxlen=BEATS)
        self._largest: tuple[float, Picture] | None = None
        self._smallest: tuple[float, Picture] | None = None
        self._seen: Picture | None = None

    def take(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame; a picture of it is kept, never the frame."""
        if not self._waiting or reading.t_s - self._waiting[-1].t_s >= APART_S:
            self._waiting.append(_picture(frame.image, reading))
        if reading.quality.ok and reading.ventricle is not None:
            self._seen, area = self._waiting[-1], reading.ventricle.area
            if self._largest is None or area > self._largest[0]:
                self._largest = area, _picture(frame.image, reading)
            if self._smallest is None or area < self._smallest[0]:
                self._smallest = area, _picture(frame.image, reading)
        beat = reading.beat
        if beat is not None and beat.accepted and (pair := self._at(beat.t_ed_s, beat.t_es_s)) is not None:
            self._beats.append((beat.t_ed_s, pair))

    def pair(self, result: RecordingResult) -> Pair | None:
        """The beat nearest to the EF, of those that it stands on; or the clip's extremes. None without an EF, or where
        the pictures were not kept."""
        if result.ef.percent is None:
            return None
        if result.extremes is not None:
            return self._at(result.extremes.t_ed_s, result.extremes.t_es_s)
        if result.two_views is not None:
            told = [(pair.a4c.t_ed_s, pair.ef_percent) for pair in result.two_views.biplane.beats]
        else:
            accepted = [beat for beat in result.beats if beat.accepted]
            told = [(beat.t_ed_s, beat.ef_percent) for beat in accepted[-result.ef.beats :]]
        away = {t_ed_s: abs(percent - result.ef.percent) for t_ed_s, percent in told}
        known = [(away[t_ed_s], -t_ed_s, pair) for t_ed_s, pair in self._beats if t_ed_s in away]
        return min(known, key=lambda one: one[:2])[2] if known else None

    @property
    def any(self) -> Picture | None:
        """The last frame in which a ventricle could be used, else the last of all; None without frames."""
        return self._seen or (self._waiting[-1] if self._waiting else None)

    def _at(self, t_ed_s: float, t_es_s: float) -> Pair | None:
        ends = [end[1] for end in (self._largest, self._smallest) if end is not None]
        kept = [*self._waiting, *ends]
        found = [min(kept, key=lambda picture: abs(picture.t_s - t_s), default=None) for t_s in (t_ed_s, t_es_s)]
        near = [
            picture
            for picture, t_s in zip(found, (t_ed_s, t_es_s), strict=True)
            if picture is not None and abs(picture.t_s - t_s) <= NEAR_S
        ]
        return Pair(*near) if len(near) == 2 else None


def _picture(image: Image, reading: Reading) -> Picture:
    """A copy in grey, no larger than `SIDE`."""
    height, width = image.shape[:2]
    factor = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    found: LeftVentricle | None = reading.ventricle
    if found is None:
        return Picture(reading.t_s, np.asarray(grey, np.uint8), None, None)
    contour, apex = ((points + 0.5) * factor - 0.5 for points in (found.contour, found.apex))
    return Picture(reading.t_s, np.asarray(grey, np.uint8), contour, apex)
