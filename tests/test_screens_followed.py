"""A recording of a whole screen from its file to its figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt import process, stream
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.errors import FrameError, ParameterError
from echo_rt.following import follow
from echo_rt.frame import Frame, Kept
from echo_rt.framing import frame_recording, upside_down
from echo_rt.model import ModelSpec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.provenance import ASKED, FILLS, FOUND, NOT_FOUND
from echo_rt.reading import Reason
from echo_rt.segmentation import Segmentation
from support.hearts import SPEC
from support.screens import SIZE, Cine, Place, frames, screen
from support.shapes import labels_of, segmentation_of

LARGE, SMALL = (70, 40, 300, 225), (400, 60, 200, 150)
HEART = "ef={ef}&hr=80&fps=25&seconds=3&seed={seed}&height=180&width=240&hr_variability=0"


@pytest.fixture(scope="module")
def engine() -> Iterator[object]:
    with open_engine() as running:
        yield running


class Judge:
    """An engine that sees a ventricle in pictures that are at least so wide, or at most."""

    spec: ModelSpec = SPEC
    description = "a judge"

    def __init__(self, least: int = 0, most: int = 10_000, upright: bool = True) -> None:
        self.least, self.most, self.upright = least, most, upright

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        rows, columns = image.shape[:2]
        # The tip of the sector is at the top.
        upright = bool(image[: rows // 4].mean() < image[-rows // 4 :].mean())
        seen = self.least <= columns <= self.most and upright == self.upright
        size = {"length": 0.5 * rows, "radius": 0.16 * rows, "wall": 0.06 * rows, "centre": (columns / 2, 0.66 * rows)}
        labels = labels_of((rows, columns), **size) if seen else np.zeros((rows, columns), np.uint8)
        return segmentation_of(labels)


def dual(places: list[Place]) -> Cine:
    return Cine(frames([screen(n, places) for n in range(66)]))


@pytest.mark.parametrize(
    ("judge", "chosen", "said"),
    [
        (Judge(), LARGE, "the largest that shows an apical view"),
        (Judge(most=260), SMALL, "the largest that shows an apical view"),
        (Judge(upright=False), LARGE, "the largest that shows an apical view"),
        (Judge(least=5000), LARGE, "the largest; none shows an apical view"),
    ],
)
def test_of_two_sectors_the_largest_apical_one_is_followed_and_said(judge: Judge, chosen: Place, said: str) -> None:
    framing = frame_recording(dual([LARGE, SMALL]), judge)
    (note,) = framing.notes
    assert note.startswith("2 ultrasound pictures on the screen: followed the one at ")
    assert note.endswith(said)
    assert framing.roi is not None
    assert framing.roi.found == FOUND
    left, top, width, height = chosen
    middle = framing.roi.x + framing.roi.width / 2, framing.roi.y + framing.roi.height / 2
    assert middle == pytest.approx((left + width / 2, top + height / 2), abs=12)
    assert framing.roi.width < 1.15 * width
    assert f"{framing.roi.x},{framing.roi.y} of {framing.roi.width}x{framing.roi.height}" in note


def test_of_two_sectors_of_about_one_size_the_one_that_shows_more_is_followed() -> None:
    places = [(66, 60, 240, 180), (330, 60, 250, 188)]
    for judge, left in ((Judge(), 330), (Judge(most=250), 66), (Judge(least=251), 330)):
        roi = frame_recording(dual(places), judge).roi
        assert roi is not None
        assert abs(roi.x - left) < 40


def test_a_cut_frame_is_black_beside_the_sector_and_keeps_its_time() -> None:
    cine = dual([LARGE])
    for frame in cine.shown:
        cv2.putText(frame.image, "NAME", (90, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    framing = frame_recording(cine, Judge())
    assert framing.roi is not None
    assert framing.notes == ()
    roi = framing.roi
    with cine:
        shown = list(framing(cine))
    assert [(frame.t_s, frame.index) for frame in shown] == [(frame.t_s, frame.index) for frame in cine.shown]
    whole, cut = cine.shown[30].image, shown[30].image
    assert cut.shape == (roi.height, roi.width)
    there = whole[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
    assert np.array_equal(cut[40:80, 130:190], there[40:80, 130:190])
    assert there[:45, :60].any(), "the name in the corner of the picture"
    assert not cut[:45, :60].any()


def test_a_rectangle_is_taken_as_it_is_and_one_outside_is_refused() -> None:
    cine = dual([LARGE])
    framing = frame_recording(cine, Judge(), "70,40,300,225")
    assert framing.roi is not None
    assert framing.roi.to_dict() == {"x": 70, "y": 40, "width": 300, "height": 225, "found": ASKED}
    with cine:
        assert np.array_equal(next(framing(cine)).image, cine.shown[0].image[40:265, 70:370])
    with pytest.raises(FrameError, match=f"within the image of {SIZE[1]}x{SIZE[0]}"), cine:
        next(frame_recording(cine, Judge(), "600,0,100,100")(cine))
    with pytest.raises(ParameterError, match="--roi"):
        frame_recording(cine, Judge(), "here")


def test_nothing_is_cut_where_nothing_moves_or_nobody_asks() -> None:
    still = Cine(frames([screen(0, [LARGE])] * 40))
    found = frame_recording(still, Judge())
    assert found.roi is not None
    assert found.roi.to_dict() == {"x": 0, "y": 0, "width": SIZE[1], "height": SIZE[0], "found": NOT_FOUND}
    for framing, cine in ((found, still), (frame_recording(dual([LARGE]), Judge(), "none"), dual([LARGE]))):
        with cine:
            assert next(framing(cine)) is cine.shown[0]
    assert frame_recording(dual([LARGE]), Judge(), "none").roi is None


def test_frames_in_which_the_ultrasound_moves_elsewhere_are_left_out_and_said() -> None:
    moved = [screen(n, [LARGE] if n < 80 or n >= 200 else [(330, 150, 240, 180)]) for n in range(280)]
    cine = Cine(frames(moved))
    framing = frame_recording(cine, Judge())
    assert framing.roi is not None
    with cine:
        lit = [bool(frame.image[60:140].any()) for frame in framing(cine)]
    assert all(lit[:80])
    assert not any(lit[170:200]), "two verdicts of 1.3 s later"
    assert all(lit[245:])
    (note,) = framing.notes
    assert note.endswith(f"s on the ultrasound is elsewhere on the screen: {lit.count(False)} frames left out")
    assert 3.2 < float(note.split()[1]) < 6.8


def test_a_picture_that_freezes_while_a_small_thing_moves_is_not_elsewhere() -> None:
    images = [screen(n if n < 70 else 69, [LARGE]) for n in range(160)]
    for n, image in enumerate(images):
        cv2.circle(image, (400 + n, 320), 12, 255, -1)
    cine = Cine(frames(images))
    framing = frame_recording(cine, Judge())
    with cine:
        assert all(frame.image.any() for frame in framing(cine))
    assert framing.notes == ()


def test_turning_a_frame_upside_down_turns_what_is_kept_of_it() -> None:
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 256, (50, 70), np.uint8)
    outline = np.array([[12, 6], [30, 6], [20, 25]], np.int32)
    frame = Frame(whole[5:27, 10:40], 0.5, 3, None, Kept(whole, 10, 5, outline))
    turned = upside_down(frame)
    kept = turned.kept
    assert kept is not None
    assert kept.outline is not None
    rows, columns = turned.image.shape
    assert np.array_equal(turned.image, frame.image[::-1])
    assert np.array_equal(kept.image[kept.y : kept.y + rows, kept.x : kept.x + columns], turned.image)
    for x, y in outline:
        assert kept.image[49 - y, x] == whole[y, x]
        assert [x, 49 - y] in kept.outline.tolist()


def test_a_clean_cine_has_the_readings_that_it_had(cine: Path, engine) -> None:
    # The scale is read from the screen either way, from other moments of it: volumes may differ in the fifth digit.
    looked, plain = process(cine, engine), process(cine, engine, roi="none")
    assert looked.provenance.roi is not None
    assert looked.provenance.roi.found == FILLS
    assert plain.provenance.roi is None
    assert looked.frames.rejected == plain.frames.rejected
    assert looked.ef.percent == pytest.approx(plain.ef.percent, abs=1e-3)
    assert looked.ef.percent == pytest.approx(60, abs=3)
    for one, other in zip(stream(cine, engine), stream(cine, engine, roi="none"), strict=True):
        assert np.array_equal(one.segmentation.probability, other.segmentation.probability)
        assert one.quality == other.quality


@pytest.mark.parametrize(("ef", "seed", "layout"), [(38, 4, 1002), (62, 2, 1006), (50, 9, 1003)])
def test_the_ejection_fraction_on_a_screen_is_that_of_the_picture_alone(
    ef: int, seed: int, layout: int, engine
) -> None:
    heart = "phantom:?" + HEART.format(ef=ef, seed=seed)
    alone = process(f"{heart}&overlay=0", engine, roi="none")
    whole = process(f"{heart}&screen=640x480&layout={layout}", engine)
    assert whole.provenance.roi is not None
    assert whole.provenance.roi.found == FOUND
    assert alone.ef.percent == pytest.approx(ef, abs=6)
    assert whole.ef.percent == pytest.approx(alone.ef.percent, abs=2)
    assert whole.heart_rate_bpm == pytest.approx(80, abs=4)


def test_a_stream_of_a_screen_is_cut_too_and_a_source_of_ones_own_is_not(engine) -> None:
    address = "phantom:?" + HEART.format(ef=50, seed=5) + "&screen=640x480&layout=1002"
    options = PhantomOptions.parse(address)
    first = next(iter(stream(address, engine)))
    assert first.segmentation.map.image[1] < 600
    own = next(iter(stream(Phantom(options), engine)))
    assert own.segmentation.map.image == (480, 640)
    part = next(iter(stream(Phantom(options), engine, roi="10,20,300,200")))
    assert part.segmentation.map.image == (200, 300)


def test_a_lit_desktop_around_a_moving_sector_does_not_make_it_frozen() -> None:
    judge = Judge()
    shown = frames([screen(n, [(420, 180, 200, 150)], behind=200, panel=240) for n in range(60)])
    found = [reading.quality.reason for _, reading in follow(shown, judge, Monitor(judge.spec))]
    assert Reason.FROZEN in found[:10], "before it is known where it moves"
    assert Reason.FROZEN not in found[10:]


def test_a_sector_that_stops_is_frozen_though_a_clock_goes_on_and_comes_back_at_once() -> None:
    judge = Judge()
    numbers = [*range(40), *[39] * 40, *range(40, 60)]
    images = [screen(n, [(420, 180, 200, 150)], behind=200) for n in numbers]
    for k, image in enumerate(images):
        cv2.putText(image, f"{k / 25:.2f}", (100, 340), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)
    found = [reading.quality.reason for _, reading in follow(frames(images), judge, Monitor(judge.spec))]
    assert set(found[40:80]) == {Reason.FROZEN}
    assert Reason.FROZEN not in found[81:]


def test_the_field_recordings_of_whole_screens_have_their_ejection_fraction(field: Path, engine) -> None:
    for name, low, high in (("ef40_1280x720", 37, 42), ("ef60_960x540", 56, 60), ("ef40_1920x1080_small", 37, 42)):
        result = process(field / "whole-screen" / f"{name}.mp4", engine)
        assert result.ef.percent is not None
        assert low <= result.ef.percent <= high, name
        assert result.heart_rate_bpm == pytest.approx(76, abs=3), name
        assert result.frames.rejected == {}, name
        assert result.provenance.roi is not None
        assert result.provenance.roi.found == FOUND
