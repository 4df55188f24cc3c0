"""What a chest wall, a scanner and a screen do to a picture, and what is left of a picture without a heart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from echo_rt_train import changes, no_heart
from echo_rt_train.changes import EDGE_DEG, SHOWN_DB, Sector
from echo_rt_train.no_heart import LEFT_OF_CAVITY, without_heart
from support.sectors import sector

TIP, HALF_DEG = (150.0, 12.0), 40.0
IMAGE = np.asarray(sector(240, 320, HALF_DEG, TIP), np.float32)
SECTOR = Sector.of(IMAGE)
DEPTH, ANGLE = SECTOR.beams(IMAGE.shape)
BLACK = IMAGE == 0
INSIDE = np.abs(ANGLE) < HALF_DEG - 3
DB = 255 / SHOWN_DB
"""Grey levels of a decibel."""


def test_the_sector_of_a_picture_is_found() -> None:
    assert SECTOR.tip == pytest.approx(TIP, abs=3)
    assert SECTOR.depth == pytest.approx(0.92 * 240, abs=4)
    assert (SECTOR.left, SECTOR.right) == pytest.approx((-HALF_DEG, HALF_DEG), abs=2)


def test_text_beside_the_sector_is_none_of_it() -> None:
    marked = IMAGE.copy()
    marked[2:20, 2:60] = 200
    found = Sector.of(marked)
    assert found.tip == pytest.approx(SECTOR.tip, abs=1)
    assert (found.left, found.right) == pytest.approx((SECTOR.left, SECTOR.right), abs=1)


def test_a_black_picture_has_a_sector_all_the_same() -> None:
    found = Sector.of(np.zeros((60, 80), np.uint8))
    assert found.depth > 0
    assert found.left < found.right


def test_the_beams_of_a_sector_by_hand() -> None:
    depth, angle = Sector((10.0, 0.0), 50.0, -45.0, 45.0).beams((60, 80))
    assert (depth[25, 10], angle[25, 10]) == pytest.approx((0.5, 0))
    assert (depth[30, 50], angle[30, 50]) == pytest.approx((1, np.degrees(np.arctan2(40, 30))))
    assert angle[10, 0] == pytest.approx(-45)


def test_gain_lights_nothing_in_the_black_around_a_sector() -> None:
    louder, softer = changes.more_gain(IMAGE, 8), changes.more_gain(IMAGE, -8)
    assert (louder[BLACK] == 0).all()
    bright = IMAGE >= changes.LIT
    np.testing.assert_allclose((louder - IMAGE)[bright], 8 * DB, rtol=1e-4)
    np.testing.assert_allclose((IMAGE - softer)[bright], 8 * DB, rtol=1e-4)


@pytest.mark.parametrize(("at_deg", "start"), [(-20.0, 0.0), (15.0, 0.4)])
def test_a_shadow_follows_its_beams_and_leaves_the_others_alone(at_deg: float, start: float) -> None:
    shadow = changes.shadowed(IMAGE, SECTOR, at_deg, 10, 20, start)
    away, loss = np.abs(ANGLE - at_deg), IMAGE - shadow
    assert (loss[(away > 5 + EDGE_DEG) | (start > DEPTH) | BLACK] == 0).all()
    behind = (away < 5 - EDGE_DEG) & (start + 0.06 < DEPTH) & (IMAGE >= changes.LIT)
    assert behind.sum() > 500
    np.testing.assert_allclose(loss[behind], 20 * DB, rtol=1e-4)


def test_a_narrowed_sector_keeps_its_middle_and_is_black_beside_it() -> None:
    leaning = Sector(SECTOR.tip, SECTOR.depth, -40.0, 20.0)
    narrow = changes.narrowed(IMAGE, leaning, 20)
    away = np.abs(ANGLE - (-10))
    np.testing.assert_array_equal(narrow[away < 19.9], IMAGE[away < 19.9])
    assert (narrow[away > 20.1] == 0).all()
    assert IMAGE[away > 20.1].any()


def test_haze_is_densest_at_the_probe_and_flattens_what_lies_behind_it() -> None:
    hazy = changes.hazed(IMAGE, SECTOR, 100)
    assert (hazy[BLACK] == 0).all()
    near, far = (INSIDE & (low < DEPTH) & (low + 0.2 > DEPTH) & (IMAGE >= changes.LIT) for low in (0.1, 0.75))
    assert (hazy - IMAGE)[near].mean() > 2 * (hazy - IMAGE)[far].mean() > 0
    assert hazy[near].std() / IMAGE[near].std() < hazy[far].std() / IMAGE[far].std() < 1


def test_speckle_is_a_share_of_the_grey_and_another_for_every_generator() -> None:
    even = np.full((120, 160), 100, np.float32)
    even[:, :40] = 0
    found = changes.speckled(even, 0.3, np.random.default_rng(1))
    assert (found[:, :40] == 0).all()
    assert found[:, 40:].mean() == pytest.approx(100, rel=0.02)
    assert found[:, 40:].std() == pytest.approx(30, rel=0.05)
    assert np.corrcoef(found[:, 41:].ravel(), found[:, 40:-1].ravel())[0, 1] > 0.4, "larger than a pixel"
    assert not np.array_equal(found, changes.speckled(even, 0.3, np.random.default_rng(2)))


def test_a_low_quality_loses_more_than_a_high_one() -> None:
    lost = [float(np.abs(changes.compressed(IMAGE, quality) - IMAGE).mean()) for quality in (15, 50, 100)]
    assert lost[0] > lost[1] > lost[2]
    assert lost[2] < 1


def test_a_coarse_picture_keeps_its_size_and_its_means_and_loses_what_is_small() -> None:
    x = np.indices((240, 320))[1]
    fine, wide = (np.asarray(100 + 100 * np.sin(2 * np.pi * x / length), np.float32) for length in (3, 160))
    assert changes.coarsened(fine, 60).shape == fine.shape
    assert changes.coarsened(fine, 60).std() < 0.1 * fine.std()
    np.testing.assert_allclose(changes.coarsened(wide, 60)[:, 4:-4], wide[:, 4:-4], atol=8)


def test_graphics_lie_over_the_picture_in_few_pixels() -> None:
    drawn = changes.annotated(IMAGE, np.random.default_rng(3), ecg=True, lines=6)
    changed = drawn != np.floor(IMAGE)
    assert 0 < changed.mean() < 0.2
    assert changed[INSIDE & ~BLACK].any(), "over the heart too"
    assert changed.any(axis=0).all(), "an ECG runs from one side to the other"
    np.testing.assert_array_equal(drawn, changes.annotated(IMAGE, np.random.default_rng(3), ecg=True, lines=6))
    blank = np.zeros((100, 100), np.float32)
    columns = [changes.annotated(blank, np.random.default_rng(seed), False, 0).any(axis=0) for seed in range(6)]
    assert not any(found.all() for found in columns), "without an ECG nothing does"


CHANGES = (
    partial(changes.more_gain, db=5.0),
    partial(changes.shadowed, sector=SECTOR, at_deg=0.0, width_deg=9.0, db=9.0),
    partial(changes.narrowed, sector=SECTOR, half_deg=30.0),
    partial(changes.hazed, sector=SECTOR, grey=50.0),
    partial(changes.speckled, share=0.2, rng=np.random.default_rng(0)),
    partial(changes.compressed, quality=50),
    partial(changes.coarsened, side=90),
    partial(changes.annotated, rng=np.random.default_rng(0)),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.func.__name__)
def test_a_change_gives_another_picture_of_the_same_size_and_leaves_its_own_alone(
    change: Callable[[changes.Grey], changes.Grey],
) -> None:
    before = IMAGE.copy()
    found = change(IMAGE)
    np.testing.assert_array_equal(IMAGE, before)
    assert (found.shape, found.dtype) == (IMAGE.shape, np.float32)
    assert not np.array_equal(found, IMAGE)


CAVITY = cv2.ellipse(np.zeros((240, 320), np.uint8), (150, 130), (35, 70), 0, 0, 360, 255, -1)
COVERED = np.stack([CAVITY, np.zeros_like(CAVITY), np.zeros_like(CAVITY)], axis=-1)
KINDS = {kind.__name__.strip("_"): kind for _, _, kind in no_heart._DRAWN}
SEEDS = range(12)


def made(kind: str, image: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    return KINDS[kind](image, CAVITY, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_a_heart_has_the_size_of_the_one_with_it_and_is_another(kind: str) -> None:
    for seed in SEEDS:
        found = made(kind, IMAGE, seed)
        assert found.shape == IMAGE.shape
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, made(kind, IMAGE, seed))
        assert np.abs(np.clip(found, 0, 255) - IMAGE).mean() > 5


def test_upside_down_is_the_flipped_picture() -> None:
    np.testing.assert_array_equal(made("upside_down", IMAGE, 0), np.flipud(IMAGE))


def test_a_turned_picture_is_turned_far() -> None:
    middle = np.array([(IMAGE.shape[1] - 1) / 2, (IMAGE.shape[0] - 1) / 2])
    spot = np.zeros_like(IMAGE)
    spot[140:148, 160:168] = 255
    for seed in SEEDS:
        y, x = np.nonzero(made("turned", spot, seed) > 100)
        before, after = np.array([163.5, 143.5]) - middle, np.array([x.mean(), y.mean()]) - middle
        cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
        assert cosine < np.cos(np.radians(60))


def test_of_a_heart_moved_out_of_its_sector_little_is_seen() -> None:
    image = np.where(CAVITY > 0, 250, np.where(BLACK, 0, 60)).astype(np.float32)
    for seed in range(40):
        found = made("out_of_sector", image, seed)
        assert (found > 150).sum() < LEFT_OF_CAVITY * (CAVITY > 0).sum() * 1.02
        assert not found[cv2.erode(BLACK.astype(np.uint8), np.ones((17, 17))) > 0].any(), "its sector stays"
        assert (found > 0).sum() > 0.02 * (~BLACK).sum(), "it is not blank"


def test_of_a_heart_that_is_cut_little_is_seen_and_that_enlarged() -> None:
    slope = 0.3
    image = np.asarray(slope * np.arange(320)[None, :] + 200.0 * (CAVITY > 0), np.float32)
    for seed in range(20):
        found = made("cut", image, seed)
        zoom = slope / float(np.median(np.diff(found, axis=1)))
        assert 1.4 < zoom < 3.1
        assert (found > 150).sum() / zoom**2 < LEFT_OF_CAVITY * (CAVITY > 0).sum() * 1.05


def test_shuffled_tissue_is_the_same_tissue_elsewhere() -> None:
    np.testing.assert_array_equal(np.sort(made("shuffled", IMAGE, 1), axis=None), np.sort(IMAGE, axis=None))


def test_a_smeared_picture_has_no_borders() -> None:
    step = [float(np.abs(np.diff(of, axis=1)).max()) for of in (made("smeared", IMAGE, 1), IMAGE)]
    assert step[0] < 0.1 * step[1]


def test_in_an_m_mode_the_layers_of_one_line_rise_and_fall_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(no_heart, "_under_picture", lambda strip, image, rng: strip)
    layers = np.repeat(np.arange(240, dtype=np.float32)[:, None], 320, axis=1)
    moves = made("m_mode", layers, 1)[20:-20] - layers[20:-20]
    assert 1 < np.abs(moves).max() < 0.07 * 240
    assert (moves.max(axis=1) > 0).all()
    assert (moves.min(axis=1) < 0).all()


def test_a_spectrum_has_flow_on_both_sides_of_its_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(no_heart, "_under_picture", lambda strip, image, rng: strip)
    for seed in SEEDS:
        rows = (made("spectrum", IMAGE, seed) > 30).mean(axis=1)
        base = int(np.argmax(rows))
        assert rows[base] == 1
        assert rows[:base].any()
        assert rows[base + 1 :].any()
        assert rows[0] < 0.5 > rows[-1], "beats, not a band"


def test_what_may_show_parts_of_a_heart_is_not_called_empty() -> None:
    empty = {kind.__name__.strip("_") for _, is_empty, kind in no_heart._DRAWN if is_empty}
    assert set(KINDS) - empty == {"upside_down", "turned", "cut", "out_of_sector"}


def test_every_kind_is_drawn_and_told_whether_it_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def noting(kind: Callable, empty: bool) -> Callable:
        def draw(image, cavity, rng):
            drawn.append((kind.__name__, empty))
            return np.full(image.shape, 999.0, np.float32)

        return draw

    monkeypatch.setattr(no_heart, "_KINDS", [(noting(kind, empty), empty) for kind, empty in no_heart._KINDS])
    rng = np.random.default_rng(0)
    for _ in range(300):
        image, empty = without_heart(IMAGE.astype(np.uint8), COVERED, rng)
        assert image.dtype == np.uint8
        assert image.min() == 255, "clipped, not wrapped"
        assert empty == drawn[-1][1]
    assert len(set(drawn)) == len(KINDS)
    share = np.mean([not empty for _, empty in drawn])
    assert share == pytest.approx(14 / 22, abs=0.1), "most of them are true tissue"
