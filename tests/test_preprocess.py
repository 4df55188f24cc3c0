from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.engine.preprocess import Preprocess
from echo_rt.errors import FrameError
from echo_rt.reference.preprocess import coverage, preprocess
from echo_rt.segmentation import GridMap
from support.native import built

TOLERANCE = 1e-5
"""Of normalised values of about ±3: float32 sums in another order."""


def image_of(height: int, width: int, colour: bool, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(
        0, 256, (height, width, 3) if colour else (height, width), dtype=np.uint8
    )


@built
@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.booleans(),
    st.sampled_from([(128, 128), (112, 112), (96, 160), (8, 8)]),
    st.integers(0, 9),
)
def test_the_kernel_agrees_with_the_reference_on_any_size(height, width, colour, grid, seed) -> None:
    image = image_of(height, width, colour, seed)
    a, b = np.full(grid, np.nan, np.float32), np.empty(grid, np.float32)
    place = Preprocess(grid, 36.0, 52.0)(image, a)
    assert place == GridMap.letterbox((height, width), grid)
    reference.Preprocess(place, 36.0, 52.0)(image, b)
    np.testing.assert_allclose(a, b, atol=TOLERANCE, rtol=0)


@built
@pytest.mark.parametrize("colour", [False, True])
def test_the_kernel_takes_any_memory_layout(colour: bool) -> None:
    big = image_of(300, 400, colour)
    views = [big[20:220, 30:330], big[::2, ::3], big[::-1, ::-1], np.asfortranarray(big)]
    for view in views:
        out = np.empty((64, 64), np.float32)
        place = Preprocess((64, 64), 40, 50)(view, out)
        np.testing.assert_allclose(out, preprocess(np.ascontiguousarray(view), place, 40, 50), atol=TOLERANCE, rtol=0)


@built
def test_other_threads_run_while_the_kernel_does() -> None:
    # Another thread ticks every 0.2 ms. While the lock is held it cannot, and around a call it gets one or two turns at
    # most; of several calls the best counts, since the system may have had other things to do.
    image = image_of(4000, 4000, colour=True)
    plan = native.Preprocess(GridMap.letterbox((4000, 4000), (128, 128)), 0, 1)
    out = np.empty((128, 128), np.float32)
    plan(image, out)
    ticks, stop = 0, threading.Event()

    def ticking() -> None:
        nonlocal ticks
        while not stop.wait(0.0002):
            ticks += 1

    thread = threading.Thread(target=ticking)
    thread.start()
    best = 0
    for _ in range(30):
        before = ticks
        plan(image, out)
        best = max(best, ticks - before)
    stop.set()
    thread.join()
    assert best >= 5


def test_a_reduction_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    image = image_of(256, 256, colour=False)
    grey = preprocess(image, GridMap.letterbox((256, 256), (64, 64)), 0, 1)
    np.testing.assert_allclose(grey, image.reshape(64, 4, 64, 4).mean(axis=(1, 3)), atol=1e-3)


def test_a_reduction_agrees_with_opencv_area_interpolation() -> None:
    image = image_of(375, 375, colour=False)
    grey = preprocess(image, GridMap.letterbox((375, 375), (128, 128)), 0, 1)
    np.testing.assert_allclose(
        grey, cv2.resize(image.astype(np.float32), (128, 128), interpolation=cv2.INTER_AREA), atol=0.5
    )


def test_an_enlargement_agrees_with_bilinear_interpolation_inside() -> None:
    image = image_of(40, 40, colour=False)
    grey = preprocess(image, GridMap.letterbox((40, 40), (128, 128)), 0, 1)
    bilinear = cv2.resize(image.astype(np.float32), (128, 128), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(grey[3:-3, 3:-3], bilinear[3:-3, 3:-3], atol=0.05)


def test_luma_is_that_of_bt_601() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    luma = preprocess(np.repeat(np.repeat(colours, 8, 0), 2, 1), GridMap.letterbox((8, 8), (8, 8)), 0, 1)[0, ::2]
    np.testing.assert_allclose(luma, [29.07, 149.685, 76.245, 255], atol=1e-3)


@given(st.integers(1, 900), st.integers(1, 900))
def test_the_letterbox_is_centred_and_shows_the_whole_image(height: int, width: int) -> None:
    place = GridMap.letterbox((height, width), (128, 128))
    corners = place.to_grid(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    assert (corners >= -0.5 - 1e-9).all()
    assert (corners <= 127.5 + 1e-9).all()
    np.testing.assert_allclose(corners.sum(axis=0), [127, 127], atol=1e-6)
    assert np.isclose(np.ptp(corners, axis=0).max(), 128)


@given(st.integers(1, 500))
def test_the_way_to_the_grid_and_back_is_the_identity(size: int) -> None:
    place = GridMap.letterbox((size, 2 * size), (128, 96))
    points = np.random.default_rng(size).uniform(-10, 500, (5, 2))
    np.testing.assert_allclose(place.to_image(place.to_grid(points)), points, atol=1e-9)


@given(st.integers(1, 400), st.integers(4, 200))
def test_each_grid_pixel_inside_the_image_is_a_mean(image: int, grid: int) -> None:
    scale = image / grid
    weights = coverage(scale, (image - 1) / 2 - scale * (grid - 1) / 2, grid, image)
    reach = max(1.0, scale) / 2
    centres = scale * np.arange(grid) + (image - 1) / 2 - scale * (grid - 1) / 2
    inside = (centres - reach >= -0.5 - 1e-9) & (centres + reach <= image - 0.5 + 1e-9)
    np.testing.assert_allclose(weights[inside].sum(axis=1), 1, atol=1e-5)
    assert weights.sum(axis=1).max() < 1 + 1e-5


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(7, np.uint8),
        [[1, 2]],
    ],
)
def test_what_is_no_image_is_refused(bad) -> None:
    with pytest.raises(FrameError, match="expected an image"):
        Preprocess((8, 8), 0, 1)(bad, np.empty((8, 8), np.float32))
