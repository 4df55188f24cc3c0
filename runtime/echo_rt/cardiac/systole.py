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
from echo_rt.cardiac.phases import MIN_EJECTION_S, shorter, slopes, usual_systole_s
from echo_rt.frame import CLOCK_S
from echo_rt.reference.systole import systole_form, systole_heights

BEFORE_S, AFTER_S = 0.10, 0.17
"""How much of the curve before ED and after ES takes part. Further away the heart may do what it likes."""

SEARCH_S = ((0.02, 4), (0.005, 2), (0.0015, 2))
"""The search, coarse to fine: steps of so many seconds, so many to either side of the mean so far. Together they reach
94 ms."""

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
    part = part_around(t_s, curves, t_ed_s, t_es_s, beat_s)
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
    part = part_around(t_s, curves, t_ed_s, t_ed_s + systole_s, beat_s)
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


def part_around(t_s: Array, curves: Array, t_ed_s: float, t_es_s: float, beat_s: float) -> _Part | None:
    # Not np.median: at its first call it loads a part of NumPy for 20 ms.
    gap_s = median(np.diff(t_s).tolist()) if len(t_s) > 1 else 0.0
    before_s, after_s = max(BEFORE_S, 1.5 * gap_s) + CLOCK_S, max(AFTER_S * shorter(beat_s), 1.5 * gap_s) + CLOCK_S
    first, last = _span(t_s, t_ed_s - before_s, t_es_s + after_s)
    if last - first < MIN_SAMPLES:
        return None
    y = curves[:, first:last]
    y = y[np.isfinite(y).all(axis=1)]
    return _Part(first, last, t_s[first:last], y - y.mean(axis=1, keepdims=True), gap_s)


def _span(t_s: Array, begin_s: float, end_s: float) -> tuple[int, int]:
    """The samples between two moments, from the first to before the last."""
    first, last = np.searchsorted(t_s, (begin_s, end_s)).tolist()
    if last - first == MIN_SAMPLES - 1:
        # A heart that has eight or nine frames a beat may show one too few by chance. The nearest outside takes part.
        before_s = begin_s - float(t_s[first - 1]) if first else np.inf
        after_s = float(t_s[last]) - end_s if last < len(t_s) else np.inf
        if before_s < after_s:
            first -= 1
        elif last < len(t_s):
            last += 1
    return first, last


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
    begins_and_lasts = slopes(np.array([ed]), np.array([es]), beat_s)
    form = systole_form(t, *begins_and_lasts)
    heights, left_over = systole_heights(form, part.y[:1])
    used = np.array([True, *(heights[0, 0, 1:] > 0)])
    if not used[2]:
        return None
    form = form[0][:, used]
    moments = np.array([ed, es])
    near = np.abs(t - moments[:, None]) <= max(SMOOTHING_S, 1.01 * gap_s) + CLOCK_S
    mean = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    here = systole_form(moments, *begins_and_lasts)[0][:, used]
    at = (here - mean @ form) @ np.linalg.pinv(form) + mean
    fit = 1 - float(left_over[0, 0]) / max(float((part.y[0] ** 2).sum()), 1e-30)
    return Systole(ed, es, at[0], at[1], part.first, part.last, fit)


def _costs(t: Array, y: Array, eds: Array, ess: Array, beat_s: float) -> Array:
    """(K,) minus the logarithm of how likely K pairs of moments are, whatever the heights and the noise of each curve
    of `y` (C, N)."""
    misfit = floored_misfit(native.systole_misfits(t, y, *slopes(eds, ess, beat_s)), y)
    late = (ess - eds - usual_systole_s(beat_s)) / USUAL_WITHIN_S
    costs: Array = 0.5 * EFFECTIVE_SHARE * len(t) * np.log(misfit).sum(axis=1) + np.log1p(late * late)
    return costs


def floored_misfit(misfit: Array, y: Array) -> Array:
    """With the least that can be told from rounding and from a form that is not quite the heart's."""
    floored: Array = np.maximum(misfit, 0.0) + 1e-6 * (y * y).sum(axis=1) + 1e-30
    return floored
