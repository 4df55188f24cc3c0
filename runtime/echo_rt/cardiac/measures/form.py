"""The form of the ventricle at ED: how round it is, and how thick its wall is for its width.

Sphericity is the diameter half-way up over the long axis (Douglas et al., J Am Coll Cardiol 13:311-315, 1989). Relative
wall thickness is twice the thickness over the diameter (Lang et al., J Am Soc Echocardiogr 28:1-39, 2015). That is
defined for the parasternal view. Here it is the mean of the basal and middle segments over the mean diameter of their
levels.
"""

from __future__ import annotations

import math

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.chambers import Disks
from echo_rt.measures import Measure, Normal, Unknown
from echo_rt.reading import SEGMENTS

SOURCE = "Lang et al., J Am Soc Echocardiogr 28:1-39, 2015"
ROUND = "Douglas et al., J Am Coll Cardiol 13:311-315, 1989"


def sphericity_index(disks: Disks) -> float:
    """Diameter half-way up over the long axis."""
    middle = len(disks.diameters) // 2
    return (disks.diameters[middle - 1] + disks.diameters[middle]) / 2 / disks.length


def sphericity(beat: BeatSamples) -> float:
    """At ED."""
    return sphericity_index(_disks(beat))


def relative_wall_thickness(beat: BeatSamples) -> float:
    """At ED."""
    if beat.wall is None:
        raise Unknown("the wall was not seen")
    thick = [
        float(thickness)
        for segment, thickness in zip(SEGMENTS, beat.wall.thickness_ed, strict=True)
        if not segment.startswith("apical")
    ]
    if not all(map(math.isfinite, thick)):
        raise Unknown("the wall was not seen in every basal and middle segment")
    diameters = _disks(beat).diameters
    wide = diameters[: round(2 / 3 * len(diameters))]
    return 2 * (sum(thick) / len(thick)) / (sum(wide) / len(wide))


def _disks(beat: BeatSamples) -> Disks:
    if beat.beat.details.disks is None:
        raise Unknown("the ventricle's form at ED is not known")
    return beat.beat.details.disks.ed


MEASURES = (
    Measure("sphericity", "Sphericity index at ED", "", 2, ROUND, sphericity),
    Measure(
        "rwt",
        "Relative wall thickness, apical",
        "",
        2,
        SOURCE,
        relative_wall_thickness,
        normal=Normal(None, 0.42, SOURCE),
    ),
)
