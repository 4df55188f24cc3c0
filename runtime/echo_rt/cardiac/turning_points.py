"""Where the smooth volume curve turns.

A maximum (ED) is certain once the curve has fallen by a share of its running amplitude. A minimum (ES) is certain once
it has risen by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from echo_rt.cardiac.curve import MIN_AMPLITUDE, Sample
from echo_rt.cardiac.running_extremes import RunningExtremes

HYSTERESIS = 0.30
"""How far the curve must turn back, as a share of its running amplitude, before an extremum counts. Diastasis and the
atrial kick move the curve by less, an early or weak beat by more."""

AMPLITUDE_MEMORY_S = 2.2
"""How far back the running amplitude looks: a whole beat at the slowest rate."""

EDGE_S = 0.05
"""An extremum so soon after the curve begins may be the edge of a slope."""


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """An extremum of the smooth curve.

    Attributes:
        sample: its point of the curve.
        whole: the curve was seen on both sides of it, not cut by a gap.
        frames, good_frames: how many the feed had until then.
        turned: of an ED, the newest point of the smooth curve when it became certain.
        certain_s: of an ED, the time of the newest sample then.
    """

    sample: Sample
    whole: bool
    frames: int
    good_frames: int
    turned: Sample | None = None
    certain_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cycle:
    """The turning points of one beat, and the running amplitude of the curve when the last became certain."""

    ed: TurningPoint
    es: TurningPoint
    next_ed: TurningPoint
    amplitude: float

    @property
    def fall(self) -> float:
        """By how much the volume fell."""
        return self.ed.sample.volume - self.es.sample.volume


class TurningPoints:
    """Feed it every point of the smooth curve; it gives each beat's turning points when the second ED is certain."""

    def __init__(self) -> None:
        self._recent = RunningExtremes(AMPLITUDE_MEMORY_S)
        self.reset()

    def reset(self) -> None:
        """Start on a new stretch of curve."""
        self._recent.clear()
        self._began_s: float | None = None
        self._rising: bool | None = None
        # The extremes since the curve last turned, and the certain ones of the beat under way.
        self._high: TurningPoint | None = None
        self._low: TurningPoint | None = None
        self._ed: TurningPoint | None = None
        self._es: TurningPoint | None = None

    def follow(self, point: Sample, frames: int, good_frames: int, newest_s: float) -> Cycle | None:
        """Take one step along the curve.

        Args:
            point: the next one of the smooth curve.
            frames, good_frames: how many the feed has had.
            newest_s: time of the newest sample.
        """
        self._recent.push(point.t_s, point.volume)
        amplitude = self._recent.highest - self._recent.lowest
        if self._began_s is None:
            self._began_s = point.t_s
        here = TurningPoint(point, point.t_s - self._began_s > EDGE_S, frames, good_frames)
        if self._high is None or point.volume > self._high.sample.volume:
            self._high = here
        if self._low is None or point.volume < self._low.sample.volume:
            self._low = here
        if amplitude <= MIN_AMPLITUDE * self._recent.highest:
            return None
        turn = HYSTERESIS * amplitude
        # At the beginning it is not known which way the curve goes: either turn is looked for.
        if self._rising is not True and point.volume - self._low.sample.volume > turn:
            self._es = self._low if self._rising is False else None
            self._rising, self._high = True, here
        elif self._rising is not False and self._high.sample.volume - point.volume > turn:
            high = self._high
            next_ed = replace(high, turned=point, certain_s=newest_s) if high.whole else None
            cycle = Cycle(self._ed, self._es, next_ed, amplitude) if self._ed and self._es and next_ed else None
            self._ed, self._es = next_ed, None
            self._rising, self._low = False, here
            return cycle
        return None
