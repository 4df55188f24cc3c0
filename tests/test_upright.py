"""A recording with the apex at the bottom is turned as a whole, or left as it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.following import FIRST_FRAMES, follow_upright
from echo_rt.frame import Frame
from echo_rt.result import AS_RECORDED, TURNED
from echo_rt.segmentation import Segmentation
from support.monitored import SPEC
from support.shapes import segmentation_of, ventricle


class TopIsBright:
    """An engine that sees a ventricle where the upper half of a picture is the brighter one, and counts its frames."""

    description = "by the brightness of the halves"
    spec = SPEC

    def __init__(self) -> None:
        self.seen = 0

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        self.seen += 1
        upper, lower = image[:120].mean(), image[120:].mean()
        return ventricle() if upper > lower + 50 else segmentation_of(np.zeros((240, 240), np.uint8))


def frames(count: int, bright_on_top: bool, dark: int = 0) -> Iterator[Frame]:
    """A recording that begins with `dark` frames without a picture."""
    rng = np.random.default_rng(1)
    for k in range(count):
        image = rng.integers(0, 60, (240, 240), np.uint8)
        if k >= dark:
            image[slice(0, 120) if bright_on_top else slice(120, 240)] += 150
        yield Frame(image, k / 25, k)


@pytest.mark.parametrize("count", [5, FIRST_FRAMES, 40])
def test_a_recording_as_it_should_be_is_left_alone_and_costs_nothing(count: int) -> None:
    engine = TopIsBright()
    found, done = follow_upright(frames(count, True), engine, Monitor(SPEC))
    assert [(frame.index, reading.index, reading.quality.ok) for frame, reading in found] == [
        (k, k, True) for k in range(count)
    ]
    assert (done, engine.seen) == (AS_RECORDED, count)


@pytest.mark.parametrize("count", [5, FIRST_FRAMES, 40])
def test_a_recording_upside_down_is_turned_from_its_first_frame_on(count: int) -> None:
    found, done = follow_upright(frames(count, False), TopIsBright(), Monitor(SPEC))
    pairs = list(found)
    assert done == TURNED
    assert [reading.quality.ok for _, reading in pairs] == [True] * count
    for (frame, reading), before in zip(pairs, frames(count, False), strict=True):
        np.testing.assert_array_equal(frame.image, before.image[::-1])
        assert (frame.t_s, frame.index, reading.index) == (before.t_s, before.index, before.index)


def test_a_recording_that_is_an_apical_view_neither_way_is_left_as_it_is() -> None:
    found, done = follow_upright(frames(40, True, dark=40), TopIsBright(), Monitor(SPEC))
    assert done == AS_RECORDED
    assert not any(reading.quality.ok for _, reading in found)


def test_a_recording_without_frames_is_none() -> None:
    found, done = follow_upright(frames(0, True), TopIsBright(), Monitor(SPEC))
    assert (list(found), done) == ([], AS_RECORDED)
