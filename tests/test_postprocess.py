"""From logits to probabilities and labels, and to labels at image size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.segmentation import GridMap, Segmentation
from support.native import built


@pytest.mark.parametrize("postprocess", [native.postprocess, reference.postprocess])
def test_softmax_and_labels_by_hand(postprocess) -> None:
    logits = np.zeros((4, 1, 2), np.float32)
    logits[2, 0, 0] = np.log(3)
    logits[0, 0, 1] = 800  # would overflow without the usual shift
    probability, labels, tally = postprocess(logits)
    np.testing.assert_allclose(probability[:, 0, 0], [1 / 6, 1 / 6, 1 / 2, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(probability[:, 0, 1], [1, 0, 0, 0], atol=1e-6)
    assert labels.tolist() == [[2, 0]]
    np.testing.assert_allclose(tally[0], [1, 0, 1, 0])
    np.testing.assert_allclose(tally[1], [7 / 6, 1 / 6, 1 / 2, 1 / 6], atol=1e-6)
    np.testing.assert_allclose(tally[2], [1, 0, 1 / 2, 0], atol=1e-6)


@built
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 70),
    scale=st.sampled_from([0.0, 1.0, 30.0, 500.0]),
)
def test_the_native_postprocess_is_the_reference(seed: int, height: int, width: int, scale: float) -> None:
    logits = (np.random.default_rng(seed).normal(size=(4, height, width)) * scale).astype(np.float32)
    fast, slow = native.postprocess(logits), reference.postprocess(logits)
    np.testing.assert_allclose(fast[0], slow[0], atol=1e-6)
    np.testing.assert_array_equal(fast[1], slow[1])
    np.testing.assert_allclose(fast[2], slow[2], rtol=1e-5, atol=1e-4)


@built
@given(
    seed=st.integers(0, 2**32 - 1),
    grid=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    image=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_the_native_mask_is_the_reference(seed: int, grid: tuple[int, int], image: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.normal(size=(*grid, 4)), (0, 0), 2).reshape(*grid, 4).transpose(2, 0, 1)
    probability, labels, _ = reference.postprocess(np.ascontiguousarray(20 * smooth, np.float32))
    at = GridMap.letterbox(image, grid)
    segmentation = Segmentation(probability, labels, at)
    fast, slow = segmentation.mask(), reference.enlarge(probability, at)
    assert fast.shape == slow.shape == image
    # OpenCV places pixels to 1/32 of the grid's, the kernel places them where they are.
    assert (fast != slow).sum() <= max(3, 0.06 * fast.size)
    full = interpolated(probability, at)
    second, first = np.sort(full, axis=0)[-2:]
    certain = first - second > 1e-5
    np.testing.assert_array_equal(fast[certain], full.argmax(0)[certain])
    np.testing.assert_array_equal(segmentation.mask(2), fast == 2)


def interpolated(probability: np.ndarray, at: GridMap) -> np.ndarray:
    """Bilinear, in double precision, (classes, height, width) of the image; beyond the rim the grid's last pixel goes
    on."""
    full = probability.astype(np.float64)
    for axis, shift in ((1, at.y0), (2, at.x0)):
        last = at.grid[axis - 1] - 1
        place = np.clip((np.arange(at.image[axis - 1]) - shift) / at.scale, 0, last)
        low = np.floor(place).astype(int)
        share = (place - low).reshape(-1, 1) if axis == 1 else place - low
        full = (1 - share) * full.take(low, axis) + share * full.take(np.minimum(low + 1, last), axis)
    return full


def test_the_mask_at_image_size_has_its_border_where_the_probabilities_have_it() -> None:
    # Cavity right of a border at grid position 3.75: a nearest-neighbour mask would put it at 3.5.
    ramp = np.clip(np.arange(8) - 3.75 + 0.5, 0, 1).astype(np.float32)
    cavity = np.tile(ramp, (8, 1))
    probability = np.stack([1 - cavity, cavity, 0 * cavity, 0 * cavity])
    found = Segmentation(probability, probability.argmax(0).astype(np.uint8), GridMap.letterbox((80, 80), (8, 8))).mask(
        1
    )
    border = 80 - found[40].sum()
    assert border == pytest.approx((3.75 + 0.5) * 10, abs=1)
