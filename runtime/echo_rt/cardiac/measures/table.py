"""The table of all further measures. A new one is a function in a module here, and a line."""

from __future__ import annotations

from echo_rt.cardiac.measures import annulus, atrium, flow, form, intervals, output, strain, wall_score
from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Measure, Unknown, Value

MEASURES: tuple[Measure, ...] = (
    *strain.MEASURES,
    *form.MEASURES,
    *wall_score.MEASURES,
    *annulus.MEASURES,
    *output.MEASURES,
    *atrium.MEASURES,
    *flow.MEASURES,
    *intervals.MEASURES,
)


def measured(beat: BeatSamples) -> dict[str, Value]:
    """Of every measure's name the figure of this beat, or the reason why there is none."""
    return {measure.name: _of(measure, beat) for measure in MEASURES}


def _of(measure: Measure, beat: BeatSamples) -> Value:
    # Where the view is not known it is taken for the A4C, as everywhere.
    if measure.view is not None and measure.view != (beat.view or "A4C"):
        return f"of the {measure.view} view alone"
    try:
        return float(measure.of(beat))
    except Unknown as why:
        return str(why)
