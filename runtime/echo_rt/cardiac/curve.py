"""The volume curve: its samples, and the smooth curve through them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from echo_rt.chambers import Disks
from echo_rt.frame import CLOCK_S

SMOOTHING_HALF_WINDOW_S = 0.08
"""Half of the smoothing window, which is also the lag of the smooth curve: 9 frames at 50 fps, at low rates one frame
to each side. With 0.06 the noise of a contour splits a beat where the heart is slow and its stroke small. A shorter
window is not needed: ED and ES are taken from this curve only where samples are few."""

SAMPLES_KEPT_S = 3.0
"""How far back samples are kept: the slowest beat, and the next contraction, which makes that beat certain."""

MIN_AMPLITUDE = 0.06
"""Share of the largest volume below which the curve is noise: an EF of 6 % is not compatible with life."""


NOT_SEEN = (math.nan, math.nan)
"""The volumes of an atrium that is cut off or not seen."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one frame measures: time, volume by the chosen method, area, and the disks that a biplane volume needs.

    The long axis and the atrium's size, in any units, help to find ED and ES; nan where they are not known. So is the
    Dice that the model expects of itself, where it says nothing.

    The shape is the length of the endocardium and x, y of both hinges and the apex, in the unit of length; the atrium's
    volumes are those by disks and by area and length. The further measures are made of them.
    """

    t_s: float
    volume: float
    area: float
    disks: Disks | None = None
    length: float = math.nan
    atrium: float = math.nan
    expected_dice: float = math.nan
    shape: tuple[float, ...] = (math.nan,) * 7
    atrium_volumes: tuple[float, float] = NOT_SEEN


class Curve:
    """The samples of the last `SAMPLES_KEPT_S`, and the smooth curve as far as they determine it."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque()
        self._pending = 0

    def clear(self) -> None:
        """Forget everything."""
        self.samples.clear()
        self._pending = 0

    def add(self, sample: Sample) -> Iterator[Sample]:
        """Take the next sample; gives the points of the smooth curve that it completes, one at a steady rate."""
        samples = self.samples
        samples.append(sample)
        self._pending += 1
        while samples[0].t_s < sample.t_s - SAMPLES_KEPT_S:
            samples.popleft()
        while self._pending > 1:
            place = len(samples) - self._pending
            before_s, t_s, after_s = (samples[n].t_s for n in (max(place - 1, 0), place, place + 1))
            # The neighbours on both sides take part, however far apart frames are.
            half_s = max(SMOOTHING_HALF_WINDOW_S, after_s - t_s, t_s - before_s) + CLOCK_S
            if sample.t_s - t_s < half_s - 2 * CLOCK_S:
                return
            yield quadratic_fit(self._near(t_s, half_s), t_s)
            self._pending -= 1

    def _near(self, t_s: float, half_s: float) -> list[Sample]:
        near = []
        for sample in reversed(self.samples):
            if sample.t_s < t_s - half_s:
                break
            if sample.t_s <= t_s + half_s:
                near.append(sample)
        return near


def quadratic_fit(samples: Sequence[Sample], t_s: float) -> Sample:
    """The value at `t_s` of the least-squares parabola through the samples; the mean of fewer than three.

    The filter of Savitzky and Golay (Anal Chem 36:1627, 1964) for uneven times. At a steady rate it keeps the height of
    a peak that is wider than the window.
    """
    if len(samples) < 3:
        return Sample(t_s, sum(s.volume for s in samples) / len(samples), sum(s.area for s in samples) / len(samples))
    s0 = s1 = s2 = s3 = s4 = 0.0
    v0 = v1 = v2 = a0 = a1 = a2 = 0.0
    for s in samples:
        u = (s.t_s - t_s) / SMOOTHING_HALF_WINDOW_S
        uu = u * u
        s0, s1, s2, s3, s4 = s0 + 1, s1 + u, s2 + uu, s3 + uu * u, s4 + uu * uu
        v0, v1, v2 = v0 + s.volume, v1 + u * s.volume, v2 + uu * s.volume
        a0, a1, a2 = a0 + s.area, a1 + u * s.area, a2 + uu * s.area
    # Cramer's rule for the constant term of the 3x3 normal equations.
    c0, c1, c2 = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    det = s0 * c0 + s1 * c1 + s2 * c2
    if abs(det) < 1e-12:
        return Sample(t_s, v0 / s0, a0 / s0)
    return Sample(t_s, (v0 * c0 + v1 * c1 + v2 * c2) / det, (a0 * c0 + a1 * c1 + a2 * c2) / det)
