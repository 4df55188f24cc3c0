"""How long the phases of a beat last, by the literature: `echo_rt.cardiac.systole` is fitted with them."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.reference.systole import share_ejected

CONTRACTION_S, RELAXATION_S = 0.05, 0.07
"""Isovolumic phases of a beat of `USUAL_BEAT_S` or longer; of a shorter one in proportion."""

USUAL_BEAT_S = 0.8

KICK_S, FILLING_S = 0.13, 0.19
"""Atrial kick and rapid filling, and how much of the diastole they take at most: `KICK_SHARE`, `FILLING_SHARE`."""

KICK_SHARE, FILLING_SHARE = 0.4, 0.55

VALVE_S = 0.05
"""How long the mitral valve takes to close, half of it before ED, and to open, from the end of relaxation on."""

FASTEST_OF_LINE = 147.0
"""Beats a minute up to which the length of ejection follows the line of Weissler."""

MIN_EJECTION_S = 0.06

_U: Array = np.linspace(0.0, 1.0, 21)
_EJECTED = share_ejected(_U)


def shorter(beat_s: float) -> float:
    """How much shorter the isovolumic phases and the valve's motion are in a beat of that length: a factor."""
    return min(1.0, beat_s / USUAL_BEAT_S)


def _ejection_s(beat_s: float) -> float:
    """How long ejection usually lasts: 413 ms - 1.7 ms a beat a minute; above the rates of that line's data 0.4 of the
    beat, as there."""
    return 0.413 - 0.0017 * 60 / beat_s if 60 / beat_s <= FASTEST_OF_LINE else 0.4 * beat_s


def contraction_s(beat_s: float) -> float:
    return CONTRACTION_S * shorter(beat_s)


def relaxation_s(beat_s: float) -> float:
    return RELAXATION_S * shorter(beat_s)


def _kick_and_filling(diastole_s: Array) -> tuple[Array, Array]:
    """How long the kick and rapid filling last in diastoles of that length, relaxation left out."""
    return np.minimum(KICK_S, KICK_SHARE * diastole_s), np.minimum(FILLING_S, FILLING_SHARE * diastole_s)


def kick_s(beat_s: float, systole_s: float) -> float:
    """How long before the next ED the atrium begins to contract, in a heart as most.

    Args:
        beat_s: length of the beat.
        systole_s: from ED to ES.
    """
    return float(_kick_and_filling(np.array(max(beat_s - systole_s - relaxation_s(beat_s), 0.05)))[0])


def usual_systole_s(beat_s: float) -> float:
    """From the closing of the mitral valve to that of the aortic one."""
    return _ejection_s(beat_s) + contraction_s(beat_s)


def ejected_s(share: float, beat_s: float) -> float:
    """From ED until such a share of the stroke volume has left, in a heart as most."""
    return contraction_s(beat_s) + float(np.interp(share, _EJECTED, _U)) * _ejection_s(beat_s)


def slopes(
    eds: Array, ess: Array, beat_s: float, valves_s: tuple[Array | float, Array | float] | None = None
) -> tuple[Array, Array]:
    """When the slopes of `systole_form` begin for K pairs of moments, and how long they last: (5, K) each, in
    seconds. `valves_s` are isovolumic contraction and relaxation, where they are not as usual."""
    contraction, relaxation = valves_s or (contraction_s(beat_s), relaxation_s(beat_s))
    valve, systole = np.full(len(eds), VALVE_S * shorter(beat_s)), ess - eds
    kick, filling = _kick_and_filling(np.maximum(beat_s - systole - relaxation, 0.05))
    opens = ess + relaxation
    begins = np.stack([eds - kick, eds + contraction, opens, eds - valve / 2, opens])
    lasts = np.stack([kick, np.maximum(systole - contraction, MIN_EJECTION_S), filling, valve, valve])
    return begins, lasts
