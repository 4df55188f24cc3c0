"""The rolling ejection fraction, its interval, and the figures of a recording without a whole beat."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import median, variance

from echo_rt.cardiac.curve import MIN_AMPLITUDE, Sample
from echo_rt.model import ModelSpec
from echo_rt.reading import AREA_EXTREMES, CLIP_EXTREMES, Beat, EjectionFraction
from echo_rt.result import ClipExtremes, ClipFigures

BEATS = 5
"""Accepted beats in the rolling figure, as the guidelines ask for in an irregular rhythm."""

USUAL_SCATTER_POINTS, USUAL_WORTH = 2.5, 4
"""Standard deviation of the EF of a heart's beats, assumed before they are known; it counts as four degrees of freedom.
From simulated hearts in sinus rhythm and atrial fibrillation whose volumes carry 1 to 4 % of noise."""

MEASUREMENT_POINTS = 1.5
"""Standard error in points that all beats of a recording share: noise makes the largest volume larger and the smallest
smaller. Of the same hearts."""

MEDIAN_EFFICIENCY = 1.2533
"""Standard error of a median over that of a mean, for more than two normal values."""

STALE_S, STALE_PERIODS = 5.0, 3
"""The figure is stale when the last accepted beat ended longer ago than both: three missed median beats in a row are
more than an ectopic beat explains."""

WITHDRAWN_S = 30.0
"""After so long the figure is withdrawn and its beats are forgotten: view or patient may be another."""

WAITING, NONE_ACCEPTED = "waiting for the first whole beat", "no beat could be accepted"


def calibrated(percent: float, calibration: tuple[float, float] | None) -> float:
    """A model's (slope, offset) applied to an EF in percent."""
    return percent if calibration is None else calibration[0] * percent + calibration[1]


def model_error_points(spec: ModelSpec, view: str = "4CH") -> float:
    """Root mean square error of a model's EF against experts', in points; at least `MEASUREMENT_POINTS`.

    Args:
        spec: of the model; its figures hold ``"4CH EF": {"bias", "sd"}``, or the minimum counts.
        view: ``4CH``, ``2CH`` or ``biplane``.
    """
    figures = spec.figures.get(f"{view} EF", {})
    known = isinstance(figures, dict) and all(isinstance(figures.get(name), (int, float)) for name in ("bias", "sd"))
    return max(MEASUREMENT_POINTS, sqrt(figures["bias"] ** 2 + figures["sd"] ** 2)) if known else MEASUREMENT_POINTS


def interval(percents: Sequence[float], error_points: float) -> tuple[float, float, float]:
    """Median EF of some beats, and the 95 % interval for the heart's.

    Few beats say little of their own scatter. Three that happen to agree would promise a tenth of a point, for which
    Student's t of two degrees of freedom makes up by intervals of 20 points. So the scatter is drawn towards the usual
    one, which adds its degrees of freedom (the moderated t of Smyth, Stat Appl Genet Mol Biol 3:3, 2004). One beat has
    an interval already. The error that all beats share is added as an independent normal one.

    Args:
        percents: of the beats, at least one.
        error_points: standard error of the measurement, see `model_error_points`.

    Returns:
        Median, low and high, in percent, 0 to 100.
    """
    n, middle = len(percents), median(percents)
    freedom = USUAL_WORTH + n - 1
    scatter = sqrt((USUAL_WORTH * USUAL_SCATTER_POINTS**2 + (n - 1) * (variance(percents) if n > 1 else 0.0)) / freedom)
    of_beats = student_t(freedom) * scatter / sqrt(n) * (MEDIAN_EFFICIENCY if n > 2 else 1.0)
    half = sqrt(of_beats**2 + (1.96 * error_points) ** 2)
    return middle, max(0.0, middle - half), min(100.0, middle + half)


def student_t(freedom: int) -> float:
    """97.5 % point of Student's t, to 1 % from four degrees of freedom on (Abramowitz and Stegun, 26.7.5)."""
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


class RollingEjectionFraction:
    """Median over the last accepted beats.

    Args:
        method: what the EF of the beats is made of.
        beats: how many it stands on.
        error_points: see `interval`.
    """

    def __init__(self, method: str, beats: int = BEATS, error_points: float = MEASUREMENT_POINTS) -> None:
        self.method, self.error_points = method, error_points
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
        percent, low, high = interval([beat.ef_percent for beat in self._beats], self.error_points)
        return EjectionFraction(percent, low, high, len(self._beats), self.method)

    @property
    def fac_percent(self) -> float | None:
        return median(b.fac_percent for b in self._beats) if self._beats else None

    @property
    def heart_rate_bpm(self) -> float | None:
        return median(b.heart_rate_bpm for b in self._beats) if self._beats else None


class Extremes:
    """The largest and the smallest volume so far, each the median of three good frames in a row, so that one bad frame
    does not decide.

    Args:
        by_area: take areas instead, each of a single good frame: (max - min) / max is what systems that report areas as
            EF give for a clip.
    """

    MIN_SPAN_S = 0.25
    """A recording shorter than that cannot hold both ED and ES."""

    def __init__(self, by_area: bool = False) -> None:
        self.by_area = by_area
        self.reset()

    def reset(self) -> None:
        self._last: deque[Sample] = deque(maxlen=1 if self.by_area else 3)
        self._first_s: float | None = None
        self._low: Sample | None = None
        self._high: Sample | None = None

    def update(self, sample: Sample) -> None:
        if self._first_s is None:
            self._first_s = sample.t_s
        self._last.append(sample)
        if len(self._last) < (self._last.maxlen or 0):
            return
        middle = sorted(self._last, key=self._size)[len(self._last) // 2]
        if self._low is None or self._size(middle) < self._size(self._low):
            self._low = middle
        if self._high is None or self._size(middle) > self._size(self._high):
            self._high = middle

    def _size(self, sample: Sample) -> float:
        return sample.area if self.by_area else sample.volume

    def result(self, calibration: tuple[float, float] | None) -> ClipFigures:
        """The figures, or the reason why there are none. The calibration is of volumes, and does not touch areas."""
        if self._low is None or self._high is None or self._first_s is None:
            return ClipFigures(reason="too few good frames")
        low, high = self._low, self._high
        if self._last[-1].t_s - self._first_s < self.MIN_SPAN_S:
            return ClipFigures(reason="the ventricle is seen for less than a quarter of a second")
        change = 100 * (1 - self._size(low) / self._size(high))
        if change < 100 * MIN_AMPLITUDE:
            return ClipFigures(reason=f"the {'area' if self.by_area else 'volume'} hardly changes")
        extremes = ClipExtremes(
            t_ed_s=high.t_s,
            t_es_s=low.t_s,
            edv=high.volume,
            esv=low.volume,
            eda=high.area,
            esa=low.area,
            ef_percent=change if self.by_area else calibrated(change, calibration),
            fac_percent=100 * (1 - low.area / high.area),
            method=AREA_EXTREMES if self.by_area else CLIP_EXTREMES,
        )
        return ClipFigures(extremes)
