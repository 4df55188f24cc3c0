"""What no caller should give: the native loops refuse it, or give what is defined. `make sanitize` watches how."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.grid_map import GridMap
from echo_rt.model import ContourRule
from echo_rt.reference.types import SpecklePicture, SpeckleSearch, Tint
from support.native import built

pytestmark = built

PLAIN = GridMap(3.0, 1.0, 1.0, (3, 3), (9, 9))
ODD = (np.nan, np.inf, -np.inf, 1e300, -1e300, 1e30, -1e30, 1e10, -3e10, 5e-324, -1.0, 0.0, 1.0)
odd = st.sampled_from(ODD)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 5), (5, 1)])
def test_a_picture_without_an_area_has_no_sector(shape) -> None:
    assert native.sector(np.zeros(shape, np.uint8), 0.05) is None
    assert native.sector(np.ones(shape, np.uint8), 0.05) is None


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", range(4))
def test_logits_that_are_no_numbers_give_the_probabilities_defined(number, channel) -> None:
    logits = np.random.default_rng(0).normal(0, 300, (4, 3, 40)).astype(np.float32)
    logits[channel, 1, 5:30] = number
    with np.errstate(invalid="ignore"):
        slow = reference.postprocess(logits)[0]
    np.testing.assert_allclose(native.postprocess(logits)[0], slow, atol=1e-6)


BROKEN_MAPS = [
    PLAIN.__class__(scale, x0, y0, PLAIN.grid, PLAIN.image)
    for number in (np.nan, np.inf, -np.inf)
    for scale, x0, y0 in ((number, 0.0, 0.0), (1.0, number, 0.0), (1.0, 0.0, number))
] + [
    GridMap(0.0, 0.0, 0.0, (3, 3), (9, 9)),
    GridMap(-1.0, 0.0, 0.0, (3, 3), (9, 9)),
    GridMap(1.0, 0.0, 0.0, (3, 3), (0, 9)),
    GridMap(1.0, 0.0, 0.0, (3, 3), (9, -1)),
]


@pytest.mark.parametrize("place", BROKEN_MAPS)
def test_a_map_that_leads_nowhere_is_refused(place) -> None:
    with pytest.raises(ValueError, match="expected a grid and an image of one pixel or more, scale > 0"):
        native.Preprocess(place, 0.0, 1.0)
    with pytest.raises(ValueError, match="expected a grid and an image of one pixel or more, scale > 0"):
        native.enlarge(np.zeros((4, 3, 3), np.float32), place)


@given(st.sampled_from([5e-324, 1e-30, 0.1, 30.0, 1e30, 1e300]), odd.filter(np.isfinite), odd.filter(np.isfinite))
def test_a_map_of_any_size_is_followed(scale, x0, y0) -> None:
    place = GridMap(scale, x0, y0, (3, 3), (9, 9))
    probability = np.zeros((4, 3, 3), np.float32)
    probability[2] = 1
    assert (native.enlarge(probability, place) == 2).all()
    out = np.empty((3, 3), np.float32)
    native.Preprocess(place, 0.0, 1.0)(np.full((9, 9), 100, np.uint8), out)
    assert ((out >= 0) & (out <= 100.01)).all(), "parts of the image, or of the black around it"


@given(odd, odd, odd, st.sampled_from([0.5, 0.0, 1.0, np.nan, np.inf, -1.0, 2.0]), odd, seeds)
@example(1e10, -3e10, -3e10, 0.5, 1.0, 0)
def test_a_colour_is_laid_on_or_refused(scale, x_shift, y_shift, share, sure, seed) -> None:
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        layer = np.where(rng.random((6, 6)) < 0.5, sure, 1.0).astype(np.float32)
        fits = np.isfinite(np.array([scale, x_shift, y_shift], np.float32)).all() and np.float32(scale) > 0
    whole = rng.integers(0, 256, (9, 13, 3), np.uint8)
    picture = whole.copy()
    how = Tint(1, (scale, x_shift, y_shift), (255, 0, 70), share)
    if not (fits and 0 <= share <= 1):
        with pytest.raises(ValueError, match=r"expected (scale > 0|a share of 0 to 1)"):
            native.tint(picture[:, 2:-2], np.ones((6, 6), np.uint8), layer, how)
        assert (picture == whole).all()
        return
    native.tint(picture[:, 2:-2], np.ones((6, 6), np.uint8), layer, how)
    assert (picture[:, :2] == whole[:, :2]).all()
    assert (picture[:, -2:] == whole[:, -2:]).all()


def test_a_probability_that_is_no_number_is_not_coloured() -> None:
    picture = np.full((9, 9, 3), 100, np.uint8)
    layer = np.full((9, 9), np.nan, np.float32)
    layer[:, 6:] = 1
    native.tint(picture, np.ones((9, 9), np.uint8), layer, Tint(1, (1.0, 0.0, 0.0), (200, 100, 0), 0.5))
    assert (picture[:, :5] == 100).all()
    assert picture[4, 8].tolist() == [150, 100, 50]


@pytest.mark.parametrize(("blue", "share"), [(256, 0.5), (-1, 0.5), (1e30, 0.5), (np.nan, 0.5), (9, 1.5), (9, -0.1)])
def test_a_colour_that_is_none_is_refused(blue, share) -> None:
    how = Tint(1, (1.0, 0.0, 0.0), (blue, 0, 0), share)
    with pytest.raises(ValueError, match="expected a share of 0 to 1, and colours of 0 to 255"):
        native.tint(np.zeros((3, 3, 3), np.uint8), np.ones((3, 3), np.uint8), np.ones((3, 3), np.float32), how)


@pytest.mark.parametrize(("margin", "pad"), [(2**31 - 1, 0), (0, 2**30), (-1, 0), (0, -1)])
def test_margins_without_measure_are_refused(margin, pad) -> None:
    with pytest.raises(ValueError, match="expected margins of 0 to 1024 pixels"):
        native.smoothed(np.ones((3, 3), np.float32), 0.5, margin, pad, np.ones(3, np.float32))


WALL = np.where(np.arange(30) > 9, 1.0, 0.0)
CIRCLE = 9 * np.array([np.cos(np.arange(30) / 30 * 2 * np.pi), np.sin(np.arange(30) / 30 * 2 * np.pi)]).T


@given(st.tuples(*[odd] * 7), st.integers(1, 40), odd, st.booleans())
def test_any_rule_finds_a_part_of_the_border_or_none(numbers, reach, atrium, swapped) -> None:
    names = "wall_probability min_atrium_contact min_gap max_valve min_wall min_corner_sine max_sharpen_px".split()
    rule = SimpleNamespace(**dict(zip(names, numbers, strict=True)))
    wall = 1 - WALL if swapped else WALL
    found = native.walled(CIRCLE, wall, np.where(wall > 0.5, 0.0, atrium), reach, rule)  # type: ignore[arg-type]
    assert found is None or 2 <= len(found) <= 30


def test_more_wall_than_there_is_border_is_never_found() -> None:
    plain = {name: getattr(ContourRule(), name) for name in ContourRule.__dataclass_fields__}
    for least, found in ((0.25, True), (1.01, False), (1e300, False), (np.inf, False)):
        rule = SimpleNamespace(**{**plain, "min_wall": least})
        assert (native.walled(CIRCLE, WALL, 1 - WALL, 2, rule) is not None) is found  # type: ignore[arg-type]


def test_a_reach_without_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="a reach of 1 to 1048576 points"):
        native.walled(CIRCLE, WALL, 1 - WALL, 2**64 - 1, ContourRule())


@pytest.mark.parametrize("stride", [2, 3, 2**27, 2**31 - 1])
def test_a_stride_wider_than_a_cell_takes_its_first_pixel(stride) -> None:
    image = np.arange(36, dtype=np.uint8).reshape(6, 6)
    expected = reference.cells(image, (0, 0), (3, 3), 2, 2)
    np.testing.assert_allclose(native.cells(image, (0, 0), (3, 3), 2, stride), expected, rtol=1e-5)


@given(seeds, st.tuples(odd, odd), st.tuples(odd, odd), odd, st.integers(1, 9), st.tuples(*[st.integers(0, 9)] * 4))
@settings(max_examples=200)
def test_speckle_is_followed_wherever_the_lines_lie(seed, origin, to_cells, unit, samples, sizes) -> None:
    rng = np.random.default_rng(seed)
    before, after = (
        SpecklePicture(rng.random(size, dtype=np.float32), (-(2**31), 2**31 - 1) if seed % 3 == 0 else (0, 0))
        for size in (sizes[:2], sizes[2:])
    )
    start, normal = rng.uniform(0, 9, (2, 3, 2)), rng.normal(size=(2, 3, 2))
    search = SpeckleSearch(origin, to_cells, unit, samples, 3)
    if unit < 0:
        with pytest.raises(ValueError, match="expected a unit of no less than nothing"):
            native.follow_speckle(before, after, start, normal, search)
        return
    motion, certain = native.follow_speckle(before, after, start, normal, search)
    assert (motion.shape, certain.shape) == ((2, 3, 3), (2, 3))


def shifted(dtype: type, *shape: int) -> np.ndarray:
    """Zeros that begin one byte beside where numbers of this kind do."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(shape)


@pytest.mark.parametrize(
    "call",
    [
        lambda: native.postprocess(shifted(np.float32, 4, 3, 3)),
        lambda: native.enlarge(shifted(np.float32, 4, 3, 3), PLAIN),
        lambda: native.smoothed(shifted(np.float32, 9, 9), 0.5, 1, 1, np.ones(3, np.float32)),
        lambda: native.smoothed(np.ones((9, 9), np.float32), 0.5, 1, 1, shifted(np.float32, 3)),
        lambda: native.trace(*[np.ones((9, 9), np.float32), shifted(np.int32, 4, 2)], 0.5, *LAYERS, (0.0, 0.0), 0.1),
        lambda: native.long_axis(shifted(np.float64, 9, 2), 0.9, 4),
        lambda: native.depth(CIRCLE, shifted(np.float64, 9, 2)),
        lambda: native.walled(CIRCLE, WALL, shifted(np.float64, 30), 2, ContourRule()),
        lambda: native.systole_misfits(shifted(np.float64, 4), np.zeros((1, 4)), np.zeros((5, 1)), np.ones((5, 1))),
        lambda: native.Preprocess(PLAIN, 0.0, 1.0)(np.zeros((9, 9), np.uint8), shifted(np.float32, 3, 3)),
    ],
)
def test_numbers_beside_their_places_in_memory_are_refused(call) -> None:
    with pytest.raises(ValueError, match="expected an array that is aligned in memory"):
        call()


LAYERS = (np.ones((9, 9), np.float32),) * 2
