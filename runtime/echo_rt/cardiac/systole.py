"""The moments of end-diastole and end-systole, and the curve's height at both, from all of a systole at once.

Around ED and ES the volume hardly changes for 50 to 70 ms, the isovolumic phases, so that noise puts an extremum anywhere on these
plateaus. Their corners are sharp, though, and the slopes beside them steep: the atrial kick before ED, the ejection between, the rapid
filling after ES. So a systole of that form is fitted to the samples by least squares,

    V(t) = a - b kick(t) - c ejection(t) + d filling(t)        b, c, d >= 0

whose heights a to d are linear and whose two moments, ED and ES, are searched for around where the smoothed curve has its extremes.

What is taken from the literature, not from the curve: isovolumic contraction of 50 and relaxation of 70 ms, shorter in beats of less than
0.8 s; a kick of 130 ms and rapid filling of 190 ms, which share the diastole where it is short; ejection that is fastest in its first half
(Doppler of the outflow tract). How long systole lasts at a heart rate (Weissler et al., Circulation 37:149-159, 1968) is asked for too, but
weakly: it has a say where noise or a small stroke leave the curve without one. A heart that differs from all this has its ED or ES
misplaced by about as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONTRACTION_S, RELAXATION_S = 0.05, 0.07
"""Isovolumic phases of a beat of `USUAL_BEAT_S` or longer; of a shorter one in proportion."""

USUAL_BEAT_S = 0.8

KICK_S, FILLING_S = 0.13, 0.19
"""Atrial kick and rapid filling, and how much of the diastole they take at most: `KICK_SHARE`, `FILLING_SHARE`."""

KICK_SHARE, FILLING_SHARE = 0.4, 0.55

BEFORE_S, AFTER_S = 0.10, 0.17
"""How much of the curve before ED and after ES takes part. Further away the heart may do what it likes."""

REACH_S = 0.1
"""How far from the extremes of the smoothed curve the moments may lie."""

SYSTOLE_SD_S = 0.04
"""Standard deviation of the length of systole around the line of healthy hearts. Theirs is 15 ms; in heart failure ejection is shorter by
some 40 ms, which contraction before it makes up for in part."""

EFFECTIVE_SHARE = 0.5
"""How many independent samples one is worth: the errors of a network's contour last for two frames or so."""

STEP_S, FINEST_S = 0.016, 0.002
"""First and last step of the search."""

MIN_SAMPLES = 8
"""Two more than there are unknowns."""

SMOOTHING_S = 0.06
"""What the form leaves over is averaged over so much to either side of a moment and added: where a heart has another form, its own
counts."""

MIN_EJECTION_S = 0.06


@dataclass(frozen=True, slots=True)
class Systole:
    """Where a systole lies, and what it takes to read any curve of the same samples there.

    Attributes:
        t_ed_s, t_es_s: the moments.
        at_ed, at_es: (N,) weights of the samples; their product with a curve is its height at the moment.
        first, last: the samples that take part are those from `first` to before `last`.
    """

    t_ed_s: float
    t_es_s: float
    at_ed: Array
    at_es: Array
    first: int
    last: int


def fit_systole(t_s: Array, curve: Array, t_ed_s: float, t_es_s: float, beat_s: float, ejection_s: float | None = None) -> Systole | None:
    """Fit one systole.

    Args:
        t_s: (M,) times of the samples, increasing.
        curve: (M,) volumes.
        t_ed_s, t_es_s: where the smoothed curve has its extremes.
        beat_s: length of the beat.
        ejection_s: time from ED to ES where it is known already, as of a systole that is still going on; ES then follows ED.

    Returns:
        None with fewer than `MIN_SAMPLES` samples, or where the curve does not fall.
    """
    gap_s = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 0.0
    first, last = np.searchsorted(t_s, (t_ed_s - max(BEFORE_S, 1.5 * gap_s), t_es_s + max(_after_s(beat_s), 1.5 * gap_s)))
    if last - first < MIN_SAMPLES:
        return None
    t, y = t_s[first:last], curve[first:last] - curve[first:last].mean()
    ed, es, step = t_ed_s, t_es_s, STEP_S
    least = _cost(t, y, ed, es, beat_s)
    moves = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)) if ejection_s is None else ((1, 1), (-1, -1))
    while step >= FINEST_S:
        for along_ed, along_es in moves:
            to_ed, to_es = ed + along_ed * step, es + along_es * step
            if abs(to_ed - t_ed_s) > REACH_S or abs(to_es - t_es_s) > REACH_S or to_es - to_ed < MIN_EJECTION_S:
                continue
            cost = _cost(t, y, to_ed, to_es, beat_s)
            if cost < least:
                least, ed, es = cost, to_ed, to_es
                break
        else:
            step /= 2
    form = _form(t, ed, es, beat_s)
    used = _used(form, y)
    if not used[2]:
        return None
    weights = []
    fitted = np.linalg.pinv(form[:, used])
    for moment in (ed, es):
        near = np.abs(t - moment) <= max(SMOOTHING_S, 1.01 * gap_s)
        mean = near / max(near.sum(), 1)
        here = _form(np.array([moment]), ed, es, beat_s)[0, used]
        weights.append(here @ fitted + mean - (mean @ form[:, used]) @ fitted)
    return Systole(ed, es, weights[0], weights[1], int(first), int(last))


def _phases(beat_s: float, systole_s: float) -> tuple[float, float, float, float]:
    """Isovolumic contraction and relaxation, kick and rapid filling of a beat, in seconds."""
    share = min(1.0, beat_s / USUAL_BEAT_S)
    contraction, relaxation = share * CONTRACTION_S, share * RELAXATION_S
    diastole_s = max(beat_s - systole_s - relaxation, 0.05)
    return contraction, relaxation, min(KICK_S, KICK_SHARE * diastole_s), min(FILLING_S, FILLING_SHARE * diastole_s)


def _after_s(beat_s: float) -> float:
    return AFTER_S * min(1.0, beat_s / USUAL_BEAT_S)


def _form(t: Array, ed: float, es: float, beat_s: float) -> Array:
    """(N, 4): one, kick, ejection and filling at the times `t`."""
    contraction, relaxation, kick, filling = _phases(beat_s, es - ed)
    ejection = max(es - ed - contraction, MIN_EJECTION_S)
    u = np.stack([1 + (t - ed) / kick, (t - ed - contraction) / ejection, (t - es - relaxation) / filling])
    u = np.minimum(np.maximum(u, 0.0), 1.0)
    u[1] **= 0.85
    u[2] **= 0.9
    smooth = u * u * (3 - 2 * u)
    form = np.empty((len(t), 4))
    form[:, 0] = 1.0
    form[:, 1] = smooth[0] - 1
    form[:, 2:] = (0.7 * smooth[1:] + 0.3 * u[1:]).T
    form[:, 2] *= -1
    return form


def _solve(form: Array, y: Array) -> tuple[Array, float]:
    """Heights of the parts and what is left over, squared."""
    square, right = form.T @ form, form.T @ y
    # A part that is zero in all samples has a height of zero.
    square[np.diag_indices_from(square)] += 1e-9 * len(y)
    heights = np.asarray(np.linalg.solve(square, right), np.float64)
    return heights, float(y @ y - heights @ right)


def _used(form: Array, y: Array) -> NDArray[np.bool_]:
    """Which parts take part: those that no least-squares fit gives a negative height."""
    used = np.ones(4, bool)
    for _ in range(3):
        heights, _ = _solve(form[:, used], y)
        negative = used.nonzero()[0][1:][heights[1:] < 0]
        if not len(negative):
            break
        used[negative] = False
    return used


def _cost(t: Array, y: Array, ed: float, es: float, beat_s: float) -> float:
    """Minus the logarithm of how likely the two moments are, whatever the heights and the noise."""
    form = _form(t, ed, es, beat_s)
    heights, misfit = _solve(form, y)
    if (heights[1:] < 0).any():
        misfit = _solve(form[:, _used(form, y)], y)[1]
    # The least that can be told from rounding and from a form that is not quite the heart's.
    misfit = max(misfit, 0.0) + 1e-6 * float(y @ y) + 1e-30
    late = (es - ed - _usual_systole_s(beat_s)) / SYSTOLE_SD_S
    return 0.5 * (EFFECTIVE_SHARE * len(t) * math.log(misfit) + late * late)


def _usual_systole_s(beat_s: float) -> float:
    """From the closing of the mitral valve to that of the aortic one: ejection is 413 ms - 1.7 ms a beat a minute; above the rates of that
    line's data, 0.4 of the beat."""
    ejection = min(max(0.413 - 0.0017 * 60 / beat_s, 0.4 * beat_s), 0.5 * beat_s)
    return ejection + CONTRACTION_S * min(1.0, beat_s / USUAL_BEAT_S)
