"""The left atrium: its volumes at their largest, smallest and before it contracts, and what it does with them.

Volumes by disks of a single plane, and by area and length (Lang et al., J Am Soc Echocardiogr 28:1-39, 2015): largest
at the ventricle's ES, smallest at its ED. The parts are named as in Badano et al. (Eur Heart J Cardiovasc Imaging
19:591-600, 2018): what comes in while the mitral valve is shut is the reservoir, what leaves before the atrium
contracts the conduit, and what its contraction drives out the booster. The emptying fractions are those of Hoit (J Am
Coll Cardiol 63:493-505, 2014).
"""

from __future__ import annotations

import math

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.cardiac.measures.output import surface_m2
from echo_rt.measures import Measure, Normal, Unknown

SOURCE = "Lang et al., J Am Soc Echocardiogr 28:1-39, 2015"
PARTS = "Badano et al., Eur Heart J Cardiovasc Imaging 19:591-600, 2018"

EMPTYING = "Hoit, J Am Coll Cardiol 63:493-505, 2014"

CUT = "the atrium is cut off by the picture or not seen"

DISKS, AREA_LENGTH = 0, 1


def _at_es(beat: BeatSamples, method: int = DISKS) -> float:
    return _known(float(beat.moments[1] @ beat.atrium[:, method]))


def _at_ed(beat: BeatSamples) -> float:
    return _known(float(beat.moments[0] @ beat.atrium[:, DISKS]))


def _before_kick(beat: BeatSamples) -> float:
    return _known(beat.at(beat.atrium[:, DISKS], beat.kick_begins_s))


def _known(volume: float) -> float:
    if not (math.isfinite(volume) and volume > 0):
        raise Unknown(CUT)
    return volume


def largest_ml(beat: BeatSamples) -> float:
    """By disks, at the ventricle's ES."""
    return beat.in_mL(_at_es(beat))


def largest_area_length_ml(beat: BeatSamples) -> float:
    """By area and length, at the ventricle's ES."""
    return beat.in_mL(_at_es(beat, AREA_LENGTH))


def smallest_ml(beat: BeatSamples) -> float:
    """By disks, at the ventricle's ED."""
    return beat.in_mL(_at_ed(beat))


def before_kick_ml(beat: BeatSamples) -> float:
    """By disks, before the atrium contracts."""
    return beat.in_mL(_before_kick(beat))


def largest_index(beat: BeatSamples) -> float:
    """The largest volume over the body surface area, in mL/m²."""
    return largest_ml(beat) / surface_m2(beat.body)


def reservoir_ml(beat: BeatSamples) -> float:
    """Largest less smallest."""
    return largest_ml(beat) - smallest_ml(beat)


def conduit_ml(beat: BeatSamples) -> float:
    """Largest less that before the atrium contracts."""
    return largest_ml(beat) - before_kick_ml(beat)


def booster_ml(beat: BeatSamples) -> float:
    """That before the atrium contracts less the smallest."""
    return before_kick_ml(beat) - smallest_ml(beat)


def emptying_percent(beat: BeatSamples) -> float:
    """Reservoir over largest volume: it needs no scale."""
    return 100 * (1 - _at_ed(beat) / _at_es(beat))


def conduit_percent(beat: BeatSamples) -> float:
    """Conduit over largest volume."""
    return 100 * (1 - _before_kick(beat) / _at_es(beat))


def booster_percent(beat: BeatSamples) -> float:
    """Booster over the volume before the atrium contracts."""
    return 100 * (1 - _at_ed(beat) / _before_kick(beat))


MEASURES = (
    Measure("lav_max", "LA volume, largest", "mL", 0, SOURCE, largest_ml, "Left atrium", foremost=True),
    Measure(
        "lav_max_area_length", "LA volume, largest, area-length", "mL", 0, SOURCE, largest_area_length_ml, "Left atrium"
    ),
    Measure("lavi", "LA volume index", "mL/m²", 0, SOURCE, largest_index, "Left atrium", Normal(None, 34.0, SOURCE)),
    Measure("lav_min", "LA volume, smallest", "mL", 0, SOURCE, smallest_ml, "Left atrium"),
    Measure("lav_pre_a", "LA volume before its contraction", "mL", 0, SOURCE, before_kick_ml, "Left atrium"),
    Measure("la_reservoir", "LA reservoir", "mL", 0, PARTS, reservoir_ml, "Left atrium"),
    Measure("la_conduit", "LA conduit", "mL", 0, PARTS, conduit_ml, "Left atrium"),
    Measure("la_booster", "LA booster", "mL", 0, PARTS, booster_ml, "Left atrium"),
    Measure("la_emptying", "LA emptying fraction", "%", 0, EMPTYING, emptying_percent, "Left atrium"),
    Measure("la_emptying_passive", "LA emptying, passive", "%", 0, EMPTYING, conduit_percent, "Left atrium"),
    Measure("la_emptying_active", "LA emptying, active", "%", 0, EMPTYING, booster_percent, "Left atrium"),
)
