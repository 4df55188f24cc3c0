"""Fit the form of a systole to a curve: the moments of end-diastole and end-systole, and the curve's height at both.

Around ED and ES the volume hardly changes for 50 to 70 ms, the isovolumic phases. Noise puts an extremum anywhere on
these plateaus, but their corners are sharp and the slopes beside them steep. So this form is fitted by least squares:

    V(t) = a + b kick(t) + c ejection(t) + d filling(t) + e valve(t)        b, c, d, e >= 0

The heights a to e are linear. The two moments are searched for around the extremes of the smoothed curve.

**Valve.** Open mitral leaflets hang into the cavity, and a network draws it down to the annulus; shut, they pass for
its floor. So the measured volume falls at ED, though no blood has left yet, and rises when the valve opens. Through
`lv-edge` that is 2 to 3 % of EDV in the mean of simulated hearts, none in some and a tenth in a few. The length of the
axis hardly changes by it. One more sample says that there is no valve, so that it is not fitted to noise.

**Other curves.** The long axis shortens with the volume and the atrium grows. Where a wall drops out of the picture
they err in other frames than the volume. So each curve has its own heights and noise, and all share the moments. A
curve of another form, as the atrium's where the picture cuts it, fits no moment better and has little say.

**From the literature, not the curve.** Isovolumic contraction lasts 50 and relaxation 70 ms, less in beats of under
0.8 s. The kick lasts 130 ms and rapid filling 190 ms; they share a short diastole. Ejection is fastest in its first
half (Doppler of the outflow tract). How long systole lasts at a heart rate (Weissler et al., Circulation 37:149-159,
1968) has a weak say, where noise or a small stroke leave the curve without one: a heart that is 25 ms from it has its
ED misplaced by 4. A heart that differs from the rest has its ED or ES misplaced by about as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.frame import CLOCK_S
from echo_rt.reference.systole import share_ejected, systole_form, systole_heights

CONTRACTION_S, RELAXATION_S = 0.05, 0.07
"""Isovolumic phases of a beat of `USUAL_BEAT_S` or longer; of a shorter one in proportion."""

USUAL_BEAT_S = 0.8

KICK_S, FILLING_S = 0.13, 0.19
"""Atrial kick and rapid filling, and how much of the diastole they take at most: `KICK_SHARE`, `FILLING_SHARE`."""

KICK_SHARE, FILLING_SHARE = 0.4, 0.55

BEFORE_S, AFTER_S = 0.10, 0.17
"""How much of the curve before ED and after ES takes part. Further away the heart may do what it likes."""

SEARCH_S = ((0.02, 4), (0.005, 2), (0.0015, 2))
"""The search, coarse to fine: steps of so many seconds, so many to either side of the mean so far. Together they reach
94 ms."""

VALVES_SEARCH_S, VALVES_WITHIN_S, LEAST_VALVES_S = ((0.012, 5), (0.004, 2)), 0.02, 0.015
"""The search for isovolumic phases of other lengths, as `SEARCH_S`; the standard deviation of both in adults; and the
least of them."""

VALVE_S = 0.05
"""How long the mitral valve takes to close, half of it before ED, and to open, from the end of relaxation on."""

FASTEST_OF_LINE = 147.0
"""Beats a minute up to which the length of ejection follows the line of Weissler."""

USUAL_WITHIN_S = 0.01
"""How near to that line the systoles of half of all healthy hearts are: their standard deviation is 15 ms. In heart
failure ejection is shorter by some 40 ms, which contraction before it makes up for in part; and the frames of a
recording may not be as far apart as it says. So the distribution is that of Cauchy: what is far from the line is hardly
less likely for being further."""

EFFECTIVE_SHARE = 0.6
"""How many independent samples one is worth, on each curve: the errors of a network's contour last for 50 to 80 ms. By
that it would be 0.1 to 0.4, but then the length that is expected had too much say in a heart of another form."""

MIN_SAMPLES = 8
"""As many as the unknowns of the volume, and one more."""

SMOOTHING_S = 0.06
"""What the form leaves over is averaged over so much to either side of a moment and added: where a heart has another
form, its own counts."""

MIN_EJECTION_S = 0.06

_U: Array = np.linspace(0.0, 1.0, 21)
_EJECTED = share_ejected(_U)


@dataclass(frozen=True, slots=True)
class Systole:
    """Where a systole lies, and what it takes to read any curve of the same samples there.

    Attributes:
        t_ed_s, t_es_s: the moments.
        at_ed, at_es: (N,) weights of the samples; their product with a curve is its height at the moment.
        first, last: the samples that take part are those from `first` to before `last`.
        fit: share of the variance of the volume that the form explains, at most 1.
    """

    t_ed_s: float
    t_es_s: float
    at_ed: Array
    at_es: Array
    first: int
    last: int
    fit: float


def fit_systole(t_s: Array, curves: Array, t_ed_s: float, t_es_s: float, beat_s: float) -> Systole | None:
    """Fit one systole.

    Args:
        t_s: (M,) times of the samples, increasing.
        curves: (C, M); the volume, and any others that fall and rise with it, in any units. One that is not finite in
            all samples that take part has no say; the volume is.
        t_ed_s, t_es_s: about where they are, within 90 ms.
        beat_s: length of the beat.

    Returns:
        None with fewer than `MIN_SAMPLES` samples, or where the volume does not fall.
    """
    part = _part(t_s, curves, t_ed_s, t_es_s, beat_s)
    moments = _moments(part, t_ed_s, t_es_s, beat_s) if part is not None else None
    return _weights(part, *moments, beat_s) if part is not None and moments is not None else None


def fit_beginning(t_s: Array, curves: Array, t_ed_s: float, systole_s: float, beat_s: float) -> float | None:
    """ED of a systole that is still going on, whose length is known.

    Args:
        t_s, curves, t_ed_s, beat_s: as of `fit_systole`.
        systole_s: from ED to ES.

    Returns:
        In seconds; None with fewer than `MIN_SAMPLES` samples.
    """
    part = _part(t_s, curves, t_ed_s, t_ed_s + systole_s, beat_s)
    moments = _moments(part, t_ed_s, t_ed_s + systole_s, beat_s, length_known=True) if part is not None else None
    return moments[0] if moments is not None else None


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The samples that take part, from `first` to before `last`: their times (N,), the curves (C, N) less their means,
    and the usual distance of two samples."""

    first: int
    last: int
    t: Array
    y: Array
    gap_s: float


def _part(t_s: Array, curves: Array, t_ed_s: float, t_es_s: float, beat_s: float) -> _Part | None:
    # Not np.median: at its first call it loads a part of NumPy for 20 ms.
    gap_s = median(np.diff(t_s).tolist()) if len(t_s) > 1 else 0.0
    before_s, after_s = max(BEFORE_S, 1.5 * gap_s) + CLOCK_S, max(AFTER_S * _shorter(beat_s), 1.5 * gap_s) + CLOCK_S
    first, last = np.searchsorted(t_s, (t_ed_s - before_s, t_es_s + after_s)).tolist()
    if last - first < MIN_SAMPLES:
        return None
    y = curves[:, first:last]
    y = y[np.isfinite(y).all(axis=1)]
    return _Part(first, last, t_s[first:last], y - y.mean(axis=1, keepdims=True), gap_s)


def _moments(
    part: _Part, ed: float, es: float, beat_s: float, *, length_known: bool = False
) -> tuple[float, float] | None:
    """ED and ES where they are likeliest, around those given; with `length_known` at the same distance."""
    for step_s, steps in SEARCH_S:
        along: Array = step_s * np.arange(-steps, steps + 1, dtype=np.float64)
        # Where the length is known both moments move together.
        shifts = (along, along) if length_known else (np.repeat(along, len(along)), np.tile(along, len(along)))
        eds, ess = np.add(ed, shifts[0]), np.add(es, shifts[1])
        possible = ess - eds >= MIN_EJECTION_S
        if not possible.any():
            return None
        eds, ess = eds[possible], ess[possible]
        # Their mean, weighted by how likely they are: where two are about as likely, the least change of a picture
        # would choose the other.
        costs = _costs(part.t, part.y, eds, ess, beat_s)
        likely = np.exp(costs.min() - costs)
        ed, es = float(likely @ eds / likely.sum()), float(likely @ ess / likely.sum())
    return ed, es


def _weights(part: _Part, ed: float, es: float, beat_s: float) -> Systole | None:
    """The weights of the samples at the moments; None where the volume does not fall."""
    t, gap_s = part.t, part.gap_s
    slopes = _slopes(np.array([ed]), np.array([es]), beat_s)
    form = systole_form(t, *slopes)
    heights, left_over = systole_heights(form, part.y[:1])
    used = np.array([True, *(heights[0, 0, 1:] > 0)])
    if not used[2]:
        return None
    form = form[0][:, used]
    moments = np.array([ed, es])
    near = np.abs(t - moments[:, None]) <= max(SMOOTHING_S, 1.01 * gap_s) + CLOCK_S
    mean = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    here = systole_form(moments, *slopes)[0][:, used]
    at = (here - mean @ form) @ np.linalg.pinv(form) + mean
    fit = 1 - float(left_over[0, 0]) / max(float((part.y[0] ** 2).sum()), 1e-30)
    return Systole(ed, es, at[0], at[1], part.first, part.last, fit)


def _shorter(beat_s: float) -> float:
    """How much shorter the isovolumic phases and the valve's motion are in a beat of that length: a factor."""
    return min(1.0, beat_s / USUAL_BEAT_S)


def _ejection_s(beat_s: float) -> float:
    """How long ejection usually lasts: 413 ms - 1.7 ms a beat a minute; above the rates of that line's data 0.4 of the
    beat, as there."""
    return 0.413 - 0.0017 * 60 / beat_s if 60 / beat_s <= FASTEST_OF_LINE else 0.4 * beat_s


def _contraction_s(beat_s: float) -> float:
    return CONTRACTION_S * _shorter(beat_s)


def _relaxation_s(beat_s: float) -> float:
    return RELAXATION_S * _shorter(beat_s)


def _kick_and_filling(diastole_s: Array) -> tuple[Array, Array]:
    """How long the kick and rapid filling last in diastoles of that length, relaxation left out."""
    return np.minimum(KICK_S, KICK_SHARE * diastole_s), np.minimum(FILLING_S, FILLING_SHARE * diastole_s)


def kick_s(beat_s: float, systole_s: float) -> float:
    """How long before the next ED the atrium begins to contract, in a heart as most.

    Args:
        beat_s: length of the beat.
        systole_s: from ED to ES.
    """
    return float(_kick_and_filling(np.array(max(beat_s - systole_s - _relaxation_s(beat_s), 0.05)))[0])


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
    part = _part(t_s, volume[None], t_ed_s, t_es_s, beat_s)
    if part is None:
        return None
    usual = _contraction_s(beat_s), _relaxation_s(beat_s)
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
        misfit = native.systole_misfits(part.t, part.y, *_slopes(*moments, beat_s, (contraction, relaxation)))
        odd = ((contraction - usual[0]) ** 2 + (relaxation - usual[1]) ** 2) / VALVES_WITHIN_S**2
        costs = 0.5 * EFFECTIVE_SHARE * len(part.t) * np.log(_floored(misfit, part.y)).sum(axis=1) + 0.5 * odd
        likely = np.exp(costs.min() - costs)
        found = float(likely @ contraction / likely.sum()), float(likely @ relaxation / likely.sum())
    return found


def _usual_systole_s(beat_s: float) -> float:
    """From the closing of the mitral valve to that of the aortic one."""
    return _ejection_s(beat_s) + _contraction_s(beat_s)


def ejected_s(share: float, beat_s: float) -> float:
    """From ED until such a share of the stroke volume has left, in a heart as most."""
    return _contraction_s(beat_s) + float(np.interp(share, _EJECTED, _U)) * _ejection_s(beat_s)


def _costs(t: Array, y: Array, eds: Array, ess: Array, beat_s: float) -> Array:
    """(K,) minus the logarithm of how likely K pairs of moments are, whatever the heights and the noise of each curve
    of `y` (C, N)."""
    misfit = _floored(native.systole_misfits(t, y, *_slopes(eds, ess, beat_s)), y)
    late = (ess - eds - _usual_systole_s(beat_s)) / USUAL_WITHIN_S
    costs: Array = 0.5 * EFFECTIVE_SHARE * len(t) * np.log(misfit).sum(axis=1) + np.log1p(late * late)
    return costs


def _floored(misfit: Array, y: Array) -> Array:
    """With the least that can be told from rounding and from a form that is not quite the heart's."""
    floored: Array = np.maximum(misfit, 0.0) + 1e-6 * (y * y).sum(axis=1) + 1e-30
    return floored


def _slopes(
    eds: Array, ess: Array, beat_s: float, valves_s: tuple[Array | float, Array | float] | None = None
) -> tuple[Array, Array]:
    """When the slopes of `systole_form` begin for K pairs of moments, and how long they last: (5, K) each, in
    seconds. `valves_s` are isovolumic contraction and relaxation, where they are not as usual."""
    contraction, relaxation = valves_s or (_contraction_s(beat_s), _relaxation_s(beat_s))
    valve, systole = np.full(len(eds), VALVE_S * _shorter(beat_s)), ess - eds
    kick, filling = _kick_and_filling(np.maximum(beat_s - systole - relaxation, 0.05))
    opens = ess + relaxation
    begins = np.stack([eds - kick, eds + contraction, opens, eds - valve / 2, opens])
    lasts = np.stack([kick, np.maximum(systole - contraction, MIN_EJECTION_S), filling, valve, valve])
    return begins, lasts
