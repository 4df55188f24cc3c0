"""A depth that is changed while no ruler tells it: no beat is made of both depths."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from echo_rt.cardiac.monitor import Monitor
from echo_rt.cardiac.picture import Picture
from echo_rt.cardiac.zoom import zoomed
from echo_rt.frame import Frame
from echo_rt.phantom import Phantom, PhantomOptions
from support.monitored import SPEC, beating

FPS = 30

Images = NDArray[np.uint8]


@cache
def heart() -> tuple[Images, tuple[float, float]]:
    """(N, H, W) a second of a heart, and where its probe is."""
    options = PhantomOptions.of(ef=55, hr=80, seed=4, fps=FPS, seconds=1.0, height=150, width=200, overlay=False)
    with Phantom(options) as phantom:
        return np.stack([frame.image for frame in phantom]), phantom.scene.sector.origin_px


def deeper(image: Images, factor: float) -> Images:
    """The image at a depth that is so many times as large."""
    x, y = heart()[1]
    share = 1 / factor
    matrix = np.array([[share, 0, x * (1 - share)], [0, share, y * (1 - share)]])
    shown = np.asarray(cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_AREA), np.uint8)
    # The sector stays as it was, where its content becomes larger.
    return shown if factor > 1 else np.where(heart()[0].max(axis=0) > 6, shown, 0).astype(np.uint8)


@pytest.mark.parametrize("factor", [0.7, 0.8, 1.1, 1.25, 1.4])
def test_another_depth_is_told_from_the_pictures(factor: float) -> None:
    images = heart()[0]
    told = [zoomed(Picture.of(images[k]), Picture.of(deeper(images[k + 1], factor))) for k in range(0, 28, 4)]
    assert all(told)


def test_a_heart_that_beats_or_begins_again_is_at_one_depth() -> None:
    pictures = [Picture.of(image) for image in heart()[0]]
    for step in (1, 2, 4, 13, 19, 25):
        assert not any(zoomed(pictures[k], pictures[k + step]) for k in range(len(pictures) - step))
        assert not any(zoomed(pictures[k + step], pictures[k]) for k in range(len(pictures) - step))


def test_pictures_without_anything_or_of_other_sizes_say_nothing() -> None:
    black, lit = Picture.of(np.zeros((150, 200), np.uint8)), Picture.of(heart()[0][0])
    assert not zoomed(black, lit)
    assert not zoomed(lit, black)
    assert not zoomed(lit, Picture.of(heart()[0][0][:, :150]))


def test_no_beat_is_made_of_two_depths() -> None:
    rng, changed_s = np.random.default_rng(2), 2.3
    tissue = cv2.resize(rng.uniform(40, 200, (11, 11)), (240, 240), interpolation=cv2.INTER_CUBIC)
    sector = cv2.fillPoly(np.zeros((240, 240)), [np.array([[120, 0], [-120, 240], [360, 240]])], 1.0)
    deep = cv2.warpAffine(tissue, np.array([[0.8, 0, 24], [0, 0.8, 0]]), (240, 240), borderMode=cv2.BORDER_REFLECT)
    monitor, found = Monitor(SPEC), []
    for n, (t_s, segmentation) in enumerate(beating(5.0, FPS)):
        shown = (tissue if t_s < changed_s else deep) + rng.normal(0, 12, (240, 240))
        found.append(monitor.update(segmentation, Frame((shown.clip(12, 255) * sector).astype(np.uint8), t_s, n)))
    beats = [reading.beat for reading in found if reading.beat is not None and reading.beat.accepted]
    assert any(beat.t_next_ed_s < changed_s for beat in beats), "before"
    assert any(beat.t_ed_s > changed_s for beat in beats), "and after it"
    assert not any(beat.t_ed_s < changed_s < beat.t_next_ed_s for beat in beats)
