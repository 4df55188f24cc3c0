"""The mitral annulus: how far it comes to the apex (MAPSE), and how fast.

MAPSE is measured as M-mode does (Hu et al., Eur Heart J Cardiovasc Imaging 14:205-212, 2013): along the long axis of
ED, against the picture, from ED to ES. A heart that moves as a whole between the two adds to it, there as here.

The velocities are the steepest rise of the same curve in ejection (s'), and the steepest falls in early filling (e')
and with the atrium's contraction (a'): names of Nagueh et al. (J Am Soc Echocardiogr 29:277-314, 2016). Tissue Doppler
measures them at 100 frames a second and more; a curve of fewer flattens its peaks.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from echo_rt.arrays import Array
from echo_rt.cardiac.measures.beat_samples import KICK_HALF_WINDOW_S, UNCALIBRATED, BeatSamples
from echo_rt.measures import LENGTH, Measure, Normal, Unknown

SIDES = {"septal": ("A4C", 0), "lateral": ("A4C", 1), "inferior": ("A2C", 0), "anterior": ("A2C", 1)}
"""In which view each side of the annulus is seen, and whether it is on the left (0) or on the right (1) of the standard
display."""

MIN_VELOCITY_FPS = 40.0
"""Frames a second from which on velocities are told."""

MAPSE = "Hu et al., Eur Heart J Cardiovasc Imaging 14:205-212, 2013"
VELOCITY = "Nagueh et al., J Am Soc Echocardiogr 29:277-314, 2016"


def excursion(hinge_ed: Array, hinge_es: Array, middle_ed: Array, apex_ed: Array) -> float:
    """How far a hinge point (2,) comes towards the apex along the long axis of ED; all in one unit of length."""
    axis = apex_ed - middle_ed
    return float((hinge_es - hinge_ed) @ axis / np.hypot(*axis))


def mapse(beat: BeatSamples, side: str) -> float:
    """In the beat's unit of length."""
    at_ed, at_es = beat.moments @ towards_apex(beat, side)
    return float(at_es - at_ed)


def towards_apex(beat: BeatSamples, side: str) -> Array:
    """(N,) how far a side of the annulus is along the long axis of ED, in the beat's unit of length."""
    _, place = SIDES[side]
    at_ed = beat.moments[0] @ beat.shape
    hinges, apex = at_ed[1:5].reshape(2, 2), at_ed[5:7]
    # Which hinge is on the left of the picture, whichever way up it is.
    left = int(hinges[0, 0] > hinges[1, 0]) ^ int(beat.mirrored)
    axis = apex - hinges.mean(axis=0)
    hinge = beat.shape[:, 1:5].reshape(-1, 2, 2)[:, left ^ place]
    along: Array = hinge @ axis / np.hypot(*axis)
    return along


def velocity(beat: BeatSamples, side: str, peak: str) -> float:
    """One of the peaks ``s``, ``e`` and ``a``, in cm/s; positive as usual, whichever way it goes."""
    if not beat.scale.calibrated:
        raise Unknown(UNCALIBRATED)
    if beat.fps < MIN_VELOCITY_FPS:
        raise Unknown(f"needs {MIN_VELOCITY_FPS:.0f} frames a second, found {beat.fps:.0f}")
    one, along = beat.beat, towards_apex(beat, side)
    if peak == "s":
        return beat.steepest(along, one.t_ed_s, one.t_es_s).rate / 10
    if peak == "e":
        return beat.steepest(-along, one.t_es_s, beat.kick_begins_s).rate / 10
    return beat.steepest(-along, beat.kick_begins_s, one.t_next_ed_s, KICK_HALF_WINDOW_S).rate / 10


def _velocities(side: str) -> tuple[Measure, ...]:
    usual = {"septal": 7.0, "lateral": 10.0}.get(side)
    normal = None if usual is None else Normal(usual, None, f"by tissue Doppler: {VELOCITY}")
    return tuple(
        Measure(
            f"{peak}_prime_{side}",
            f"{peak}', {side}",
            "cm/s",
            1,
            VELOCITY,
            partial(velocity, side=side, peak=peak),
            group="Annulus",
            normal=normal if peak == "e" else None,
            view=SIDES[side][0],
        )
        for peak in ("s", "e", "a")
    )


MEASURES = tuple(
    measure
    for side in SIDES
    for measure in (
        Measure(
            f"mapse_{side}",
            f"MAPSE, {side}",
            LENGTH,
            1,
            MAPSE,
            partial(mapse, side=side),
            group="Annulus",
            normal=Normal(10.0, None, MAPSE) if side in ("septal", "lateral") else None,
            foremost=True,
            view=SIDES[side][0],
        ),
        *_velocities(side),
    )
)
