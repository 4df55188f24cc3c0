"""Longitudinal strain of the endocardium in one apical view, from ED to ES.

By the contour: how much shorter the endocardium is, from one mitral hinge point over the apex to the other, the mitral
plane left out. That is the endocardial global strain of one view in Voigt et al. (Eur Heart J Cardiovasc Imaging
16:1-11, 2015): (L(ES) - L(ED)) / L(ED). It is never called GLS, which needs three views.

By the speckle: how far the basal third of each wall slides against its apical third, see `echo_rt.cardiac.speckle`.
That is of the middle of the wall, which shortens less than its inside.
"""

from __future__ import annotations

import math

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Measure, Normal, Unknown

SOURCE = "Voigt et al., Eur Heart J Cardiovasc Imaging 16:1-11, 2015"

USUAL = Normal(None, -16.7, "GLS in men: Sugimoto et al., Eur Heart J Cardiovasc Imaging 18:833-840, 2017")
"""Of 549 healthy people; the limit of the women is -17.8."""


def strain_percent(length_ed: float, length_es: float) -> float:
    """Of a line of these lengths: negative where it shortens."""
    return 100 * (length_es - length_ed) / length_ed


def by_contour(beat: BeatSamples) -> float:
    """In percent of the length at ED."""
    return strain_percent(*(beat.moments @ beat.shape[:, 0]).tolist())


def by_speckle(beat: BeatSamples) -> float:
    """In percent of the length at ED; the mean of both walls."""
    if beat.wall is None or not math.isfinite(beat.wall.along_percent):
        raise Unknown("the speckle could not be followed along both walls")
    return beat.wall.along_percent


def difference(beat: BeatSamples) -> float:
    """By the contour less by the speckle, in percentage points."""
    return by_contour(beat) - by_speckle(beat)


def mean_of_views(beat: BeatSamples) -> float:
    """Of one view there is no mean: see `echo_rt.cardiac.measures.two_views`."""
    raise Unknown("needs an A4C and an A2C recording")


def _in_view(view: str) -> tuple[Measure, ...]:
    name = view.lower()
    return (
        Measure(
            f"ls_{name}",
            f"Longitudinal strain, {view}",
            "%",
            1,
            SOURCE,
            by_contour,
            normal=USUAL,
            foremost=True,
            view=view,
        ),
        Measure(f"ls_speckle_{name}", f"Longitudinal strain by speckle, {view}", "%", 1, SOURCE, by_speckle, view=view),
        Measure(
            f"ls_difference_{name}", f"Strain, contour less speckle, {view}", "%", 1, SOURCE, difference, view=view
        ),
    )


MEASURES = (
    *_in_view("A4C"),
    *_in_view("A2C"),
    Measure("ls_mean", "Longitudinal strain, mean of two views", "%", 1, SOURCE, mean_of_views, normal=USUAL),
)
