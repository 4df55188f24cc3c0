"""What a training changes in an image, and that its mask changes with it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_module

from echo_rt.errors import ParameterError
from echo_rt_train.augment import Augment, Beams, Geometry, Screen
from echo_rt_train.data import on_grid, read_index
from support.sectors import sector


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
        move = Augment(Geometry(rotation_deg=20, log_scale=0.3, shift=0.1, shear=0.1, flip=0.5))
        moved, target = move(bright, covered, np.random.default_rng(seed))
        assert np.corrcoef(moved.ravel(), target[0].ravel())[0, 1] > 0.98


def test_images_that_are_spared_change_a_quarter_as_much() -> None:
    image, covered = np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.uint8)
    image[20:30, 40:50] = 255

    def moved(ease: float) -> float:
        grey = [
            Augment.of({"shift": 0.2, "ease": ease})(image, covered, np.random.default_rng(seed))[0]
            for seed in range(40)
        ]
        return float(np.mean([np.hypot(*(np.argwhere(g > 128).mean(0) - (12, 22))) for g in grey]))

    assert moved(1.0) == pytest.approx(moved(0.0) / 4, rel=0.4)
    assert moved(1.0) < moved(0.5) < moved(0.0)


def test_shading_changes_the_gain_slowly_over_the_picture_and_leaves_the_target() -> None:
    image, covered = np.full((256, 256), 100, np.uint8), np.full((256, 256, 3), 80, np.uint8)
    grey, target = Augment(screen=Screen(log_shading=0.5))(image, covered, np.random.default_rng(0))
    assert np.ptp(grey) > 20
    assert max(np.abs(np.diff(grey, axis=axis)).max() for axis in (0, 1)) < 6
    np.testing.assert_allclose(target, 80 / 255, atol=1e-6)


IMAGE = sector(128, 160, tip=(80.0, 6.0))
COVERED = np.zeros((*IMAGE.shape, 3), np.uint8)
cv2.ellipse(COVERED, (80, 70), (20, 35), 0, 0, 360, (255, 0, 0), -1)
with initialize_config_module("echo_rt_train.conf", version_base=None):
    KEYS = dict(compose("train").augment)


def changed(seed: int = 0, frames: int = 1, **keys: float) -> np.ndarray:
    """(frames, h, w) of the drawn heart."""
    return Augment.of(keys).clip(IMAGE[None], COVERED[None], np.random.default_rng(seed), frames).grey


def test_the_keys_of_the_configuration_are_those_of_the_changes_and_another_is_named_in_one_line() -> None:
    augment = Augment.of(KEYS)
    assert augment.geometry.rotation_deg == KEYS["rotation_deg"] > 0
    assert augment.screen.noise_grey == KEYS["noise_grey"] > 0
    assert augment.no_heart == KEYS["no_heart"] > 0
    assert Augment.of({"marks": 0.3}) == Augment(screen=Screen(marks=0.3))
    with pytest.raises(ParameterError, match=r"augment: expected some of rotation_deg, .*ease, found colour") as error:
        Augment.of({**KEYS, "colour": 1})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "ease"])
def test_every_key_changes_something_and_zero_switches_it_off(key: str) -> None:
    size = {"rotation_deg": 15.0, "shift": 0.1, "shear": 0.1, "noise_grey": 6.0}.get(key, 1.0)
    plain = changed()
    assert any(not np.array_equal(changed(seed, **{key: size}), plain) for seed in range(4))
    np.testing.assert_array_equal(changed(**{key: 0.0}), plain)


@pytest.mark.parametrize("key", ["shadow", "narrow", "haze", "dark", "marks", "coarse", "blur", "gain", "log_shading"])
def test_a_change_of_the_picture_is_the_same_in_every_frame_and_leaves_the_mask(key: str) -> None:
    still, cover = np.repeat(IMAGE[None], 3, axis=0), np.repeat(COVERED[None], 3, axis=0)
    found = Augment.of({key: 1.0}).clip(still, cover, np.random.default_rng(3), 3)
    np.testing.assert_array_equal(found.grey[0], found.grey[2])
    plain = Augment().clip(still, cover, np.random.default_rng(3), 3)
    np.testing.assert_array_equal(found.covered, plain.covered)
    assert found.heart
    assert found.traced


@pytest.mark.parametrize("key", ["speckle", "noise_grey"])
def test_noise_is_another_in_every_frame(key: str) -> None:
    found = Augment.of({key: 1.0}).clip(
        np.repeat(IMAGE[None], 2, 0), np.repeat(COVERED[None], 2, 0), np.random.default_rng(1), 2
    )
    assert not np.array_equal(found.grey[0], found.grey[1])


def test_a_shadow_moves_with_the_heart_and_text_stays_on_the_screen() -> None:
    """The beams are those of the picture as it was recorded; the screen is what is looked at."""
    mirrored = {"flip": 1.0}
    shadow = changed(shadow=1.0), changed(shadow=1.0, **mirrored)
    np.testing.assert_allclose(shadow[0], shadow[1][..., ::-1], atol=1)
    text = changed(marks=1.0), changed(marks=1.0, **mirrored)
    plain = changed(), changed(**mirrored)
    written = [np.abs(of - without) > 60 for of, without in zip(text, plain, strict=True)]
    assert (written[0] & written[1]).sum() > 0.5 * written[0].sum() > 0


def test_small_hearts_are_smaller_and_never_larger() -> None:
    def areas(**keys: float) -> list[float]:
        augment = Augment.of(keys)
        return [float(augment(IMAGE, COVERED, np.random.default_rng(seed))[1][0].sum()) for seed in range(20)]

    whole, small = areas()[0], areas(small=0.7)
    assert max(small) <= whole * 1.01
    assert min(small) < 0.5 * whole, "a scale of exp(-0.7) is half the length and a quarter of the area"


def test_what_is_spared_is_changed_less_and_mirrored_or_without_a_heart_as_often() -> None:
    spared = Augment.of({**dict.fromkeys(KEYS, 0.4), "rotation_deg": 20.0}).eased()
    assert spared.geometry == Geometry(5.0, 0.1, 0.1, 0.1, 0.1, flip=0.4)
    assert spared.beams == Beams(*[0.1] * 5)
    assert spared.screen == Screen(*[0.1] * 7)
    assert (spared.no_heart, spared.ease) == (0.4, 0.0)


def test_a_picture_without_a_heart_has_no_target_and_says_whether_it_may_show_parts_of_one() -> None:
    traced = set()
    for seed in range(12):
        found = Augment(no_heart=1.0).clip(IMAGE[None], COVERED[None], np.random.default_rng(seed), 1)
        assert not found.heart
        assert found.covered.max() == 0
        traced.add(found.traced)
    assert traced == {True, False}


def test_where_there_is_no_heart_none_is_taken_out() -> None:
    empty = np.zeros_like(COVERED)
    for seed in range(6):
        found = Augment(no_heart=1.0).clip(IMAGE[None], empty[None], np.random.default_rng(seed), 1)
        np.testing.assert_array_equal(found.grey, changed())
        assert (found.heart, found.traced) == (False, True)
