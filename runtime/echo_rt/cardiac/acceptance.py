"""Whether a beat can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from echo_rt.cardiac.turning_points import Cycle
from echo_rt.cardiac.verdict import MIN_GOOD_FRAMES
from echo_rt.frame import CLOCK_S

MIN_FIT = 0.6
"""Share of the variance of a systole's volumes that its form has to explain. Through lv-edge simulated hearts have 0.9
to 1; with noise of up to 4 % of EDV six of 3,446 beats lie below. A lung that passed for a ventricle had 0.58."""

MAX_HOLE = 0.25
"""Share of a beat that may pass without a good frame: a longer hole can hide ED or ES."""

HEART_RATE_BPM = (30.0, 220.0)
"""Physiological limits."""

IN_LINE = (0.35, 2.2)
"""Smallest and largest fall of a beat's volume, as a share of the median of the last beats. A premature beat ejects
about half of what its neighbours do, and counts."""

TOO_SHORT, TOO_LONG = "too short", "too long"
TOO_FEW_FRAMES, OUT_OF_LINE = "too few good frames", "amplitude out of line"
NO_SYSTOLE = "no systole in the curve"


def rejection(
    cycle: Cycle, beat_s: float, fit: float | None, sampled_s: Iterable[float], falls: Sequence[float]
) -> str | None:
    """Why a beat does not count; None where it does.

    Args:
        cycle: its turning points.
        beat_s: how long it lasts.
        fit: see `echo_rt.cardiac.systole.Systole`; None where samples are too few for one.
        sampled_s: times of the good frames.
        falls: of the volume in the last beats; without any, the amplitude of the curve stands in.
    """
    if beat_s < 60 / HEART_RATE_BPM[1]:
        return TOO_SHORT
    if beat_s > 60 / HEART_RATE_BPM[0]:
        return TOO_LONG
    first, last = cycle.ed, cycle.next_ed
    first_s, last_s = first.sample.t_s, last.sample.t_s
    inside_s = [t_s for t_s in sampled_s if first_s - CLOCK_S <= t_s <= last_s + CLOCK_S]
    hole_s = max(after - before for before, after in pairwise([first_s, *inside_s, last_s]))
    frames, good = last.frames - first.frames, last.good_frames - first.good_frames
    if good < MIN_GOOD_FRAMES * frames or hole_s > MAX_HOLE * (last_s - first_s):
        return TOO_FEW_FRAMES
    if fit is not None and fit < MIN_FIT:
        return NO_SYSTOLE
    usual = median(falls) if falls else cycle.amplitude
    return None if IN_LINE[0] * usual <= cycle.fall <= IN_LINE[1] * usual else OUT_OF_LINE
