"""How the phantom moves: its wall, its base, its speckle and its rhythm."""

from __future__ import annotations

import numpy as np
import pytest

from echo_rt.arrays import Array
from echo_rt.phantom import SEGMENTS
from support.phantoms import ed_and_es, heart, on_axis


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_wall_thickens_so_that_the_muscle_keeps_its_volume(seed: int) -> None:
    phantom = heart(seed=seed, ef=60, height=480, width=640, mirror=bool(seed % 2))
    muscle, area = [], []
    for k in range(*ed_and_es(phantom), 3):
        wall = np.argwhere(phantom.mask(k) == 2)[:, ::-1].astype(float)
        distance = np.abs(on_axis(wall, phantom.contour(k))[:, 0])
        # Turned around the long axis; both sides count half.
        muscle.append(np.pi * distance.sum())
        area.append(len(wall))
    assert np.ptp(muscle) < 0.08 * np.mean(muscle)
    assert area[-1] > 1.05 * area[0]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_apex_hardly_moves_and_the_base_descends_towards_it(seed: int) -> None:
    phantom = heart(seed=seed, ef=60)
    spacing = phantom.spacing_mm
    assert spacing is not None
    ed, es = (phantom.contour(k) * spacing[0] for k in ed_and_es(phantom))
    moved = on_axis(es, ed) - on_axis(ed, ed)
    tip = [np.argwhere(phantom.mask(k) == 2)[:, 0].min() * spacing[0] for k in ed_and_es(phantom)]
    assert moved[[0, -1], 1].mean() > 0.08 * phantom.truth(ed_and_es(phantom)[0]).length_mm
    assert moved[len(moved) // 2, 1] < 0.4 * moved[[0, -1], 1].mean()
    assert abs(tip[1] - tip[0]) < 3
    # The endocardium comes in a little at the apex too, because the wall thickens; the heart as a whole does not slide.
    assert np.linalg.norm(es[len(es) // 2] - ed[len(ed) // 2]) < 6


@pytest.mark.parametrize("segment", SEGMENTS)
def test_an_akinetic_segment_moves_less_than_it_would_and_the_others_as_ever(segment: str) -> None:
    inwards: dict[bool, Array] = {}
    for held in (False, True):
        phantom = heart(seed=7, ef=55, akinetic=(segment,) if held else ())
        ed, es = (on_axis(c, c) for c in map(phantom.contour, ed_and_es(phantom)))
        inwards[held] = np.abs(ed[:, 0]) - np.abs(es[:, 0])
        height = ed[:, 1] / ed[:, 1].max()
    level, side = segment.split("_")
    low, high = {"basal": (0, 1 / 3), "mid": (1 / 3, 2 / 3), "apical": (2 / 3, 0.97)}[level]
    half = len(height) // 2
    septal = np.arange(len(height)) < half
    inside = (height > low) & (height < high) & (septal == (side == "septal"))
    # The first and last points of a segment are dragged along by its neighbours.
    core = np.flatnonzero(inside)[2:-2]
    assert np.mean(inwards[True][core]) < 0.35 * np.mean(inwards[False][core])
    opposite = np.flatnonzero(septal == (side != "septal"))[3:-3]
    assert np.mean(inwards[True][opposite]) == pytest.approx(np.mean(inwards[False][opposite]), rel=0.1)
    assert heart(seed=7, ef=55, akinetic=(segment,)).beats()[0].ef_percent < 54


def test_foreshortening_shortens_by_the_fraction_and_leaves_ef() -> None:
    for share in (0.1, 0.25, 0.4):
        for seed in (1, 2, 3):
            whole, short = heart(seed=seed), heart(seed=seed, foreshorten=share)
            ed, _ = ed_and_es(whole)
            assert short.truth(ed).length_mm == pytest.approx((1 - share) * whole.truth(ed).length_mm, rel=0.02)
            assert short.truth(ed).volume_ml == pytest.approx((1 - share) * whole.truth(ed).volume_ml, rel=0.01)
            assert short.beats()[0].ef_percent == pytest.approx(55, abs=0.1)


def test_speckle_goes_with_the_tissue() -> None:
    patch, in_place, along = 6, [], []
    for seed in (1, 2, 3):
        phantom = heart(
            seed=seed, height=480, width=640, overlay=False, persistence=0, noise=0, dropout=0, shadow=0, variety=0.3
        )
        ed, es = ed_and_es(phantom)
        k = ed + (es - ed) // 3
        images = [phantom.frame(j).image.astype(float) for j in (k, k + 4)]
        walls = [phantom.mask(j) == 2 for j in (k, k + 4)]
        start, end = (phantom.contour(j) for j in (k, k + 4))
        middle = start.mean(axis=0)
        for p, q in zip(start[3:-3:2], end[3:-3:2], strict=True):
            # In the wall, 4 mm outside of the endocardium.
            out = (p - middle) / np.linalg.norm(p - middle) * 4 / phantom.scene.sector.spacing_mm
            a, b = np.round(p + out).astype(int), np.round(q + out).astype(int)
            if np.hypot(*(b - a)) < 4 or not (walls[0][a[1], a[0]] and walls[1][b[1], b[0]]):
                continue
            cut = [
                images[n][y - patch : y + patch + 1, x - patch : x + patch + 1].ravel()
                for n, (x, y) in ((0, a), (1, a), (1, b))
            ]
            if min(c.std() for c in cut) > 1:
                in_place.append(np.corrcoef(cut[0], cut[1])[0, 1])
                along.append(np.corrcoef(cut[0], cut[2])[0, 1])
    assert len(along) > 30
    assert np.mean(along) > 0.5
    assert np.mean(along) > np.mean(in_place) + 0.2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_atrial_fibrillation_is_irregular_and_has_no_atrial_kick(seed: int) -> None:
    sinus, af = (heart(seed=seed, rhythm=rhythm, seconds=30, hr_variability=0.03) for rhythm in ("sinus", "af"))
    spread = [np.std(rr) / np.mean(rr) for p in (sinus, af) for rr in [[b.t_next_ed_s - b.t_ed_s for b in p.beats()]]]
    assert spread[0] < 0.06
    assert spread[1] > 0.1
    phases = [{p.truth(k).phase for k in range(0, 1500, 3)} for p in (sinus, af)]
    assert "atrial contraction" in phases[0]
    assert "atrial contraction" not in phases[1]
    assert np.std([beat.ef_percent for beat in af.beats()]) > 1


def test_an_ectopic_beat_is_early_weak_and_flagged() -> None:
    beats = heart(rhythm="ectopic", seconds=40, hr_variability=0.02).beats()
    rr = np.array([beat.t_next_ed_s - beat.t_ed_s for beat in beats])
    early = [n for n, beat in enumerate(beats) if beat.ectopic]
    assert 3 <= len(early) <= len(beats) / 3
    for n in early:
        if n:
            assert rr[n - 1] < 0.75 * np.median(rr)
        assert rr[n] > 1.2 * np.median(rr)
        assert beats[n].ef_percent < 40
    regular = [n for n in range(len(beats) - 1) if not beats[n].ectopic and not beats[n + 1].ectopic]
    assert rr[regular] == pytest.approx(np.median(rr), rel=0.1)
