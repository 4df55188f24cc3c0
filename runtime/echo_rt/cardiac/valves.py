"""How long isovolumic contraction and relaxation take, from the corners of the volume curve."""

from __future__ import annotations

import numpy as np

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.cardiac.phases import MIN_EJECTION_S, contraction_s, relaxation_s, slopes
from echo_rt.cardiac.systole import EFFECTIVE_SHARE, floored_misfit, part_around

VALVES_SEARCH_S, VALVES_WITHIN_S, LEAST_VALVES_S = ((0.012, 5), (0.004, 2)), 0.02, 0.015
"""The search for isovolumic phases of other lengths, as `SEARCH_S`; the standard deviation of both in adults; and the
least of them."""


def fit_valves(t_s: Array, volume: Array, t_ed_s: float, t_es_s: float, beat_s: float) -> tuple[float, float] | None:
    """How long isovolumic contraction and relaxation of a systole take whose moments are known.

    Of the durations that are possible, each counts as much as it is likely, as in `fit_systole`. A curve with noise
    tells little of corners that are 1 % of the stroke volume high; then they are what they usually are.

    Args:
        t_s, volume: (M,) the samples.
        t_ed_s, t_es_s: the moments.
        beat_s: length of the beat.

    Returns:
        In seconds; None with fewer than `MIN_SAMPLES` samples.
    """
    part = part_around(t_s, volume[None], t_ed_s, t_es_s, beat_s)
    if part is None:
        return None
    usual = contraction_s(beat_s), relaxation_s(beat_s)
    found = usual
    for step_s, steps in VALVES_SEARCH_S:
        along = step_s * np.arange(-steps, steps + 1, dtype=np.float64)
        contraction, relaxation = np.repeat(found[0] + along, len(along)), np.tile(found[1] + along, len(along))
        possible = (contraction >= LEAST_VALVES_S) & (relaxation >= LEAST_VALVES_S)
        possible &= t_es_s - t_ed_s - contraction >= MIN_EJECTION_S
        if not possible.any():
            return usual
        contraction, relaxation = contraction[possible], relaxation[possible]
        moments = np.full(len(contraction), t_ed_s), np.full(len(contraction), t_es_s)
        misfit = native.systole_misfits(part.t, part.y, *slopes(*moments, beat_s, (contraction, relaxation)))
        odd = ((contraction - usual[0]) ** 2 + (relaxation - usual[1]) ** 2) / VALVES_WITHIN_S**2
        costs = 0.5 * EFFECTIVE_SHARE * len(part.t) * np.log(floored_misfit(misfit, part.y)).sum(axis=1) + 0.5 * odd
        likely = np.exp(costs.min() - costs)
        found = float(likely @ contraction / likely.sum()), float(likely @ relaxation / likely.sum())
    return found
