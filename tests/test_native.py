"""The native loops do what their definitions in NumPy say, on shapes as they come and on broken ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.model import ContourRule
from echo_rt.reference.points import sample
from echo_rt.reference.types import WallLines
from support.native import built
from support.shapes import half_ellipsoid

TOLERANCE = 1e-6
"""In pixels, and of probabilities: double precision on both sides, sums in another order, three Newton steps that
multiply the rounding where the field is flat."""

seeds = st.integers(0, 2**32 - 1)
rules = st.builds(
    ContourRule,
    max_sharpen_px=st.sampled_from([0.5, 2.5, 50.0]),
    min_corner_sine=st.sampled_from([0.1, 0.3, 0.8]),
    wall_probability=st.sampled_from([0.3, 0.5, 0.7]),
    min_atrium_contact=st.sampled_from([0.0, 0.02, 0.2]),
    min_gap=st.sampled_from([0.0, 0.05, 0.3]),
    max_valve=st.sampled_from([0.0, 0.25, 0.9]),
    min_wall=st.sampled_from([0.0, 0.25, 0.7]),
)
sizes = st.tuples(st.integers(8, 90), st.integers(8, 90))


def probabilities(rng: np.random.Generator, size: tuple[int, int], smooth: float) -> np.ndarray:
    """(4, H, W): blobs that reach over the edges of the grid too, or noise where `smooth` is small."""
    scores = np.stack([cv2.GaussianBlur(rng.normal(size=size), (0, 0), smooth) for _ in range(4)])
    scores = np.exp(6 * scores / scores.std())
    return (scores / scores.sum(axis=0)).astype(np.float32)


def borders(probability: np.ndarray, pad: int = 2) -> tuple[np.ndarray, list[np.ndarray]]:
    """The field that `outline` makes of a cavity, and the chains of all pieces of it, the smallest ones too."""
    field = cv2.GaussianBlur(
        cv2.copyMakeBorder(probability, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0), (0, 0), 0.8
    )
    pieces, _ = cv2.findContours((field > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return field, [piece[:, 0, :] for piece in pieces]


def wobbling(rng: np.random.Generator, points: int) -> np.ndarray:
    """An open contour of a ventricle of any place, size and turn, its border more or less rough."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    length = 10 ** rng.uniform(-1, 2)
    contour = half_ellipsoid(length, length * rng.uniform(0.1, 1.5), points) @ turn
    return contour + rng.normal(0, length * 10 ** rng.uniform(-4, -1), contour.shape) + rng.uniform(-100, 200, 2)


@built
@settings(max_examples=300, deadline=None)
@given(seeds, st.integers(1, 400), st.integers(2, 30), rules, st.booleans())
def test_the_walled_part_of_a_border_is_found_as_defined(seed, points, reach, rule, atrium_seen) -> None:
    rng = np.random.default_rng(seed)
    # A border that begins anywhere, with one to three gaps in the wall, behind some of which there is an atrium, and
    # specks of either.
    start, turn = rng.integers(points), np.linspace(0, 2 * np.pi, points, endpoint=False)
    gaps = [
        np.exp(-0.5 * ((turn - rng.uniform(0, 6.3)) / rng.uniform(0.05, 1)) ** 2) for _ in range(rng.integers(1, 4))
    ]
    opened = rng.uniform(0.3, 1, len(gaps)) @ np.array(gaps)
    wall = np.roll(np.clip(1 - opened + rng.normal(0, 0.1, points), 0, 1), start)
    atrium = np.roll(np.clip(opened + rng.normal(0, 0.1, points), 0, 1), start) * rng.uniform(0, 1.2) * atrium_seen
    border = np.roll(wobbling(rng, points)[:points], rng.integers(points), axis=0)
    arguments = border, wall, atrium, reach, rule
    fast, slow = native.walled(*arguments), reference.walled(*arguments)
    assert (fast is None) == (slow is None)
    if fast is not None and slow is not None:
        np.testing.assert_allclose(fast, slow, atol=TOLERANCE, rtol=TOLERANCE)


@built
@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(3, 300))
def test_the_way_over_the_roof_is_found_as_defined(seed, points) -> None:
    rng = np.random.default_rng(seed)
    border = np.roll(wobbling(rng, points)[:points], rng.integers(points), axis=0)
    if rng.random() < 0.5:
        border = border[::-1].copy()
    hinges = border[rng.integers(points, size=2)] + rng.normal(0, 1, (2, 2))
    apex = tuple((border.mean(axis=0) + rng.normal(0, 100, 2)).tolist())
    fast, slow = native.over_the_roof(border, hinges, apex), reference.over_the_roof(border, hinges, apex)
    np.testing.assert_allclose(fast, slow, atol=TOLERANCE, rtol=TOLERANCE)


@built
@settings(max_examples=100, deadline=None)
@given(seeds, sizes, st.sampled_from([0.5, 1.0, 4.0, 12.0]), st.floats(0, 0.5))
def test_a_border_is_traced_as_defined(seed, size, smooth, reach) -> None:
    probability = probabilities(np.random.default_rng(seed), size, smooth)
    field, chains = borders(probability[1])
    for chain in chains:
        arguments = field, chain, 0.5, probability[2], probability[3], (-2.0, -2.0), reach
        fast, slow = native.trace(*arguments), reference.trace(*arguments)
        if slow[3] < 0.01:
            continue  # a pixel or two: whether it runs clockwise, and where its outside is, hangs on the last digit
        for one, other in zip(fast, slow, strict=True):
            np.testing.assert_allclose(one, other, atol=TOLERANCE, rtol=TOLERANCE)


@built
@settings(max_examples=100, deadline=None)
@given(
    seeds,
    sizes,
    st.sampled_from([0.5, 1.0, 4.0, 12.0]),
    st.integers(0, 12),
    st.integers(0, 4),
    st.integers(0, 4),
    st.floats(0.1, 1.1),
)
def test_a_part_of_a_field_is_smoothed_as_defined(seed, size, smooth, margin, pad, reach, level) -> None:
    rng = np.random.default_rng(seed)
    arguments = (
        probabilities(rng, size, smooth)[1],
        level,
        margin,
        pad,
        rng.uniform(0, 1, 2 * reach + 1).astype(np.float32),
    )
    fast, slow = native.smoothed(*arguments), reference.smoothed(*arguments)
    assert (fast is None) == (slow is None)
    if fast is not None and slow is not None:
        assert fast[1] == slow[1]
        np.testing.assert_allclose(fast[0], slow[0], atol=1e-5, rtol=1e-5)


@built
def test_an_even_number_of_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="odd number of weights"):
        native.smoothed(np.zeros((4, 4), np.float32), 0.5, 1, 1, np.ones(2, np.float32))


@built
@pytest.mark.parametrize("chain", [np.empty((0, 2)), [[0, 0]], [[0, 0], [19, 9]], [[0, 0], [19, 0], [19, 9], [0, 9]]])
def test_the_smallest_chains_and_those_at_the_edge_of_the_field_are_traced(chain) -> None:
    layer = np.random.default_rng(0).random((10, 20), dtype=np.float32)
    points, wall, atrium, area = native.trace(layer, np.array(chain, np.int32), 0.5, layer, layer, (0.0, 0.0), 0.1)
    assert points.shape == (len(chain), 2)
    assert wall.shape == atrium.shape == (len(chain),)
    assert np.isfinite(points).all()
    assert area >= 0


def on_the_axis(contour: np.ndarray, shell: float) -> bool:
    """Whether a point lies on the axis to the last digits, which then decide on what side it is and whether the contour
    crosses there."""
    origin = (contour[0] + contour[-1]) / 2
    away = np.hypot(*(contour - origin).T)
    x, y = contour[away >= shell * away.max()].mean(axis=0) - origin
    lateral = (contour - origin) @ (-y, x) / max(np.hypot(x, y), 1e-9)
    return bool(np.abs(lateral).min() < 1e-9 * away.max())


@built
@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(3, 300), st.integers(1, 40), st.floats(0.5, 0.99))
def test_the_long_axis_and_the_disks_are_those_defined(seed, points, disks, shell) -> None:
    contour = wobbling(np.random.default_rng(seed), points)
    assume(not on_the_axis(contour, shell))
    fast, slow = native.long_axis(contour, shell, disks), reference.long_axis(contour, shell, disks)
    assert (fast is None) == (slow is None)
    if fast is not None and slow is not None:
        assert len(fast[3]) == disks
        for one, other in zip(fast, slow, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-8, rtol=1e-8)


EMPTY, POINT, LINE = np.empty((0, 2)), np.ones((1, 2)), np.arange(18.0).reshape(9, 2)


@pytest.mark.parametrize("long_axis", [native.long_axis, reference.long_axis])
@pytest.mark.parametrize("contour", [EMPTY, POINT, np.ones((9, 2)), np.full((9, 2), np.nan), LINE])
def test_what_has_no_length_has_no_axis(long_axis, contour) -> None:
    assert long_axis(contour, 0.97, 20) is None


def lines_of(rng: np.random.Generator, size: tuple[int, int], points: int) -> tuple[np.ndarray, WallLines]:
    """A ventricle somewhere on or beside a grid, its scale not the same in both directions."""
    contour = wobbling(rng, points)
    contour -= (contour[0] + contour[-1]) / 2
    length, angle = float(np.hypot(*contour.T).max()), rng.uniform(0, 2 * np.pi)
    levels = np.clip((np.arange(-1, 13) + 0.5) / 12, 0, 1)
    # Up is where the contour goes, more or less; where it is not the sides are of unequal height.
    away = (
        contour[points // 2] / max(float(np.hypot(*contour[points // 2])), 1e-9)
        if rng.random() < 0.7
        else (np.cos(angle), np.sin(angle))
    )
    zoom = max(size) / length * rng.uniform(0.2, 1.0)
    origin = rng.uniform(-5, size[1] + 5), rng.uniform(-5, size[0] + 5)
    to_grid, samples = (zoom, zoom * rng.uniform(0.5, 2)), int(rng.integers(2, 60))
    up = float(away[0]), float(away[1])
    return contour, WallLines(up, length, origin, to_grid, levels, 0.5 * length, samples)


@built
@settings(max_examples=150, deadline=None)
@given(seeds, sizes, st.sampled_from([1.0, 4.0, 12.0]), st.integers(3, 200))
def test_the_lines_of_the_wall_are_those_defined(seed, size, smooth, points) -> None:
    rng = np.random.default_rng(seed)
    cavity, wall = probabilities(rng, size, smooth)[1:3]
    contour, lines = lines_of(rng, size, points)
    fast, slow = (loops.wall_lines(cavity, wall, contour, lines) for loops in (native, reference))
    for one, other in zip(fast[:2], slow[:2], strict=True):
        np.testing.assert_allclose(one / lines.length, other / lines.length, atol=TOLERANCE, rtol=0)
    np.testing.assert_array_equal(fast[2], slow[2])


def test_samples_are_bilinear_and_zero_outside() -> None:
    field = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
    places = {
        (1.0, 2.0): 10,
        (1.5, 0.0): 2.5,
        (0.25, 0.5): 3.25,
        (3.5, 0.0): 2,
        (0.0, -0.5): 0.5,
        (4.0, 1.0): 0,
        (1.0, -9.0): 0,
        (1e30, 1.0): 0,
    }
    np.testing.assert_allclose(sample(field, np.array(list(places))), list(places.values()))
    assert sample(field, np.array([[np.nan, 1.0], [1.0, np.inf]])).tolist() == [0, 0]


@built
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e300])
def test_numbers_that_are_none_are_survived(bad: float) -> None:
    rng = np.random.default_rng(0)
    layer, contour = rng.random((20, 30), dtype=np.float32), half_ellipsoid(15, 5, 50)
    with np.errstate(over="ignore"):
        broken = np.full((20, 30), bad).astype(np.float32)
    points = contour.copy()
    points[20:30] = bad
    chain = np.array([[3, 3], [9, 3], [9, 9], [3, 9]], np.int32)
    assert len(native.trace(broken, chain, 0.5, layer, layer, (-2.0, -2.0), 0.1)[0]) == 4
    assert len(native.trace(layer, chain, bad, layer, layer, (bad, bad), bad)[0]) == 4
    far = np.array([[2**31 - 1, -(2**31)]] * 9, np.int32)
    assert len(native.trace(layer, far, 0.5, layer, layer, (-2.0, -2.0), 0.1)[0]) == 9
    native.long_axis(points, 0.97, 20)
    native.long_axis(contour, bad, 20)
    plain = WallLines((0.0, -1.0), 15.0, (15.0, 18.0), (1.0, 1.0), np.linspace(0, 1, 14), 7.0, 48)
    for changed in (
        {},
        {"up": (bad, bad)},
        {"length": bad},
        {"length": 0.0},
        {"origin": (bad, 3.0)},
        {"to_grid": (bad, bad)},
        {"reach": bad},
    ):
        for on, field in ((contour, layer), (points, layer), (contour, broken)):
            found = native.wall_lines(field, field, on, plain._replace(**changed))
            assert [len(part) for part in found] == [2, 2, 50, 2, 2]
    broken_levels = plain._replace(levels=np.full(14, bad))
    assert native.wall_lines(layer, layer, contour, broken_levels)[0].shape == (2, 12)
    assert len(native.depth(points[18:24], points)) == 50


@built
def test_what_the_loops_cannot_take_is_refused() -> None:
    layer, two = np.zeros((4, 4), np.float32), np.zeros((2, 2))
    with pytest.raises(ValueError, match="three corners"):
        native.depth(two, two)
    with pytest.raises(ValueError, match="three points"):
        native.wall_lines(layer, layer, two, WallLines((0.0, 1.0), 1.0, (0.0, 0.0), (1.0, 1.0), np.zeros(3), 1.0, 2))
    with pytest.raises(TypeError):
        native.depth(np.zeros((5, 3)), two)


@built
def test_any_memory_layout_is_taken() -> None:
    points = half_ellipsoid(90.0, 25.0)
    expected = native.long_axis(points, 0.97, 20)
    assert native.long_axis(np.asfortranarray(points), 0.97, 20) == expected
    assert native.long_axis(np.repeat(points, 2, axis=0)[::2], 0.97, 20) == expected
