"""The rolling ejection fraction, and the one of a recording without a whole beat."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from statistics import median, stdev

from echo_rt.cardiac.beats import MIN_AMPLITUDE, Sample
from echo_rt.reading import Beat, ClipExtremes, EjectionFraction

BEATS = 5
"""Accepted beats in the rolling figure, as the guidelines ask for in an irregular rhythm."""

# 97.5 % points of Student's t with 2, 3, ... degrees of freedom; the interval needs three beats.
_T = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}

MEDIAN_EFFICIENCY = 1.2533
"""Standard error of a median over that of a mean, for normal values."""

STALE_S, STALE_PERIODS = 5.0, 3
"""The figure is stale where the last accepted beat ended longer ago than that, or than so many median beats, whichever is longer: three
missed beats in a row are more than an ectopic beat explains."""

WITHDRAWN_S = 30.0
"""After so long the figure is withdrawn and its beats are forgotten: another view, or another patient, may be in the picture."""

WAITING, NONE_ACCEPTED = "waiting for the first whole beat", "no beat could be accepted"


def calibrated(percent: float, calibration: tuple[float, float] | None) -> float:
    """A model's (slope, offset) applied to an EF in percent."""
    return percent if calibration is None else calibration[0] * percent + calibration[1]


class RollingEjectionFraction:
    """Median over the last accepted beats.

    Attributes:
        method: what it is made of.
        seen: whether there was a whole beat, accepted or not.
    """

    def __init__(self, method: str, beats: int = BEATS) -> None:
        self.method = method
        self._beats: deque[Beat] = deque(maxlen=beats)
        self.reset()

    def reset(self) -> None:
        """Forget all beats."""
        self._beats.clear()
        self.seen = False
        self._last_good_s: float | None = None
        self._current = self._figure()

    def update(self, beat: Beat) -> None:
        """Take the next beat, accepted or not."""
        self.seen = True
        if beat.accepted:
            self._beats.append(beat)
            self._last_good_s = beat.t_next_ed_s
        if beat.accepted or self._last_good_s is None:
            self._current = self._figure()

    @property
    def current(self) -> EjectionFraction:
        """The figure of the beats so far, however long ago they were."""
        return self._current

    def at(self, t_s: float) -> EjectionFraction:
        """The figure as it stands at a time: fresh, stale, or withdrawn, and with it the beats that it stood on."""
        if self._last_good_s is None:
            return self._current
        age_s = t_s - self._last_good_s
        if age_s > WITHDRAWN_S:
            self._beats.clear()
            return EjectionFraction(None, None, None, 0, self.method, f"withdrawn: no good beat for {age_s:.0f} s")
        if age_s > max(STALE_S, STALE_PERIODS * 60 / (self.heart_rate_bpm or 60)):
            return replace(self._current, reason=f"stale: no good beat for {age_s:.0f} s", stale=True)
        return self._current

    def _figure(self) -> EjectionFraction:
        if not self._beats:
            return EjectionFraction(None, None, None, 0, self.method, NONE_ACCEPTED if self.seen else WAITING)
        values = [b.ef_percent for b in self._beats]
        percent = median(values)
        if len(values) not in _T:
            return EjectionFraction(percent, None, None, len(values), self.method)
        half = _T[len(values)] * MEDIAN_EFFICIENCY * stdev(values) / len(values) ** 0.5
        return EjectionFraction(percent, max(0.0, percent - half), min(100.0, percent + half), len(values), self.method)

    @property
    def fac_percent(self) -> float | None:
        return median(b.fac_percent for b in self._beats) if self._beats else None

    @property
    def heart_rate_bpm(self) -> float | None:
        return median(b.heart_rate_bpm for b in self._beats) if self._beats else None


class Extremes:
    """The largest and the smallest volume so far, each the middle one of three good frames in a row, so that one bad frame does not
    decide. Needs no memory of the recording."""

    MIN_SPAN_S = 0.25
    """A recording shorter than that cannot hold both ED and ES."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._last: deque[Sample] = deque(maxlen=3)
        self._first_s: float | None = None
        self._low: Sample | None = None
        self._high: Sample | None = None

    def update(self, sample: Sample) -> None:
        if self._first_s is None:
            self._first_s = sample.t_s
        self._last.append(sample)
        if len(self._last) < 3:
            return
        middle = sorted(self._last, key=lambda s: s.volume)[1]
        if self._low is None or middle.volume < self._low.volume:
            self._low = middle
        if self._high is None or middle.volume > self._high.volume:
            self._high = middle

    def result(self, calibration: tuple[float, float] | None) -> ClipExtremes | str:
        """The figures, or the reason why there are none."""
        if self._low is None or self._high is None or self._first_s is None:
            return "too few good frames"
        low, high = self._low, self._high
        if self._last[-1].t_s - self._first_s < self.MIN_SPAN_S:
            return "the ventricle is seen for less than a quarter of a second"
        ef = 100 * (high.volume - low.volume) / high.volume
        if ef < 100 * MIN_AMPLITUDE:
            return "the volume hardly changes"
        return ClipExtremes(
            t_ed_s=high.t_s,
            t_es_s=low.t_s,
            edv=high.volume,
            esv=low.volume,
            eda=high.area,
            esa=low.area,
            ef_percent=calibrated(ef, calibration),
            fac_percent=100 * (high.area - low.area) / high.area,
        )
