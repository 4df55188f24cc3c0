"""Drawn organs and planes that are no apical view, in the ultrasound of the simulated hearts."""

from __future__ import annotations

import pickle
from itertools import combinations

import cv2
import numpy as np
import pytest

from echo_rt.phantom import random_options
from echo_rt_train.changes import LIT
from echo_rt_train.data import VIEWS, DataReport, organ_samples, organs, read_all

COUNT = 24


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [sample.read()[0] for sample in organ_samples(1, COUNT)]


def test_an_organ_is_the_same_in_any_order_and_in_another_process(pictures: list[np.ndarray]) -> None:
    for number in (5, 0):
        sample = pickle.loads(pickle.dumps(organ_samples(1, number + 1)[number]))
        np.testing.assert_array_equal(sample.read()[0], pictures[number])


def test_another_seed_draws_other_organs(pictures: list[np.ndarray]) -> None:
    image = organ_samples(2, 1)[0].read()[0]
    assert image.shape != pictures[0].shape or not np.array_equal(image, pictures[0])


def test_no_organ_is_a_hearts_sample() -> None:
    samples = organ_samples(1, COUNT)
    assert len(samples) == len({sample.patient for sample in samples}) == COUNT
    assert {(sample.split, sample.view, sample.phase, sample.known) for sample in samples} == {
        ("train", "other", "other", ())
    }
    assert "other" in VIEWS
    report = DataReport("organs")
    for _, (image, mask) in read_all(samples[:4], report):
        assert image.shape == mask.shape
        assert not mask.any()
    assert not report.problems


def test_organs_are_grey_pictures_with_something_to_see(pictures: list[np.ndarray]) -> None:
    for image in pictures:
        assert (image.dtype, image.ndim) == (np.uint8, 2)
        assert min(image.shape) >= 200
        assert (image > LIT).mean() > 0.15
        assert image[image > LIT].std() > 8


def test_no_two_organs_are_alike(pictures: list[np.ndarray]) -> None:
    small = [cv2.resize(image, (80, 64), interpolation=cv2.INTER_AREA).astype(float) for image in pictures]
    assert min(np.abs(one - other).mean() for one, other in combinations(small, 2)) > 4


def test_some_are_sectors_and_some_fill_the_picture(pictures: list[np.ndarray]) -> None:
    corners = [(image[-5:, :5] > LIT).any() for image in pictures]
    assert 0 < sum(corners) < COUNT


@pytest.mark.parametrize("organ", dict.fromkeys(organs._ORGANS), ids=lambda organ: organ.__name__.strip("_"))
def test_every_organ_is_more_than_the_tissue_it_lies_in(organ, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(what) -> np.ndarray:
        rng = np.random.default_rng(3)
        options = random_options(rng)
        # The generator goes on elsewhere after the organ: only what is painted may differ.
        monkeypatch.setattr(organs.Ultrasound, "polar", lambda self, *state: self._texture[..., 0].copy())
        monkeypatch.setattr(organs.Ultrasound, "display", lambda self, polar: polar)
        monkeypatch.setattr(organs, "_shown", lambda polar, rng, linear: polar)
        return organs._organ(options, what, rng)

    monkeypatch.setattr(organs, "_SHALLOW", ())
    plain, painted = drawn(lambda body: None), drawn(organ)
    assert np.mean(plain != painted) > 0.01


def test_another_plane_of_the_heart_is_turned_far_from_the_apical_one(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = []
    real = organs.Ultrasound.polar

    def noting(self, state, pose, *rest):
        turned.append(abs(np.degrees(pose.angle)))
        return real(self, state, pose, *rest)

    monkeypatch.setattr(organs.Ultrasound, "polar", noting)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert organs._other_plane(random_options(rng), rng).any()
    assert min(turned) >= 65
