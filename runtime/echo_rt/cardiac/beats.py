"""Beats from the volume curve, causally, on the source's own clock, without an ECG.

A beat runs from ED to ED and is known when the second one is certain. `curve` smooths, `turning_points` finds the
extremes, `beat_assembly` the moments of ED and ES, `acceptance` says whether the beat counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from echo_rt.cardiac.acceptance import OUT_OF_LINE, rejection
from echo_rt.cardiac.beat_assembly import beat_between, expected_dice, moments
from echo_rt.cardiac.curve import Curve, Sample
from echo_rt.cardiac.systole import Systole
from echo_rt.cardiac.turning_points import Cycle, TurningPoints
from echo_rt.cardiac.verdict import MAX_GAP_S
from echo_rt.reading import Beat

COMPARED = 5
"""Beats that the next one is compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a beat was found on: the samples of its frames and of some around it, and the fitted systole.

    The weights of the systole are of these samples. It is None where none was fitted.
    """

    samples: Sequence[Sample]
    systole: Systole | None


class BeatFinder:
    """Feed it every frame's sample; it gives each beat when it is certain. Its memory is bounded.

    Attributes:
        found: what the last beat was found on.
    """

    def __init__(self) -> None:
        self._curve = Curve()
        self._turning_points = TurningPoints()
        self._falls: deque[float] = deque(maxlen=COMPARED)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._frames = self._good_frames = 0
        self.found: Found | None = None
        self._falls.clear()
        self._begin()

    def _begin(self) -> None:
        """Start on a new stretch of curve; the counts of frames go on."""
        self._curve.clear()
        self._turning_points.reset()

    def update(self, t_s: float, sample: Sample | None) -> Beat | None:
        """Take the next frame.

        Args:
            t_s: its time.
            sample: its point of the curve; None where the frame cannot be used.

        Returns:
            The beat that became certain with this frame, accepted or rejected, or None.
        """
        self._frames += 1
        if self._curve.samples and t_s - self._curve.samples[-1].t_s > MAX_GAP_S:
            self._begin()
        if sample is None:
            return None
        self._good_frames += 1
        beat = None
        for point in self._curve.add(sample):
            cycle = self._turning_points.follow(point, self._frames, self._good_frames, sample.t_s)
            beat = (self._beat(cycle) if cycle is not None else None) or beat
        return beat

    def _beat(self, cycle: Cycle) -> Beat | None:
        samples = list(self._curve.samples)
        ed, es, next_ed_s, systole = moments(cycle, samples)
        fit = None if systole is None else systole.fit
        reason = rejection(cycle, next_ed_s - ed.t_s, fit, (s.t_s for s in samples), self._falls)
        if reason == OUT_OF_LINE and not self._falls:
            # Where the curve begins its amplitude is not known yet, and a ripple passes for a beat: there was none.
            return None
        if reason in (None, OUT_OF_LINE):
            # Rejected ones too: where the heart or the view has changed, what is usual changes.
            self._falls.append(cycle.fall)
        self.found = Found(samples, systole)
        return beat_between(ed, es, next_ed_s, reason, expected_dice(samples, ed.t_s, next_ed_s))
