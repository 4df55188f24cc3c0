"""The ECG on a screen: its R peaks and the heart rate, read from the trace that is written below the picture.

A trace is written in one of two manners. In a sweep the pen goes from left to right, and a bar before it wipes out what
stood there. In a scroll all moves to the left, and the newest stands at the right end. Either way the speed turns
columns into seconds, so that a peak is known more exactly than from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.frame import Frame
from echo_rt.sources.screen.peaks import PeakFinder
from echo_rt.sources.screen.pens import Pen, learn_pen
from echo_rt.sources.screen.strip import Profile, Strip

LEARN_S = 3.0
"""Seconds of a trace from which its manner and its speed are learned."""

FAR_S = 0.08
"""An end-diastole farther from every R peak disagrees with the ECG."""

MISSED, MISSED_SHARE = 1.75, 0.25
"""Of the usual distance of two R peaks: one that is longer may hide a peak that the picture covers. Of more than that
share of the distances, the median says nothing."""


@dataclass(frozen=True, slots=True)
class Ecg:
    """What an ECG says.

    Attributes:
        r_times_s: of the R peaks, on the clock of the frames.
    """

    r_times_s: tuple[float, ...]

    @property
    def heart_rate_bpm(self) -> float | None:
        """By the median distance of two peaks; None for fewer than three, or where many may have been missed."""
        steps = np.diff(self.r_times_s)
        if len(steps) < 2 or self._gaps.mean() > MISSED_SHARE:
            return None
        return 60.0 / float(median(steps.tolist()))

    @property
    def _gaps(self) -> NDArray[np.bool_]:
        """(N - 1,) after which of the peaks one may have been missed."""
        steps = np.diff(self.r_times_s)
        # Where one in two is missed, the lower quartile is still the distance of a beat.
        return np.asarray(steps > MISSED * np.sort(steps)[len(steps) // 4])

    def disagreement(self, ed_times_s: Sequence[float]) -> str | None:
        """A note on the end-diastoles that are no R peaks; None where all agree.

        Before the first peak, after the last and where one may have been missed the ECG says nothing.
        """
        peaks = np.array(self.r_times_s)
        far = [float(np.abs(peaks - t_s).min()) > FAR_S for t_s in ed_times_s if self._speaks(peaks, t_s)]
        if not any(far):
            return None
        return f"{sum(far)} of {len(far)} beats begin more than 80 ms from an R peak of the ECG on the screen"

    def _speaks(self, peaks: Array, t_s: float) -> bool:
        if not peaks[0] - FAR_S <= t_s <= peaks[-1] + FAR_S:
            return False
        step = min(max(int(np.searchsorted(peaks, t_s)) - 1, 0), len(peaks) - 2)
        return not self._gaps[step]


class EcgReader:
    """Reads an ECG frame by frame, in a memory that does not grow but for the peaks.

    Args:
        strip: where the trace is, see `find_strip`.
    """

    def __init__(self, strip: Strip) -> None:
        self._strip = strip
        self._learning: list[tuple[float, Profile]] = []
        self._pen: Pen | None = None
        self._lost = False
        self._peaks = PeakFinder()

    def update(self, frame: Frame) -> None:
        """Take the next frame: the whole screen."""
        if self._lost:
            return
        seen = frame.t_s, self._strip.profile(frame.image)
        if self._pen is not None:
            self._peaks.add(self._pen.read(*seen))
            return
        self._learning.append(seen)
        if frame.t_s - self._learning[0][0] >= LEARN_S:
            self._learn()

    def result(self) -> Ecg | None:
        """What the frames so far say; None where they show no ECG."""
        if self._pen is None and not self._lost:
            self._learn()
        if self._pen is None:
            return None
        self._peaks.add(self._pen.rest())
        found = self._peaks.result()
        return Ecg(found) if len(found) > 1 else None

    def _learn(self) -> None:
        learned, self._learning = self._learning, []
        self._pen = learn_pen(learned, self._strip.moved)
        self._lost = self._pen is None
        if self._pen is not None:
            for t_s, profile in learned:
                self._peaks.add(self._pen.read(t_s, profile))
