"""Longitudinal strain of the endocardium in one apical view, from ED to ES.

By the contour: how much shorter the endocardium is, from one mitral hinge point over the apex to the other, the mitral
plane left out. That is the endocardial global strain of one view in Voigt et al. (Eur Heart J Cardiovasc Imaging
16:1-11, 2015): (L(ES) - L(ED)) / L(ED). It is never called GLS, which needs three views.

By the speckle: how far the basal third of each wall slides against its apical third, see `echo_rt.cardiac.speckle`.
That is of the middle of the wall, which shortens less than its inside.
"""

from __future__ import annotations

import math
from functools import partial

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Measure, Normal, Unknown

SOURCE = "Voigt et al., Eur Heart J Cardiovasc Imaging 16:1-11, 2015"

USUAL = Normal(-22.1, -15.9, "GLS in Yingchoncharoen et al., J Am Soc Echocardiogr 26:185-191, 2013")


def strain_percent(length_ed: float, length_es: float) -> float:
    """Of a line of these lengths: negative where it shortens."""
    return 100 * (length_es - length_ed) / length_ed


def by_contour(beat: BeatSamples, view: str) -> float:
    """In percent of the length at ED."""
    _check(beat, view)
    return strain_percent(*(beat.moments @ beat.shape[:, 0]).tolist())


def by_speckle(beat: BeatSamples, view: str) -> float:
    """In percent of the length at ED; the mean of both walls."""
    _check(beat, view)
    if beat.wall is None or not math.isfinite(beat.wall.along_percent):
        raise Unknown("the speckle could not be followed along both walls")
    return beat.wall.along_percent


def difference(beat: BeatSamples, view: str) -> float:
    """By the contour less by the speckle, in percentage points."""
    return by_contour(beat, view) - by_speckle(beat, view)


def _check(beat: BeatSamples, view: str) -> None:
    if (beat.view or "A4C") != view:
        raise Unknown(f"of the {view} view alone")


MEASURES = tuple(
    measure
    for view in ("A4C", "A2C")
    for measure in (
        Measure(
            f"ls_{view.lower()}",
            f"Longitudinal strain, {view}",
            "%",
            1,
            SOURCE,
            partial(by_contour, view=view),
            normal=USUAL,
            foremost=True,
        ),
        Measure(
            f"ls_speckle_{view.lower()}",
            f"Longitudinal strain by speckle, {view}",
            "%",
            1,
            SOURCE,
            partial(by_speckle, view=view),
        ),
        Measure(
            f"ls_difference_{view.lower()}",
            f"Strain, contour less speckle, {view}",
            "%",
            1,
            SOURCE,
            partial(difference, view=view),
        ),
    )
)
