"""The rolling ejection fraction and its interval."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean, median, variance

from echo_rt.cardiac.acceptance import TOO_FEW_FRAMES
from echo_rt.cardiac.beat_assembly import mean_dice
from echo_rt.cardiac.rhythm import FEWEST, Rhythm
from echo_rt.cardiac.verdict import ALONE, Stretch, doubt, is_alone
from echo_rt.model import ModelSpec
from echo_rt.reading import Beat, EjectionFraction

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

JUDGED = 6
"""Last beats, accepted or not, of which most have to be accepted."""

CURVES = 20
"""Last beats that were judged by their curve. Where most of them had no heart's, the next such beat takes a figure
back. A heart whose last beats alone were badly seen keeps its figure."""

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
    figures = spec.origin.figures.get(f"{view} EF", {})
    known = isinstance(figures, dict) and all(isinstance(figures.get(name), (int, float)) for name in ("bias", "sd"))
    return max(MEASUREMENT_POINTS, sqrt(figures["bias"] ** 2 + figures["sd"] ** 2)) if known else MEASUREMENT_POINTS


def error_points(spec: ModelSpec, view: str | None, beats: Sequence[Beat]) -> float:
    """Standard error of a model's EF in points for the patient whose beats these are.

    By the model's `IntervalRule`, from the Dice that it expected in these beats and from their EF; without one the
    error that its figures give for everybody.

    Args:
        spec: of the model.
        view: ``A4C``, ``A2C``, ``biplane``, or None where it is not known.
        beats: of one view or, with ``biplane``, of both.
    """
    # The middle of two views' beats stands for that of biplane: the error goes with it slowly.
    dice = mean_dice([dice for beat in beats if (dice := beat.details.expected_dice) is not None])
    if spec.tuning.interval is None or dice is None:
        return model_error_points(spec, {"A2C": "2CH", "biplane": "biplane"}.get(view or "", "4CH"))
    middle = median(beat.ef_percent for beat in beats)
    return max(MEASUREMENT_POINTS, spec.tuning.interval.error_points(view or "A4C", dice, middle))


def interval(percents: Sequence[float], error_points: float, *, mean: bool = False) -> tuple[float, float, float]:
    """Median EF of some beats, or their mean, and the 95 % interval for the heart's.

    Few beats say little of their own scatter. Three that happen to agree would promise a tenth of a point, for which
    Student's t of two degrees of freedom makes up by intervals of 20 points. So the scatter is drawn towards the usual
    one, which adds its degrees of freedom (the moderated t of Smyth, Stat Appl Genet Mol Biol 3:3, 2004). One beat has
    an interval already. The error that all beats share is added as an independent normal one.

    Args:
        percents: of the beats, at least one.
        error_points: standard error of the measurement, see `model_error_points`.
        mean: of beats that are not of one kind, as in an irregular rhythm.

    Returns:
        Middle, low and high, in percent, 0 to 100.
    """
    n, middle = len(percents), fmean(percents) if mean else median(percents)
    freedom = USUAL_WORTH + n - 1
    scatter = sqrt((USUAL_WORTH * USUAL_SCATTER_POINTS**2 + (n - 1) * (variance(percents) if n > 1 else 0.0)) / freedom)
    of_beats = student_t(freedom) * scatter / sqrt(n) * (MEDIAN_EFFICIENCY if n > 2 and not mean else 1.0)
    half = sqrt(of_beats**2 + (1.96 * error_points) ** 2)
    return middle, max(0.0, middle - half), min(100.0, middle + half)


def student_t(freedom: int) -> float:
    """97.5 % point of Student's t, to 1 % from four degrees of freedom on (Abramowitz and Stegun, 26.7.5)."""
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


class RollingEjectionFraction:
    """Median over the last accepted beats, in an irregular rhythm their mean where they are five or more.

    Args:
        method: what the EF of the beats is made of.
        beats: how many it stands on.
        error_points: of the beats that it stands on, see `interval`.

    Attributes:
        rhythm: of the last beats, accepted or not.
    """

    def __init__(
        self,
        method: str,
        beats: int = BEATS,
        error_points: Callable[[Sequence[Beat]], float] = lambda beats: MEASUREMENT_POINTS,
    ) -> None:
        self.method, self._error_points = method, error_points
        self._beats: deque[Beat] = deque(maxlen=beats)
        self._found: deque[bool] = deque(maxlen=max(JUDGED, beats))
        self._curves: deque[bool] = deque(maxlen=max(CURVES, beats))
        self.rhythm = Rhythm()
        self.reset()

    def reset(self) -> None:
        """Forget all beats."""
        self._forget()
        self.rhythm.reset()
        self.seen = False
        self._last_good_s: float | None = None
        self._current = self._figure()
        self._standing: tuple[Beat, ...] = ()

    def _forget(self) -> None:
        for known in (self._beats, self._found, self._curves):
            known.clear()

    def update(self, beat: Beat, share: float = 1.0) -> None:
        """Take the next beat, accepted or not.

        Args:
            beat: the beat.
            share: of the feed so far, of its longest unbroken view, see `Stretches.share`.
        """
        self.seen = True
        self._found.append(beat.accepted)
        if beat.reason != TOO_FEW_FRAMES:
            # Frames that are missing tell of the view, not of what was seen.
            self._curves.append(beat.accepted)
        self.rhythm.update(beat)
        if beat.accepted:
            self._beats.append(beat)
            self._last_good_s = beat.t_next_ed_s
        if beat.accepted or len(self._beats) < 2 or 2 * sum(self._curves) < len(self._curves):
            self._current = self._figure(share)
            self._standing = tuple(self._beats) if self._current.beats else ()

    @property
    def current(self) -> EjectionFraction:
        """The figure of the beats so far, however long ago they were."""
        return self._current

    def at(self, t_s: float, view: Stretch | None = None) -> EjectionFraction:
        """The figure as it stands at a time: fresh, stale, or withdrawn, and with it the beats that it stood on.

        Args:
            t_s: the time.
            view: that is going on, see `echo_rt.cardiac.verdict.is_alone`.
        """
        if len(self._beats) == 1 and is_alone(self._beats[0], view) and self._current.percent is not None:
            self._current = EjectionFraction(None, None, None, 0, self.method, ALONE)
            self._standing = ()
        if self._last_good_s is None:
            return self._current
        age_s = t_s - self._last_good_s
        if age_s > WITHDRAWN_S:
            self._forget()
            self._standing = ()
            return EjectionFraction(None, None, None, 0, self.method, f"withdrawn: no good beat for {age_s:.0f} s")
        if self._current.percent is None:
            return self._current
        if age_s > max(STALE_S, STALE_PERIODS * self._period_s):
            return replace(self._current, reason=f"stale: no good beat for {age_s:.0f} s", stale=True)
        return self._current

    @property
    def _period_s(self) -> float:
        return median(beat.t_next_ed_s - beat.t_ed_s for beat in self._beats)

    def _figure(self, share: float = 1.0) -> EjectionFraction:
        if not self._beats:
            return EjectionFraction(None, None, None, 0, self.method, NONE_ACCEPTED if self.seen else WAITING)
        if reason := doubt(self._beats, self._found, share):
            return EjectionFraction(None, None, None, 0, self.method, reason)
        percents = [beat.ef_percent for beat in self._beats]
        mean = self.rhythm.irregular and len(percents) >= FEWEST
        percent, low, high = interval(percents, self._error_points(self._beats), mean=mean)
        return EjectionFraction(percent, low, high, len(self._beats), self.method)

    @property
    def beats(self) -> tuple[Beat, ...]:
        """Those that the figure stands on; none where there is no figure."""
        return self._standing
