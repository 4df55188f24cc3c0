"""The native loops that draw do what their definitions in NumPy say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.grid_map import GridMap
from echo_rt.reference.types import Tint
from support.native import built

COLOUR = (215, 130, 70)


@built
@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.floats(0.05, 3),
    st.floats(-40, 80),
    st.floats(-40, 80),
    st.floats(0, 1),
)
def test_a_class_is_coloured_as_defined(seed, size, scale, x_shift, y_shift, share) -> None:
    rng = np.random.default_rng(seed)
    layer = cv2.GaussianBlur(rng.uniform(0, 1, size), (0, 0), rng.choice([0.3, 2.0, 6.0])).reshape(size)
    layer = np.clip((layer - 0.5) * rng.uniform(1, 20) + 0.5, 0, 1).astype(np.float32)
    labels = np.where(layer > 0.5, 2, rng.integers(0, 2)).astype(np.uint8)
    whole = rng.integers(0, 256, (int(rng.integers(1, 90)), int(rng.integers(1, 90)) + 6, 3), np.uint8)
    fast, slow = whole.copy(), whole.copy()
    how = Tint(2, (scale, x_shift, y_shift), COLOUR, share)
    # A part of a larger picture, as the image is one of the film.
    native.tint(fast[:, 2:-4], labels, layer, how)
    reference.tint(slow[:, 2:-4], labels, layer, how)
    assert np.abs(fast.astype(int) - slow).max() <= 1, "rounded from sums in another order"
    assert (fast[:, :2] == whole[:, :2]).all()
    assert (fast[:, -4:] == whole[:, -4:]).all()


@pytest.mark.parametrize("tint", [pytest.param(native.tint, marks=built), reference.tint])
def test_the_colour_is_where_the_class_is_and_half_of_it_on_its_border(tint) -> None:
    layer = np.zeros((20, 30), np.float32)
    layer[5:15, 10:20] = 1
    labels = 2 * layer.astype(np.uint8)
    picture = np.full((80, 120, 3), 100, np.uint8)
    tint(picture, labels, layer, Tint(2, (0.25, 0.0, 0.0), (200, 100, 0), 0.5))
    assert picture[40, 60].tolist() == [150, 100, 50], "half of the colour in its middle"
    assert picture[40, 38].tolist() == [125, 100, 75], "grid 9.5: half of that on its border"
    assert (picture[:, :34] == 100).all()
    assert (picture[:12] == 100).all()
    untouched = picture.copy()
    tint(picture, labels, layer, Tint(3, (0.25, 0.0, 0.0), (200, 100, 0), 0.5))
    assert (picture == untouched).all(), "the class is nowhere"


@built
def test_what_does_not_fit_is_refused() -> None:
    layer, labels = np.zeros((4, 5), np.float32), np.zeros((4, 5), np.uint8)
    how = Tint(2, (1.0, 0.0, 0.0), COLOUR, 0.5)
    for picture in (np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 6), np.uint8)[..., ::2]):
        with pytest.raises(ValueError, match="contiguous"):
            native.tint(picture, labels, layer, how)
    with pytest.raises(ValueError, match="as large"):
        native.tint(np.zeros((9, 9, 3), np.uint8), labels[1:], layer, how)
    with pytest.raises(ValueError, match="scale"):
        native.tint(np.zeros((9, 9, 3), np.uint8), labels, layer, how._replace(to_grid=(0.0, 0.0, 0.0)))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.floats(0.3, 5),
    st.sampled_from([0.0, 3.0, 30.0]),
)
def test_a_pixel_has_the_class_that_is_highest_there_also_beside_clear_background(
    seed, grid, image, scale, background
) -> None:
    rng = np.random.default_rng(seed)
    scores = np.stack([cv2.GaussianBlur(rng.normal(size=grid), (0, 0), rng.choice([0.3, 3.0])) for _ in range(4)])
    scores = scores.reshape(4, *grid) * rng.choice([1, 10]) / (scores.std() + 1e-9)
    scores[0] += background * (rng.random() < 0.8)
    probability = np.exp(scores - scores.max(axis=0)).astype(np.float32)
    probability /= probability.sum(axis=0)
    place = GridMap(scale, *rng.uniform(-20, 20, 2).tolist(), grid, image)
    labels = native.enlarge(probability, place)
    assert labels.shape == image
    found = np.stack([between(layer.astype(np.float64), place) for layer in probability])
    second, first = np.sort(found, axis=0)[-2:]
    clear = first - second > 1e-5
    np.testing.assert_array_equal(labels[clear], found.argmax(axis=0)[clear])


def between(layer: np.ndarray, place: GridMap) -> np.ndarray:
    """A layer of the grid at the pixels of the image, bilinear; beyond its rim the last pixel goes on."""
    for axis, origin in ((0, place.y0), (1, place.x0)):
        at = np.clip((np.arange(place.image[axis]) - origin) / place.scale, 0, layer.shape[axis] - 1)
        low = np.minimum(at.astype(int), layer.shape[axis] - 2)
        share = np.expand_dims(at - low, 1 - axis)
        layer = np.take(layer, low, axis) * (1 - share) + np.take(layer, low + 1, axis) * share
    return layer
