"""The further measures of two views of one heart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from echo_rt.cardiac.measures.output import surface_m2
from echo_rt.measures import MeasureFigure, Rolling, Unknown
from echo_rt.result import Biplane

NO_VOLUMES = "no biplane volumes"

OF_BOTH = ("ls_mean", "sv", "co", "svi", "ci", "edvi", "esvi")
"""The measures that are made of both views."""


def joined(a4c: Rolling, a2c: Rolling, biplane: Biplane) -> Rolling:
    """The measures of the A4C recording, those that the A2C one alone has, and those of both together.

    Longitudinal strain of two views is their mean. What the ventricle puts out is made of the biplane volumes; it has
    no spread, as the beats of a pair are of different moments.
    """
    others = {figure.measure.name: figure for figure in a2c.measures}
    figures = [
        others.get(figure.measure.name, figure) if figure.measure.view == "A2C" else figure for figure in a4c.measures
    ]
    of_both = _of_both(a4c, a2c, biplane)
    return replace(a4c, measures=tuple(_told(figure, of_both) for figure in figures))


def _of_both(a4c: Rolling, a2c: Rolling, biplane: Biplane) -> dict[str, Callable[[], float]]:
    rate = a4c.heart_rate_bpm

    def stroke_ml() -> float:
        if biplane.edv is None or biplane.esv is None:
            raise Unknown(biplane.volume_note or biplane.ef.reason or NO_VOLUMES)
        return biplane.edv - biplane.esv

    def output_l_min() -> float:
        if rate is None:
            raise Unknown("no heart rate")
        return stroke_ml() * rate / 1000

    def volume_ml(volume: float | None) -> float:
        stroke_ml()
        assert volume is not None
        return volume

    def strain_percent() -> float:
        views = [figures[f"ls_{name}"].value for figures, name in ((a4c, "a4c"), (a2c, "a2c")) if figures.measures]
        known = [value for value in views if value is not None]
        if len(known) < 2:
            raise Unknown("needs strain in both views")
        return fmean(known)

    def indexed(figure: Callable[[], float]) -> Callable[[], float]:
        return lambda: figure() / surface_m2(a4c.body)

    measures = (
        strain_percent,
        stroke_ml,
        output_l_min,
        indexed(stroke_ml),
        indexed(output_l_min),
        indexed(lambda: volume_ml(biplane.edv)),
        indexed(lambda: volume_ml(biplane.esv)),
    )
    return dict(zip(OF_BOTH, measures, strict=True))


def _told(figure: MeasureFigure, of_both: dict[str, Callable[[], float]]) -> MeasureFigure:
    if (measure := of_both.get(figure.measure.name)) is None:
        return figure
    try:
        return replace(figure, value=measure(), reason=None, spread=None)
    except Unknown as why:
        return replace(figure, value=None, reason=str(why), spread=None, beats=0)
