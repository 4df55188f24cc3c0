"""The native loops over pictures and curves do what their definitions in NumPy say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.reference.points import signed_area
from echo_rt.reference.systole import systole_form
from support.native import built

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(8, 90), st.integers(8, 90))


@built
@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(3, 60), st.integers(1, 200))
def test_the_depth_is_that_defined(seed, corners, points) -> None:
    rng = np.random.default_rng(seed)
    hull = cv2.convexHull(rng.uniform(0, 500, (corners, 2)).astype(np.float32))[:: rng.choice([-1, 1]), 0, :].astype(
        np.float64
    )
    inside = rng.uniform(-50, 550, (points, 2))
    np.testing.assert_allclose(native.depth(hull, inside), reference.depth(hull, inside), atol=1e-8, rtol=0)


@built
@settings(max_examples=200, deadline=None)
@given(seeds, sizes, st.booleans(), st.integers(1, 7), st.sampled_from([0, 8, 60]))
def test_a_coarse_picture_is_the_one_defined(seed, size, colour, coarsening, chroma) -> None:
    rng = np.random.default_rng(seed)
    # Blobs of colour, larger and smaller than two by two coarse pixels, cut out of a larger image as a region of
    # interest is.
    whole = np.stack(
        [cv2.GaussianBlur(rng.normal(size=size), (0, 0), rng.choice([0.5, 2.0, 8.0])) for _ in range(3)], axis=-1
    )
    image = np.clip(90 + 120 * whole / whole.std(), 0, 255).astype(np.uint8)[1:, 2:]
    image = image[..., ::-1] if colour else image[..., 1]
    rows, columns = (max(1, round(side / coarsening)) for side in image.shape[:2])
    window = int(0.05 * rows), int(np.ceil(0.9 * rows)), int(0.1 * columns), columns
    arguments = image, (rows, columns), 8, chroma, window
    for one, other in zip(native.coarse(*arguments), reference.coarse(*arguments), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("coarse", [pytest.param(native.coarse, marks=built), reference.coarse])
def test_colour_counts_where_it_is_two_pixels_wide(coarse) -> None:
    image = np.full((12, 12, 3), 100, np.uint8)
    image[4, :] = image[:, 9] = (0, 0, 255)  # lines, as of letters
    level, lit, share = coarse(image, (12, 12), 8, 60, (0, 12, 0, 12))
    assert (share, level[4, 3], level[0, 0], lit.all()) == (0.0, 255, 100, True)
    image[6:9, 2:6] = (0, 0, 255)
    assert coarse(image, (12, 12), 8, 60, (0, 12, 0, 12))[2] == 2 * 3 / 144, (
        "three rows of four are two by three squares"
    )
    assert coarse(image, (12, 12), 8, 60, (8, 12, 0, 12))[2] == 3 / 48, "of the window alone"


@built
@pytest.mark.parametrize(
    ("image", "size", "window"),
    [
        ((4, 4), (5, 4), (0, 4, 0, 4)),
        ((4, 4), (0, 4), (0, 0, 0, 4)),
        ((4, 4), (4, 4), (0, 5, 0, 4)),
        ((4, 4), (4, 4), (-1, 4, 0, 4)),
        ((4, 4, 4), (4, 4), (0, 4, 0, 4)),
    ],
)
def test_a_coarse_picture_never_reaches_outside_of_its_image(image, size, window) -> None:
    with pytest.raises(ValueError, match="expected"):
        native.coarse(np.zeros(image, np.uint8), size, 8, 60, window)


@built
@settings(max_examples=300, deadline=None)
@given(
    seeds,
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from([0.3, 0.8, 2.0, 5.0]),
    st.floats(-1, 1.5),
    st.floats(0, 1),
)
def test_the_sector_is_the_one_defined(seed, size, smooth, level, speck) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=size), (0, 0), smooth).reshape(size)
    lit = (noise > level * noise.std()).astype(np.uint8)
    fast, slow = native.sector(lit, speck), reference.sector(lit, speck)
    assert (fast is None) == (slow is None)
    if fast is not None:
        assert set(map(tuple, fast)) == set(map(tuple, slow))
        assert len(fast) == len(slow)
        assert abs(signed_area(fast)) == abs(signed_area(slow)), "in order"


@pytest.mark.parametrize("sector", [pytest.param(native.sector, marks=built), reference.sector])
def test_the_sector_is_what_is_lit_and_large(sector) -> None:
    lit = np.zeros((40, 60), np.uint8)
    assert sector(lit, 0.05) is None
    lit[10:30, 20:50] = 1
    lit[15:17, :] = 0  # a shadow
    lit[0, :] = lit[:, 2] = 1  # lines
    lit[35:38, 8:11] = 1  # a letter: 9 of some 600
    assert set(map(tuple, sector(lit, 0.05))) == {(20, 10), (49, 10), (49, 29), (20, 29)}
    assert (8, 37) in set(map(tuple, sector(lit, 0.01)))


@built
@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(4, 80), st.integers(1, 3), st.floats(0, 1))
def test_systoles_are_compared_as_defined(seed, samples, curves, noise) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 0.8, samples))
    eds = rng.uniform(0, 0.3, 20)
    begins, lasts = np.stack([eds - 0.1, eds, eds + 0.3, eds - 0.02, eds + 0.3]), rng.uniform(0.01, 0.4, (5, 20))
    # Heights of either sign: what is negative is left out. And parts that are the same in all samples.
    form = systole_form(t, begins[:, :1], lasts[:, :1])[0]
    y = rng.normal(0, 1, (curves, 5)) @ form.T + noise * rng.normal(0, 1, (curves, samples))
    y -= y.mean(axis=1, keepdims=True)
    arguments = t, y, begins, lasts
    slow = reference.systole_misfits(*arguments)
    np.testing.assert_allclose(native.systole_misfits(*arguments), slow, atol=1e-6 * (y * y).sum() + 1e-12)


@built
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 9), st.integers(1, 4))
def test_cells_are_those_defined(seed, colour, cell, stride) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 256, (int(rng.integers(2, 90)) + cell, int(rng.integers(2, 90)) + cell, 3), np.uint8)
    image = whole[1:, 1:] if colour else np.ascontiguousarray(whole[..., 2])[1:, 1:] if seed % 3 else whole[1:, 1:, 2]
    image = image[:, ::-1] if seed % 2 else image
    most = np.array(image.shape[:2]) // cell
    corner = rng.integers(0, most)
    size = rng.integers(1, most - corner + 1)
    arguments = image, tuple(corner.tolist()), tuple(size.tolist()), cell, stride
    np.testing.assert_allclose(native.cells(*arguments), reference.cells(*arguments), rtol=1e-5)


@built
def test_cells_outside_of_the_image_are_refused() -> None:
    image = np.zeros((20, 30), np.uint8)
    for corner, size in (((0, 0), (5, 8)), ((-1, 0), (2, 2)), ((0, 6), (5, 2)), ((0, 0), (0, 3))):
        with pytest.raises(ValueError, match="lie in the image"):
            native.cells(image, corner, size, 4, 1)
