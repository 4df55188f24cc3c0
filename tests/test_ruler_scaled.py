"""A ruler while the frames go by, and what of the screen is kept because of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.frame import Frame
from echo_rt.phantom.screen.ruler import RulerManner
from echo_rt.sources.screen.ruler import Found
from echo_rt.sources.screen.scaled import Scaled
from support.reading import images_of
from support.rulers import DEPTH_PX, SIZE, read, screens

PLAIN = RulerManner(side="right", offset_px=14)


def shown(parts: list[list[np.ndarray]], seconds: float, fps: float = 20.0) -> list[Frame]:
    """Each part for so long, one after the other."""
    each = round(seconds * fps)
    images = [part[n % len(part)] for part in parts for n in range(each)]
    return [Frame(image, n / fps, n) for n, image in enumerate(images)]


def test_a_changed_depth_is_noticed_at_once_and_read_anew() -> None:
    scaled = Scaled()
    frames = [scaled(frame) for frame in shown([screens(120, PLAIN), screens(180, PLAIN)], 3.0)]
    scales = [None if frame.spacing_mm is None else frame.spacing_mm[0] for frame in frames]
    known = [n for n, scale in enumerate(scales) if scale is not None]
    assert 15 <= known[0] <= 30, "after a second or so"
    before, after = 120 / DEPTH_PX, 180 / DEPTH_PX
    assert scales[59] == pytest.approx(before, rel=0.01)
    assert scales[-1] == pytest.approx(after, rel=0.01)
    wrong = [n for n in range(60, 120) if scales[n] is not None and abs(scales[n] / after - 1) > 0.02]
    assert len(wrong) <= 1, "a frame or none has the scale of before"
    assert scaled.changes == [pytest.approx(3.0, abs=0.11)]


def test_a_ruler_that_was_read_before_counts_from_the_first_frame() -> None:
    frames = screens(140, PLAIN)
    found = read(frames)
    assert isinstance(found, Found)
    scaled = Scaled(found)
    first = scaled(Frame(frames[3], 0.0, 0))
    assert first.spacing_mm == pytest.approx((140 / DEPTH_PX, 140 / DEPTH_PX), rel=0.01)


def test_a_cursor_that_passes_over_the_ruler_changes_nothing() -> None:
    frames = screens(140, PLAIN)
    found = read(frames)
    assert isinstance(found, Found)
    scaled = Scaled(found)
    for n in range(30):
        image = frames[n % len(frames)].copy()
        cv2.circle(image, (580, 40 + 10 * n), 12, (255, 255, 255), -1)
        assert scaled(Frame(image, n / 20, n)).spacing_mm is not None
    assert scaled.changes == []


def test_a_scale_that_the_source_knows_is_left_alone() -> None:
    frame = Frame(screens(140, PLAIN)[0], 0.0, 0, (0.5, 0.5))
    assert Scaled()(frame) is frame


def test_the_boxes_of_a_ruler_hold_its_marks_and_numbers_alone() -> None:
    for side, most in (("right", 0.13), ("right edge", 0.2)):
        frames = screens(150, replace(PLAIN, side=side, offset_px=30))
        found = read(frames)
        assert isinstance(found, Found)
        bare = screens(150, None)
        drawn = (frames[0].max(axis=2) > bare[0].max(axis=2)) & (bare[0].max(axis=2) == 0)
        held = np.zeros(SIZE, bool)
        for x, y, width, height in found.boxes(SIZE):
            assert x >= 0
            assert y >= 0
            assert x + width <= SIZE[1]
            assert y + height <= SIZE[0]
            held[y : y + height, x : x + width] = True
        assert (drawn & held).sum() > 0.95 * drawn.sum()
        assert held.mean() < most


def test_the_boxes_leave_out_what_is_written_above_a_ruler_and_beside_its_bare_side() -> None:
    frames = screens(150, PLAIN)
    found = read(frames)
    assert isinstance(found, Found)
    held = np.zeros(SIZE, bool)
    for x, y, width, height in found.boxes(SIZE):
        held[y : y + height, x : x + width] = True
    for name_at in ((540, 24), (500, 40 + 23)):
        canvas = np.zeros((*SIZE, 3), np.uint8)
        cv2.putText(canvas, "NOBODY", name_at, cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255, 255, 255), 1)
        assert (canvas[..., 0] > 0).any()
        assert not (held & (canvas[..., 0] > 0)).any(), name_at


def test_the_boxes_leave_out_words_beside_the_marks_of_a_real_screen(cine: Path) -> None:
    """Pydicom's cine has dots without numbers, and the mode, MI and TIS of its scanner beside them."""
    found = read(list(images_of(cine)))
    assert isinstance(found, Found)
    boxes = found.boxes((240, 320))
    assert len(boxes) >= 10
    assert all(width <= 16 for _, _, width, _ in boxes)
