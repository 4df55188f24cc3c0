"""The truth of every further measure of a beat, by the phantom's own geometry: exact, without a picture.

Definitions as in `echo_rt.cardiac.measures`, written a second time on the polygons that are drawn. Lengths and volumes
are those of the cavity as drawn. Where the phantom has no atrial kick, as in atrial fibrillation, what the kick does is
left out.
"""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.cavity import DISKS, SIDE, U
from echo_rt.phantom.cycle import Cycle
from echo_rt.phantom.motion import carry
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.truth import polygon_area
from echo_rt.reading import SEGMENTS

STEP_S = 0.002
"""Between the moments at which rates are taken."""

ROOF_SHELL = 0.9
"""The axis of the atrium points to the mean of the points at least this fraction as far as the farthest."""


def beat_measures(scene: Scene, cycle: Cycle, akinetic: tuple[str, ...] = ()) -> dict[str, float]:
    """Of each measure's name, with its unit, the truth of one beat.

    Args:
        scene: heart, beats and probe.
        cycle: the beat.
        akinetic: the segments that stand still.
    """
    ed, es = scene.state(cycle.start_s), scene.state(cycle.es_s)
    return {
        "ls_a4c_percent": 100 * (_length(es.endo) / _length(ed.endo) - 1),
        "ls_speckle_a4c_percent": _mid_wall_percent(ed, es),
        "sphericity": _chord(ed.endo, 0.5) / ed.length,
        "rwt": _relative_thickness(ed),
        "wmsi": (len(SEGMENTS) + 2 * len(akinetic)) / len(SEGMENTS),
        **_annulus(scene, cycle),
        **_volumes(cycle, ed, es),
        **_atrium(scene, cycle, ed, es),
        **_times(scene, cycle),
    }


def _length(points: Array) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _chord(endo: Array, height: float) -> float:
    """Width of the cavity at a share of the long axis."""
    base = (endo[0, 1] + endo[-1, 1]) / 2
    z = base + height * (endo[SIDE - 1, 1] - base)
    right = np.interp(z, endo[: SIDE - 2 : -1, 1], endo[: SIDE - 2 : -1, 0])
    return float(right - np.interp(z, endo[:SIDE, 1], endo[:SIDE, 0]))


def _relative_thickness(ed: State) -> float:
    """Twice the mean thickness of basal and middle segments over the mean width there."""
    thick = np.hypot(*(ed.epi - ed.endo).T)
    u = np.linspace(0, 2 / 3, 41)[1::2]
    mean = np.mean([np.interp(u, U, side).mean() for side in (thick[:SIDE], thick[: SIDE - 2 : -1])])
    return float(2 * mean / np.mean([_chord(ed.endo, height) for height in u.tolist()]))


def _mid_wall_percent(ed: State, es: State) -> float:
    """Strain of the line through the middle of both walls from the basal third's middle to the apical third's, as the
    tissue is carried."""
    middle = (ed.endo + ed.epi) / 2
    strains = []
    for side in (middle[:SIDE], middle[: SIDE - 2 : -1]):
        way = np.r_[0.0, np.cumsum(np.hypot(*np.diff(side, axis=0).T))]
        inner = np.stack([np.interp(np.linspace(1 / 6, 5 / 6, 60) * way[-1], way, side[:, axis]) for axis in (0, 1)])
        strains.append(_length(np.stack(carry(inner[0], inner[1], ed, es), axis=1)) / _length(inner.T) - 1)
    return float(100 * np.mean(strains))


def _annulus(scene: Scene, cycle: Cycle) -> dict[str, float]:
    """How far and how fast both sides come to the apex, along the long axis of ED, as the probe sees it."""
    times = np.arange(cycle.start_s, cycle.end_s + STEP_S, STEP_S)
    ed = _seen(scene, cycle.start_s)
    axis = ed[2] - ed[:2].mean(axis=0)
    axis = axis / np.hypot(*axis)
    along = np.array([_seen(scene, t)[:2] @ axis for t in times.tolist()])  # (K, 2)
    at_es = _seen(scene, cycle.es_s)[:2] @ axis
    cm_s = np.gradient(along, times, axis=0) / 10
    found = {}
    for n, side in enumerate(("septal", "lateral")):
        found[f"mapse_{side}_mm"] = float(at_es[n] - ed[n] @ axis)
        for name, sign, first_s, last_s in _phases(cycle):
            inside = (times >= first_s + STEP_S) & (times <= last_s - STEP_S)
            if inside.any():
                found[f"{name}_prime_{side}_cm_s"] = float((sign * cm_s[inside, n]).max())
    return found


def _phases(cycle: Cycle) -> list[tuple[str, int, float, float]]:
    """Name of each peak of the annulus, its sign, and the part of the beat that it lies in."""
    kick_s = cycle.start_s + cycle.marks_s[4]
    phases = [("s", 1, cycle.start_s, cycle.es_s), ("e", -1, cycle.es_s, kick_s)]
    return phases + [("a", -1, kick_s, cycle.end_s)] * (kick_s < cycle.end_s)


def _seen(scene: Scene, t_s: float) -> Array:
    """(3, 2) the hinges and the apex against the probe, in mm."""
    state = scene.state(t_s)
    return scene.placement.pose(t_s, state.contraction).to_probe(state.endo[[0, -1, SIDE - 1]])


def _volumes(cycle: Cycle, ed: State, es: State) -> dict[str, float]:
    stroke = ed.volume_ml - es.volume_ml
    return {"sv_ml": stroke, "co_l_min": stroke * 60 / (cycle.end_s - cycle.start_s) / 1000}


def _atrium(scene: Scene, cycle: Cycle, ed: State, es: State) -> dict[str, float]:
    (largest, by_area), (smallest, _) = atrial_volumes_ml(es), atrial_volumes_ml(ed)
    found = {
        "lav_max_ml": largest,
        "lav_max_area_length_ml": by_area,
        "lav_min_ml": smallest,
        "la_reservoir_ml": largest - smallest,
        "la_emptying_percent": 100 * (1 - smallest / largest),
    }
    if cycle.marks_s[4] < cycle.marks_s[5]:
        before, _ = atrial_volumes_ml(scene.state(cycle.start_s + cycle.marks_s[4]))
        found |= {
            "lav_pre_a_ml": before,
            "la_conduit_ml": largest - before,
            "la_booster_ml": before - smallest,
            "la_emptying_passive_percent": 100 * (1 - before / largest),
            "la_emptying_active_percent": 100 * (1 - smallest / before),
        }
    return found


def atrial_volumes_ml(state: State) -> tuple[float, float]:
    """Of the left atrium by disks, and by area and length."""
    points = state.atrium - state.endo[[0, -1]].mean(axis=0)
    away = np.hypot(*points.T)
    axis = points[away >= ROOF_SHELL * away.max()].mean(axis=0)
    axis = axis / np.hypot(*axis)
    # Dense, so that a chord can be read off by height on either side of the axis.
    share = np.linspace(0, 1, 20, endpoint=False)[:, None]
    fine = np.concatenate([a + (b - a) * share for a, b in zip(points, np.roll(points, -1, axis=0), strict=True)])
    high, wide = fine @ axis, fine @ np.array([-axis[1], axis[0]])
    ends = high[(np.abs(wide) < 0.6) & (high > 0)]
    length = float(ends.max())
    diameters = []
    for z in (np.arange(DISKS) + 0.5) / DISKS * length:
        rising = (high - z) * (np.roll(high, -1) - z) <= 0
        diameters.append(float(np.ptp(wide[rising])) if rising.sum() > 1 else 0.0)
    disks = np.pi / 4 * np.square(diameters).sum() * length / DISKS / 1000
    return float(disks), 8 * polygon_area(points) ** 2 / (3 * np.pi * length) / 1000


def _times(scene: Scene, cycle: Cycle) -> dict[str, float]:
    contraction, ejection, relaxation = cycle.marks_s[:3]
    beat_s, kick_s = cycle.end_s - cycle.start_s, cycle.marks_s[4]
    times = np.arange(0.0, beat_s + STEP_S / 2, STEP_S)
    volume = np.array([scene.ventricle.at(cycle.volume_ml(cycle.start_s + t)).volume_ml for t in times.tolist()])
    rate = np.gradient(volume, times) / volume[0]
    ejecting, filling = times <= ejection, (times >= ejection) & (times <= kick_s)
    third = float(np.interp(ejection + (beat_s - ejection) / 3, times, volume))
    low, end = float(np.interp(ejection, times, volume)), float(volume[-1])
    return {
        "per_per_s": float(-rate[ejecting].min()),
        "pfr_per_s": float(rate[filling].max()),
        "time_to_per_ms": 1e3 * float(times[ejecting][rate[ejecting].argmin()]),
        "time_to_pfr_ms": 1e3 * float(times[filling][rate[filling].argmax()] - ejection),
        "et_ms": 1e3 * (ejection - contraction),
        "ivct_ms": 1e3 * contraction,
        "ivrt_ms": 1e3 * (relaxation - ejection),
        "filling_time_percent": 100 * (beat_s - relaxation) / beat_s,
        "first_third_filling_percent": 100 * (third - low) / (end - low),
    }
