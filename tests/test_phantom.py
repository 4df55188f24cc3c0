"""The phantom's statements about itself: what it draws, how it moves, and what it refuses."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from echo_rt.errors import ParameterError
from echo_rt.phantom import SEGMENTS, Phantom, PhantomOptions, random_options
from echo_rt.phantom.options import RANGES
from echo_rt.sources import open_source

Array = NDArray[np.float64]
SMALL = {"height": 240, "width": 320}


def heart(**options) -> Phantom:
    return Phantom(PhantomOptions(**{"seconds": 4.0, "hr_variability": 0.0, "breathing": 0.0, **SMALL, **options}))


def at(phantom: Phantom, t_s: float) -> int:
    return round(t_s * phantom.options.fps)


def ed_and_es(phantom: Phantom) -> tuple[int, int]:
    beat = phantom.beats()[0]
    return at(phantom, beat.t_ed_s), at(phantom, beat.t_es_s)


def on_axis(contour: Array, axis: Array) -> Array:
    """Points (N, 2) as (across, along) the long axis of the contour `axis`, from the middle of its hinges; its apex has
    along > 0."""
    middle = (axis[0] + axis[-1]) / 2
    along = axis[len(axis) // 2] - middle
    along /= np.linalg.norm(along)
    return (contour - middle) @ np.stack([[-along[1], along[0]], along], axis=1)


def disks_ml(contour_mm: Array) -> float:
    """Method of disks by where 20 lines cross the closed polygon."""
    points = on_axis(contour_mm, contour_mm)
    length = points[len(points) // 2, 1]
    start, end = points, np.roll(points, -1, axis=0)
    total = 0.0
    for height in (np.arange(20) + 0.5) / 20 * length:
        cut = (start[:, 1] > height) != (end[:, 1] > height)
        share = (height - start[cut, 1]) / (end[cut, 1] - start[cut, 1])
        across = start[cut, 0] + share * (end[cut, 0] - start[cut, 0])
        total += np.pi / 4 * np.ptp(across) ** 2 * length / 20
    return total / 1000


# -- reproducible ----------------------------------------------------------------------------------------------------------------


def test_the_seed_alone_decides_what_is_drawn() -> None:
    first, again, other = (heart(seed=seed).frame(9).image for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.2


@pytest.mark.parametrize("options", [{}, {"persistence": 0.0, "overlay": False}, {"persistence": 0.6, "rhythm": "af"}])
def test_a_frame_on_demand_equals_the_frame_in_its_turn(options: dict) -> None:
    in_turn = list(islice(heart(seed=4, **options), 6))
    phantom = heart(seed=4, **options)
    for k in (5, 0, 3, 4, 1):
        frame = phantom.frame(k)
        np.testing.assert_array_equal(frame.image, in_turn[k].image)
        assert (frame.index, frame.t_s, frame.spacing_mm) == (k, in_turn[k].t_s, in_turn[k].spacing_mm)


def test_the_uri_gives_the_same_recording_as_the_options_and_it_ends_on_time() -> None:
    with open_source(
        "phantom:?seed=3&height=240&width=320&seconds=0.2&fps=30&akinetic=mid_septal,apical_septal&mirror=1"
    ) as source:
        frames = list(source)
    options = PhantomOptions(
        seed=3, seconds=0.2, fps=30, akinetic=("mid_septal", "apical_septal"), mirror=True, **SMALL
    )
    np.testing.assert_array_equal(frames[-1].image, Phantom(options).frame(5).image)
    assert [frame.index for frame in frames] == list(range(6))


def test_an_endless_feed_goes_on() -> None:
    feed = heart(seconds=0, seed=2)
    assert feed.frames is None
    assert [frame.index for frame in islice(feed, 30)] == list(range(30))
    # An hour later the heart still beats.
    volumes = [feed.truth(180_000 + k).volume_ml for k in range(50)]
    assert min(volumes) < 0.6 * max(volumes)
    assert feed.frame(180_000).image.shape == (240, 320, 3)
    with pytest.raises(ParameterError, match="until_s"):
        feed.beats()


def test_there_is_no_frame_outside_the_recording() -> None:
    for k in (-1, 200):
        with pytest.raises(ParameterError, match="expected a frame from 0 to 199"):
            heart().frame(k)


# -- truth -----------------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(10, 80),
    st.sampled_from([(), ("mid_lateral",), ("basal_septal", "apical_septal")]),
)
def test_the_true_volume_is_the_disk_volume_of_the_drawn_contour(
    seed: int, ef: float, akinetic: tuple[str, ...]
) -> None:
    phantom = heart(seed=seed, ef=ef, akinetic=akinetic)
    spacing = phantom.spacing_mm
    assert spacing is not None
    for k in (*ed_and_es(phantom), 77):
        contour, truth = phantom.contour(k) * spacing[0], phantom.truth(k)
        assert truth.volume_ml == pytest.approx(disks_ml(contour), rel=1e-3)
        assert truth.length_mm == pytest.approx(on_axis(contour, contour)[:, 1].max(), rel=0.01)
        np.testing.assert_allclose(truth.hinges, phantom.contour(k)[[0, -1]])
        cavity_mm2 = np.sum(phantom.mask(k) == 1) * spacing[0] * spacing[1]
        assert cavity_mm2 == pytest.approx(truth.area_mm2, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 80), st.floats(30, 220), st.integers(0, 2**32 - 1), st.floats(0, 0.3))
def test_the_true_ef_of_a_sinus_beat_is_the_one_asked_for(
    ef: float, hr: float, seed: int, hr_variability: float
) -> None:
    phantom = heart(ef=ef, hr=hr, seed=seed, hr_variability=hr_variability, seconds=8)
    assert phantom.beats()
    for beat in phantom.beats():
        assert beat.ef_percent == pytest.approx(ef, abs=0.1)
        assert not beat.ectopic


@pytest.mark.parametrize(("hr", "ef"), [(40, 60), (75, 30), (180, 70)])
def test_ed_is_the_largest_volume_of_a_beat_and_es_the_smallest(hr: float, ef: float) -> None:
    phantom = heart(hr=hr, ef=ef, fps=120)
    for beat in phantom.beats():
        inside = range(at(phantom, beat.t_ed_s) + 1, at(phantom, beat.t_next_ed_s))
        volumes = [phantom.truth(k).volume_ml for k in inside]
        assert max(volumes) <= beat.edv_ml + 1e-6
        assert min(volumes) >= beat.esv_ml - 1e-6
        assert abs(inside[int(np.argmin(volumes))] - 120 * beat.t_es_s) <= 1


def test_the_volume_hardly_changes_while_the_valves_are_shut() -> None:
    phantom = heart(fps=120, hr=60, ef=60)
    beat = phantom.beats()[0]
    truths = [phantom.truth(k) for k in range(at(phantom, beat.t_ed_s) + 1, at(phantom, beat.t_next_ed_s))]
    stroke = beat.edv_ml - beat.esv_ml
    for phase, share in (("isovolumic contraction", 0.02), ("isovolumic relaxation", 0.02), ("diastasis", 0.1)):
        volumes = [truth.volume_ml for truth in truths if truth.phase == phase]
        assert len(volumes) > 3
        assert np.ptp(volumes) < share * stroke
    assert np.ptp([truth.volume_ml for truth in truths if truth.phase == "ejection"]) > 0.8 * stroke


# -- motion ----------------------------------------------------------------------------------------------------------------------


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
            out = (p - middle) / np.linalg.norm(p - middle) * 4 / phantom.sector.spacing_mm
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


# -- rhythm ----------------------------------------------------------------------------------------------------------------------


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


# -- the picture -----------------------------------------------------------------------------------------------------------------


def test_the_mirrored_phantom_is_the_mirror_image() -> None:
    plain, mirror = (heart(seed=8, mirror=m, overlay=False, tilt_deg=5) for m in (False, True))
    for k in ed_and_es(plain):
        assert np.mean(plain.mask(k)[:, ::-1] != mirror.mask(k)) < 1e-4
        truths = plain.truth(k), mirror.truth(k)
        assert truths[0].volume_ml == truths[1].volume_ml
        np.testing.assert_allclose(truths[1].apex, (319, 0) + truths[0].apex * (-1, 1))
        np.testing.assert_allclose(truths[1].hinges, (319, 0) + truths[0].hinges * (-1, 1))
    difference = np.abs(plain.frame(3).image[:, ::-1].astype(int) - mirror.frame(3).image)
    assert np.mean(difference) < 1


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (600, 800)])
def test_the_overlay_leaves_the_middle_of_the_sector_alone(height: int, width: int) -> None:
    for seed in range(4):
        with_art, without = (
            heart(seed=seed, overlay=o, height=height, width=width, persistence=0) for o in (True, False)
        )
        image, grey = with_art.frame(60).image, without.frame(60).image
        drawn = np.any(image != grey[..., None], axis=2)
        assert drawn.mean() > 0.005
        sector = with_art.sector
        y, x = np.indices(grey.shape)
        dx, dy = (x - sector.origin_px[0]) * sector.spacing_mm, (y - sector.origin_px[1]) * sector.spacing_mm
        radius, angle = np.hypot(dx, dy), np.arctan2(dx, dy)
        middle = (
            (np.abs(angle) < 0.6 * sector.half) & (radius > 0.1 * sector.depth_mm) & (radius < 0.85 * sector.depth_mm)
        )
        assert not drawn[middle].any()
        # Grey outside the sector is graphics alone.
        assert not grey[(radius > sector.depth_mm + 1)].any()


def test_what_one_option_asks_for_leaves_the_rest_of_the_picture_as_it_was() -> None:
    plain, asked = heart(seed=5).look, heart(seed=5, noise=0.9, gain_db=6).look
    assert asked.floor_db > plain.floor_db
    assert (asked.axial_mm, asked.lateral_deg, asked.persistence) == (
        plain.axial_mm,
        plain.lateral_deg,
        plain.persistence,
    )


def test_gain_brightens_and_noise_fills_the_cavity() -> None:
    def grey(label: int, **options) -> float:
        phantom = heart(seed=5, overlay=False, **options)
        return float(np.mean(phantom.frame(5).image[phantom.mask(5) == label]))

    assert grey(2, gain_db=8) > grey(2, gain_db=0) + 15
    assert grey(1, noise=1) > grey(1, noise=0) + 5
    assert grey(2, dropout=1) < grey(2, dropout=0) - 3


# -- what can be asked for -------------------------------------------------------------------------------------------------------


def refusal(query: str) -> str:
    with pytest.raises(ParameterError) as caught:
        PhantomOptions.parse(f"phantom:?{query}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "low", "high"), [(name, low, high) for name, (low, high) in RANGES.items()])
def test_a_number_out_of_range_is_refused_with_the_range(name: str, low: float, high: float) -> None:
    whole = name in ("seed", "height", "width")
    for wrong in (int(low) - 1 if whole else low - 0.01, int(high) + 1 if whole else high + 0.01, "nan", "much", ""):
        message = refusal(f"{name}={wrong}")
        assert name in message
        assert f"{low:g} to {high:g}" in message
    for right in (low, high):
        assert getattr(PhantomOptions.parse(f"phantom:?{name}={int(right) if whole else right}"), name) == right


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("rythm=af", "hr_variability"),
        ("rhythm=vf", "sinus, ectopic, af"),
        ("akinetic=apical", "basal_septal"),
        ("mirror=yes", "0 or 1"),
        ("ef=50&ef=60", "once"),
        ("seed=1.5", "whole number"),
        ("seconds=0.001", "at least one frame"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(query: str, named: str) -> None:
    assert named in refusal(query)


def test_random_options_are_reproducible_varied_and_can_be_drawn() -> None:
    found = [random_options(np.random.default_rng(n)) for n in (0, 0, *range(1, 40))]
    assert found[0] == found[1]
    assert len({options.ef for options in found}) == 40
    assert {options.overlay for options in found} == {True, False}
    for options in found[:40:8]:
        phantom = Phantom(options)
        assert phantom.frame(3).image.shape[:2] == (options.height, options.width)
        assert set(np.unique(phantom.mask(3))) == {0, 1, 2, 3}
