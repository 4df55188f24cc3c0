"""A beat from its turning points: the moments of ED and ES, and what is measured at them.

Near ED and ES the curve is flat, and noise puts an extremum anywhere on the plateau. So the turning points only tell
that there was a beat, and where to look. The moments, and the volumes at them, are those of the form of a systole that
fits the samples best, see `echo_rt.cardiac.systole`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from echo_rt.arrays import Array
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.phases import ejected_s
from echo_rt.cardiac.systole import Systole, fit_beginning, fit_systole
from echo_rt.cardiac.turning_points import Cycle, TurningPoint
from echo_rt.chambers import BeatDisks, Disks
from echo_rt.frame import CLOCK_S
from echo_rt.reading import Beat, BeatDetails


def beat_between(
    ed: Sample, es: Sample, next_ed_s: float, reason: str | None, expected_dice: float | None = None
) -> Beat:
    """The beat of these moments; `reason` says why it does not count."""
    disks = BeatDisks(ed.disks, es.disks) if ed.disks is not None and es.disks is not None else None
    return Beat(
        t_ed_s=ed.t_s,
        t_es_s=es.t_s,
        t_next_ed_s=next_ed_s,
        edv=ed.volume,
        esv=es.volume,
        eda=ed.area,
        esa=es.area,
        ef_percent=100 * (ed.volume - es.volume) / ed.volume,
        fac_percent=100 * (ed.area - es.area) / ed.area,
        reason=reason,
        details=BeatDetails(disks, expected_dice),
    )


class Moments(NamedTuple):
    """Of one beat.

    Attributes:
        ed, es: the samples at the two moments.
        next_ed_s: when the next beat begins.
        systole: that was fitted; None where none was.
    """

    ed: Sample
    es: Sample
    next_ed_s: float
    systole: Systole | None


def expected_dice(samples: Sequence[Sample], from_s: float, to_s: float) -> float | None:
    """The Dice that the model expects of itself in a beat: of the mean of the frames' logits. None where it says
    nothing."""
    inside = [s.expected_dice for s in samples if from_s - CLOCK_S <= s.t_s <= to_s + CLOCK_S]
    return mean_dice(inside)


def mean_dice(dices: Sequence[float]) -> float | None:
    """The sigmoid of the mean logit; None without one."""
    known = [min(max(dice, 1e-3), 1 - 1e-3) for dice in dices if dice == dice]
    if not known:
        return None
    return 1 / (1 + math.exp(-sum(math.log(dice / (1 - dice)) for dice in known) / len(known)))


def moments(cycle: Cycle, samples: Sequence[Sample]) -> Moments:
    """Those of the fitted systole.

    Those of the smooth curve where the form of a systole does not fit, or where samples are too few for it.
    """
    times = np.array([s.t_s for s in samples])
    fitted = _fitted_moments(cycle, samples, times)
    if fitted is not None:
        return fitted
    ed, es = (
        replace(point.sample, disks=samples[int(np.abs(times - point.sample.t_s).argmin())].disks)
        for point in (cycle.ed, cycle.es)
    )
    return Moments(ed, es, cycle.next_ed.sample.t_s, None)


def _fitted_moments(cycle: Cycle, samples: Sequence[Sample], times: Array) -> Moments | None:
    # The atrium is largest when the ventricle is smallest.
    curves = np.array([[s.volume for s in samples], [s.length for s in samples], [-s.atrium for s in samples]])
    ed_s, next_ed_s = (_systole_begins(point, cycle) for point in (cycle.ed, cycle.next_ed))
    beat_s = next_ed_s - ed_s
    systole = fit_systole(times, curves, ed_s, cycle.es.sample.t_s, beat_s)
    if systole is None:
        return None
    part = samples[systole.first : systole.last]
    ed, es = weighted(part, systole.at_ed, systole.t_ed_s), weighted(part, systole.at_es, systole.t_es_s)
    if not ed.volume > es.volume > 0:
        return None
    # The next systole is still going on. It is taken to last as long as this one. What is seen of it is compared with
    # what was seen of this one when it had gone on for as long: a heart of another form errs in both alike.
    systole_s = es.t_s - ed.t_s
    first_seen = int(np.searchsorted(times, cycle.ed.certain_s, "right"))
    first_s, next_s = (
        fit_beginning(times[:seen], curves[:, :seen], t_s, systole_s, beat_s)
        for t_s, seen in ((ed_s, first_seen), (next_ed_s, len(times)))
    )
    if first_s is not None and next_s is not None:
        beat_s = next_s - first_s
    # Those of a ripple on noise may come out in any order.
    return Moments(ed, es, ed.t_s + beat_s, systole) if systole_s < beat_s else None


def _systole_begins(end_diastole: TurningPoint, cycle: Cycle) -> float:
    """About when the systole after an ED began.

    Where the ventricle rests before it contracts, as in a slow heart or in atrial fibrillation, the largest volume may
    lie anywhere in that rest. The fall tells better: every heart of that rate reaches a share of it about as long after
    ED.
    """
    turned = end_diastole.turned
    assert turned is not None
    share = (cycle.ed.sample.volume - turned.volume) / cycle.fall
    return turned.t_s - ejected_s(share, cycle.next_ed.sample.t_s - cycle.ed.sample.t_s)


def weighted(samples: Sequence[Sample], weights: Array, t_s: float) -> Sample:
    """The weighted sum of samples, as the one at `t_s`; with disks where all have them."""
    disks = [s.disks for s in samples if s.disks is not None]
    joined = None
    if len(disks) == len(samples):
        diameters = np.maximum(weights @ np.array([d.diameters for d in disks]), 0.0)
        joined = Disks(tuple(diameters.tolist()), float(weights @ np.array([d.length for d in disks])))
    volume, area = weights @ np.array([s.volume for s in samples]), weights @ np.array([s.area for s in samples])
    return Sample(t_s, float(volume), float(area), joined)
