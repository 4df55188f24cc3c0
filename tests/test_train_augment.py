"""What a training changes in an image, and that its mask changes with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from echo_rt_train.augment import Augment, no_heart
from echo_rt_train.data import on_grid, read_index


def test_without_changes_the_training_image_is_what_the_runtime_would_see(data: Path) -> None:
    from echo_rt.reference.preprocess import preprocess
    from echo_rt.segmentation import GridMap

    sample = read_index(data)[0]
    image, _ = sample.read()
    grey, covered = Augment()(*on_grid(sample, (128, 128)), np.random.default_rng(0))
    np.testing.assert_allclose(
        grey, preprocess(image, GridMap.letterbox(image.shape, (64, 64)), 0, 1), atol=0.6
    )  # rounded to a grey level
    assert covered.shape == (3, 64, 64)
    assert covered.sum(0).max() <= 1.01


def test_geometry_moves_image_and_mask_together(data: Path) -> None:
    _, covered = on_grid(read_index(data)[0], (128, 128))
    bright = np.where(covered[..., 0] > 127, 255, 0).astype(np.uint8)
    for seed in range(5):
        move = Augment(rotation_deg=20, log_scale=0.3, shift=0.1, shear=0.1, flip=0.5)
        moved, target = move(bright, covered, np.random.default_rng(seed))
        assert np.corrcoef(moved.ravel(), target[0].ravel())[0, 1] > 0.98


def test_images_that_are_spared_change_a_quarter_as_much() -> None:
    image, covered = np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.uint8)
    image[20:30, 40:50] = 255

    def moved(ease: float) -> float:
        grey = [Augment(shift=0.2, ease=ease)(image, covered, np.random.default_rng(seed))[0] for seed in range(40)]
        return float(np.mean([np.hypot(*(np.argwhere(g > 128).mean(0) - (12, 22))) for g in grey]))

    assert moved(1.0) == pytest.approx(moved(0.0) / 4, rel=0.4)
    assert moved(1.0) < moved(0.5) < moved(0.0)


def test_shading_changes_the_gain_slowly_over_the_picture_and_leaves_the_target() -> None:
    image, covered = np.full((256, 256), 100, np.uint8), np.full((256, 256, 3), 80, np.uint8)
    grey, target = Augment(log_shading=0.5)(image, covered, np.random.default_rng(0))
    assert np.ptp(grey) > 20
    assert max(np.abs(np.diff(grey, axis=axis)).max() for axis in (0, 1)) < 6
    np.testing.assert_allclose(target, 80 / 255, atol=1e-6)


def test_pictures_without_a_heart_have_no_target() -> None:
    image, covered = np.full((64, 64), 99, np.uint8), np.full((64, 64, 3), 255, np.uint8)
    for seed in range(8):
        _, target = Augment(no_heart=1.0)(image, covered, np.random.default_rng(seed))
        assert target.max() == 0
        assert np.isfinite(no_heart(image, np.random.default_rng(seed))).all()
