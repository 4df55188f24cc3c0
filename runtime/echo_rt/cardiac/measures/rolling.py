"""The rolling figures of all measures, of the beats that the rolling EF stands on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.cardiac.measures.table import MEASURES, measured
from echo_rt.cardiac.rhythm import FEWEST, Rhythm, deviation, is_irregular
from echo_rt.chambers import Scale
from echo_rt.measures import Body, MeasureFigure, Rolling
from echo_rt.reading import Beat

NO_BEAT = "no beat that counts"
TOO_FEW = f"irregular rhythm: needs {FEWEST} beats"


class RollingMeasures:
    """Measures each beat, and keeps the rolling figures of the beats that the rolling EF stands on.

    Args:
        body: how large the patient is.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.reset()

    def reset(self) -> None:
        """Forget all beats."""
        self._beats: tuple[Beat, ...] | None = None
        self._scale = Scale.PX
        self._rolling = Rolling()

    def update(self, known: BeatSamples) -> Beat:
        """Take the next beat, accepted or not; gives it with its measures where it counts."""
        beat = known.beat
        self._beats = None  # the rhythm may be another
        if not beat.accepted:
            return beat
        found = measured(replace(known, body=self.body))
        return replace(beat, details=replace(beat.details, measures=found, wall=known.wall))

    def of(self, beats: tuple[Beat, ...], scale: Scale, rhythm: Rhythm) -> Rolling:
        """The figures of these beats, those of the rolling EF, of a feed of that scale and rhythm."""
        if beats is not self._beats or scale is not self._scale:
            self._beats, self._scale = beats, scale
            self._rolling = replace(rolling_of(beats, scale, rhythm.variation_percent), body=self.body)
        return self._rolling


def rolling_of(beats: Sequence[Beat], scale: Scale, variation_percent: float | None = None) -> Rolling:
    """The rolling figures of accepted beats.

    Args:
        beats: without one the measures have reasons alone.
        scale: of their lengths and volumes.
        variation_percent: of the lengths of the last beats, accepted or not; None where they are too few.
    """
    if not beats:
        variation_percent = None  # what does not count has no rhythm either
    irregular = is_irregular(variation_percent)
    return Rolling(
        fac_percent=median(beat.fac_percent for beat in beats) if beats else None,
        heart_rate_bpm=median(beat.heart_rate_bpm for beat in beats) if beats else None,
        rr_variation_percent=variation_percent,
        irregular=irregular,
        measures=figures(beats, scale, irregular),
    )


def figures(beats: Sequence[Beat], scale: Scale, irregular: bool = False) -> tuple[MeasureFigure, ...]:
    """Of every measure, in the order of the table: the median, in an irregular rhythm the mean of at least `FEWEST`."""
    found = []
    for measure in MEASURES:
        said = [beat.details.measures[measure.name] for beat in beats if measure.name in beat.details.measures]
        known = [value for value in said if isinstance(value, float) and math.isfinite(value)]
        if not known:
            reasons = Counter(value for value in said if isinstance(value, str))
            reason = reasons.most_common(1)[0][0] if reasons else NO_BEAT
            found.append(MeasureFigure(measure, scale, None, reason))
        elif irregular and len(known) < FEWEST:
            found.append(MeasureFigure(measure, scale, None, f"{TOO_FEW}, found {len(known)}", None, len(known)))
        else:
            spread = deviation(known) if len(known) > 1 else None
            value = fmean(known) if irregular else median(known)
            found.append(MeasureFigure(measure, scale, value, None, spread, len(known)))
    return tuple(found)
