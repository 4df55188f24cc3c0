"""Motion and thickening of the wall by its speckle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.cardiac.monitor import Monitor
from echo_rt.cardiac.speckle import MAX_STEP_S, MIN_STEP_S, SpeckleTracking, as_a_rigid_body
from echo_rt.frame import Frame
from echo_rt.model import AkinesiaRule, ModelInput, ModelSpec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import SEGMENTS, Beat, Reading, WallBeat
from echo_rt.reference.types import SpecklePicture, SpeckleSearch
from echo_rt.segmentation import GridMap, Segmentation
from support.native import built

follows = pytest.mark.parametrize(
    "follow", [pytest.param(native.follow_speckle, marks=built), reference.follow_speckle]
)
SPEC = ModelSpec("the phantom's own masks", "1", ModelInput(320, 240, 0.0, 1.0))
SAMPLES, UNIT = 14, 1.0
SEARCH = SpeckleSearch((60.0, 70.0), (1.0, 1.0), UNIT, SAMPLES, 2)

Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]


def texture(seed: int) -> Texture:
    """Grey levels at any place: waves of six to twelve cells in all directions."""
    rng = np.random.default_rng(seed)
    length, angle, phase = rng.uniform(6, 12, 40), rng.uniform(0, 2 * np.pi, 40), rng.uniform(0, 2 * np.pi, 40)
    kx, ky = 2 * np.pi * np.cos(angle) / length, 2 * np.pi * np.sin(angle) / length
    return lambda x, y: 100 + 8 * np.cos(kx * x[..., None] + ky * y[..., None] + phase).sum(-1)


def upright() -> tuple[np.ndarray, np.ndarray]:
    """The lines of two walls that stand upright, 30 to the left and to the right of a middle at (60, 70), one row
    apart."""
    start = np.stack([np.stack([np.full(36, side * 30.0), -np.arange(36.0)], axis=-1) for side in (-1, 1)])
    normal = np.zeros_like(start)
    normal[0, :, 0], normal[1, :, 0] = -1, 1
    return start, normal


def pictures(
    seed: int, stretch: dict[tuple[int, int], float], shift: float = 0.0, slide: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(90, 120) before and after: each third of each wall thickens by its own share."""
    grain, (y, x) = texture(seed), np.mgrid[:90, :120].astype(float)
    by_place = np.zeros((90, 120))
    for (side, third), share in stretch.items():
        by_place[59 - 12 * third : 71 - 12 * third, slice(60) if side == 0 else slice(60, None)] = share
    outwards = np.abs(x - 60) - 30 - UNIT * (SAMPLES - 1) / 2
    moved = shift + by_place * outwards
    return grain(x, y).astype(np.float32), grain(x - np.sign(x - 60) * moved, y - slide).astype(np.float32)


def found(follow, before: np.ndarray, after: np.ndarray, rounds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return follow(at_zero(before), at_zero(after), *upright(), SEARCH._replace(rounds=rounds))


def at_zero(field: np.ndarray) -> SpecklePicture:
    return SpecklePicture(field, (0, 0))


@follows
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(-0.08, 0.08), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))
def test_a_wall_that_thickens_is_told_from_one_that_moves(follow, seed, stretch, shift, slide) -> None:
    told, certain = found(
        follow, *pictures(seed, {(side, third): stretch for side in (0, 1) for third in (0, 1, 2)}, shift, slide)
    )
    # Down the screen is to the left of who looks out of the left wall, and to the right of who looks out of the right
    # one.
    drawn = np.stack(
        [np.full((2, 3), shift), np.full((2, 3), stretch), np.array([[-slide], [slide]]).repeat(3, axis=1)], axis=-1
    )
    # Between the cells a bilinear picture is a little flatter than the grain: of 2,500 drawn the worst third was 0.10,
    # 0.03 and 0.11 off, the worst mean of the six 0.018, 0.006 and 0.018.
    assert (np.abs(told - drawn) < (0.2, 0.05, 0.2)).all()
    assert (np.abs((told - drawn).mean(axis=(0, 1))) < (0.04, 0.012, 0.04)).all()
    assert (certain > 0).all()


@follows
def test_each_third_of_each_side_has_its_own(follow) -> None:
    told, _ = found(follow, *pictures(3, {(0, 1): 0.06, (1, 2): -0.05}))
    np.testing.assert_allclose(told[..., 1], [[0, 0.06, 0], [0, 0, -0.05]], atol=0.02)


@follows
def test_where_there_is_no_grain_nothing_is_known(follow) -> None:
    flat = np.full((90, 120), 80.0, np.float32)
    stripes = np.repeat(texture(1)(np.arange(120.0), np.zeros(120))[None], 90, axis=0).astype(np.float32)
    for picture in (flat, stripes, flat[:1, :1], flat[:0]):
        told, certain = found(follow, picture, picture)
        assert (told == 0).all()
        assert (certain == 0).all(), "a wall of stripes may slide along them"


@follows
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_none_are_survived(follow, bad: float) -> None:
    (start, normal), picture = upright(), texture(0)(*np.mgrid[:90, :120].astype(float)).astype(np.float32)
    for broken in (start, normal):
        broken[0, 3] = bad
        with np.errstate(all="ignore"):
            told, _ = follow(at_zero(picture), at_zero(picture), start, normal, SEARCH)
        assert told.shape == (2, 3, 3)
        np.testing.assert_allclose(told[1], 0, atol=1e-6)


moves = st.floats(-3, 3)


@given(moves, moves, st.floats(-0.1, 0.1), st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_heart_that_swings_as_a_whole_has_no_motion_of_its_own(x, y, turn, seen) -> None:
    # Two walls that lean towards each other at the apex.
    height, side = np.linspace(0, 60, 36), np.array([-1.0, 1.0])[:, None]
    middle = np.stack([side * (25 - height**2 / 180), np.broadcast_to(-height, (2, 36))], axis=-1)
    normal = np.stack([side * np.ones(36), np.broadcast_to(-height / 90, (2, 36))], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    moved = np.array([x, y]) + turn * np.stack([-middle[..., 1], middle[..., 0]], axis=-1)
    along = np.stack([-normal[..., 1], normal[..., 0]], axis=-1)
    shift, slide = ((moved * way).sum(-1).reshape(2, 3, 12).mean(-1) for way in (normal, along))
    hidden = np.where(np.array(seen).reshape(2, 3), shift, np.nan)
    explained = as_a_rigid_body(hidden, slide, middle, normal)
    if sum(seen) >= 2:
        np.testing.assert_allclose(explained, shift, atol=1e-9)
    elif not any(seen):
        assert np.isnan(explained).all()


@built
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 3))
def test_the_motion_is_the_one_defined(seed, samples, rounds) -> None:
    rng = np.random.default_rng(seed)
    grain, (y, x) = texture(seed), np.mgrid[:90, :120].astype(float)
    before, after = (np.asarray(grain(x + dx, y) + rng.normal(0, 5, x.shape), np.float32) for dx in (0.0, rng.normal()))
    start, normal = upright()
    start = start + rng.normal(0, 8, start.shape)
    normal = normal + rng.normal(0, 0.5, normal.shape)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    corner, cut = (int(rng.integers(0, 20)), int(rng.integers(0, 20))), rng.integers(0, 20, 2)
    earlier = SpecklePicture(before[corner[0] :, corner[1] :].copy(), corner)
    later = at_zero(after[: 90 - cut[0], : 120 - cut[1]].copy())
    search = SpeckleSearch((60.0, 70.0), (1.0, rng.uniform(0.7, 1.3)), rng.uniform(0.3, 1.5), samples, rounds)
    arguments = earlier, later, np.ascontiguousarray(start), normal, search
    for one, other in zip(native.follow_speckle(*arguments), reference.follow_speckle(*arguments), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@built
def test_lines_without_thirds_are_refused() -> None:
    lines, picture = np.zeros((2, 4, 2)), at_zero(np.zeros((4, 4), np.float32))
    with pytest.raises(ValueError, match="three thirds"):
        native.follow_speckle(picture, picture, lines, lines, SEARCH)


# -- a heart that beats --


def heart(**changed) -> Phantom:
    usual = {
        "ef": 55.0,
        "hr": 75.0,
        "fps": 50.0,
        "seconds": 3.4,
        "seed": 4,
        "height": 240,
        "width": 320,
        "dropout": 0.0,
    }
    return Phantom(PhantomOptions.of(**{**usual, **changed}))


def read(
    phantom: Phantom,
    frames: Iterable[int] | None = None,
    image: Callable[[np.ndarray], np.ndarray] = lambda image: image,
    monitor: Monitor | None = None,
    rows: int = 1,
) -> list[Reading]:
    """By the phantom's own masks, and its pictures; with each row so many times."""
    monitor, seen = monitor or Monitor(SPEC), []
    height_mm, width_mm = phantom.spacing_mm
    for number, k in enumerate(frames if frames is not None else range(phantom.frames or 0)):
        labels, picture = (np.repeat(plane, rows, axis=0) for plane in (phantom.mask(k), image(phantom.frame(k).image)))
        probability = (np.arange(4)[:, None, None] == labels).astype(np.float32)
        segmentation = Segmentation(probability, labels, GridMap.letterbox(labels.shape, labels.shape))
        seen.append(
            monitor.update(segmentation, Frame(picture, phantom.truth(k).t_s, number, (height_mm / rows, width_mm)))
        )
    return seen


def beats(readings: list[Reading]) -> list[WallBeat]:
    return [r.wall_beat for r in readings if r.beat is not None and r.beat.accepted and r.wall_beat is not None]


@pytest.mark.parametrize("segment", ["mid_septal", "apical_lateral"])
def test_a_segment_that_stands_still_does_not_thicken_and_the_others_do(segment: str) -> None:
    with heart(akinetic=(segment,)) as phantom:
        found = beats(read(phantom))
    assert len(found) >= 2
    n = SEGMENTS.index(segment)
    strain, motion = (
        np.median([getattr(beat, name) for beat in found], axis=0)
        for name in ("strain_percent", "speckle_motion_percent")
    )
    others = [n, 5 - n] if "apical" in segment else [n]  # the tip belongs to both sides
    assert strain[n] < 0.6 * np.median(np.delete(strain, others))
    assert (np.delete(strain, others) > 8).all()
    share = motion / np.array(AkinesiaRule().speckle_motion.pattern)
    assert share[n] < 0.75 * np.median(np.delete(share, others))
    assert (np.delete(motion, others) > 3).all()
    assert all(beat.akinetic[n] for beat in found)


def test_colour_of_the_display_and_a_finer_picture_change_little() -> None:
    with heart() as phantom:
        plain = beats(read(phantom))[0].strain_percent
        coloured = beats(
            read(phantom, image=lambda image: np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image)
        )[0].strain_percent
        np.testing.assert_allclose(coloured, plain)
    with heart(height=480, width=640) as phantom:
        fine = beats(read(phantom))[0].strain_percent
    assert abs(np.median(fine) - np.median(plain)) < 0.3 * np.median(plain)


def test_pixels_that_are_not_square_change_little() -> None:
    with heart(seconds=2.4) as phantom:
        square, flat = (beats(read(phantom, rows=rows))[0].strain_percent for rows in (1, 4))
    np.testing.assert_allclose(flat, square, atol=0.3 * np.median(square))


def test_a_picture_without_speckle_leaves_the_strain_unknown_and_the_flag_to_the_masks() -> None:
    with heart(akinetic=("mid_septal",)) as phantom:
        blank = beats(read(phantom, image=np.zeros_like))
    for beat in blank:
        assert np.isnan(beat.strain_percent).all()
        assert beat.akinetic.tolist() == [segment == "mid_septal" for segment in SEGMENTS]


def test_too_few_pictures_a_second_leave_it_unknown() -> None:
    with heart(fps=60, seconds=4) as phantom:
        found = beats(read(phantom, range(0, 240, 7)))
    assert found
    assert all(np.isnan(beat.strain_percent).all() for beat in found), f"7 / 60 s is more than {MAX_STEP_S} s"


def test_more_pictures_than_are_needed_are_passed_over() -> None:
    monitor, tracking = Monitor(SPEC), SpeckleTracking(3.0)
    monitor._wall._speckle = tracking
    with heart(fps=100, seconds=1) as phantom:
        read(phantom, range(60), monitor=monitor)
    steps = [pair.end_s - pair.begin_s for pair in tracking._pairs]
    assert len(steps) == 19
    np.testing.assert_allclose(steps, MIN_STEP_S)


def test_speckle_that_is_noise_leaves_the_flag_to_the_masks() -> None:
    rng = np.random.default_rng(0)

    def noisy(image: np.ndarray) -> np.ndarray:
        return np.clip(0.1 * image + rng.normal(60, 25, image.shape), 0, 255).astype(np.uint8)

    with heart() as phantom:
        found = beats(read(phantom, image=noisy))
    assert found
    for beat in found:
        known = beat.strain_percent[np.isfinite(beat.strain_percent)]
        assert len(known) < 3 or np.median(known) < AkinesiaRule().followed_strain_percent
        assert not beat.akinetic.any()


def test_what_is_of_another_beat_or_patient_is_not_used() -> None:
    monitor = Monitor(SPEC)
    tracking = monitor._wall._speckle
    with heart() as phantom:
        readings = read(phantom, monitor=monitor)
    last = [r.beat for r in readings if r.beat is not None and r.beat.accepted][-1]
    assert isinstance(last, Beat)
    followed = tracking.of_beat(last)
    assert np.isfinite(followed[:4]).all() and followed.along_percent < -5  # noqa: PT018
    assert (followed.strain_error_percent > 0).all()
    assert (followed.inwards_error > 0).all()
    later = replace(last, t_ed_s=last.t_ed_s + 9, t_es_s=last.t_es_s + 9, t_next_ed_s=last.t_next_ed_s + 9)
    assert np.isnan(tracking.of_beat(later).inwards).all()
    assert np.isnan(tracking.of_beat(replace(last, esv=last.edv)).inwards).all(), "a volume that does not fall"
    monitor.reset()
    assert np.isnan(tracking.of_beat(last).inwards).all()
