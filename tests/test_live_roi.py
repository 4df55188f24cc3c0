"""The ultrasound cut out of a scanner's whole screen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from echo_rt.errors import FrameError, ParameterError
from echo_rt.frame import Frame
from echo_rt.sources import open_source
from echo_rt.sources.screen.roi import FixedCut, SectorCut, parse_roi

LEFT, TOP = 300, 120


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    with open_source("phantom:?seconds=4&fps=30&height=480&width=640&depth_mm=150&overlay=0") as source:
        return list(source)


def screen(frame: Frame, number: int, left: int = LEFT, top: int = TOP, scale: float = 1.0) -> Frame:
    """A scanner's screen: names and a logo that stand still, a clock that ticks, an ECG that runs, and the
    ultrasound."""
    canvas = np.full((800, 1280, 3), 12, np.uint8)
    picture = frame.image if scale == 1 else cv2.resize(frame.image, None, fx=scale, fy=scale)
    height, width = picture.shape[:2]
    canvas[top : top + height, left : left + width] = np.asarray(picture)[..., None]
    cv2.putText(canvas, "DOE^JOHN 1950-01-01", (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 2)
    cv2.putText(canvas, "DOE", (left + 4, top + 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    cv2.putText(canvas, f"{number / 30:.2f} s", (1040, 50), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    x = 20 + 8 * number % 1200
    cv2.line(canvas, (x, 780), (x + 8, 700 if number % 8 == 0 else 770), (0, 255, 0), 2)
    return Frame(canvas, frame.t_s, frame.index, None)


def watched(cut: SectorCut, frames: list[Frame]) -> list[Frame | None]:
    return [cut(frame) for frame in frames]


def sector_of(clip: list[Frame]) -> np.ndarray:
    """Where the phantom's ultrasound is lit, in its own image."""
    return np.max([frame.image for frame in clip], axis=0) > 10


def test_the_sector_is_found_and_everything_else_is_gone(clip: list[Frame]) -> None:
    cut = SectorCut()
    found = [frame for frame in watched(cut, [screen(frame, n) for n, frame in enumerate(clip)]) if frame is not None]
    assert len(found) > len(clip) / 2
    assert cut.hull is not None
    mask = np.zeros((800, 1280), np.uint8)
    cv2.fillConvexPoly(mask, cut.hull, 1)
    lit = np.zeros_like(mask)
    lit[TOP : TOP + 480, LEFT : LEFT + 640] = sector_of(clip)
    assert (mask & lit).sum() / lit.sum() > 0.97, "nothing of the ultrasound is lost"
    assert mask.sum() < 1.35 * lit.sum()
    assert not mask[:80].any(), "the name above"
    assert not mask[TOP : TOP + 30, LEFT : LEFT + 60].any(), "and the one in the corner of the picture"
    assert cut.sector is not None
    x, y, width, height = cut.sector.region.box
    assert {frame.image.shape for frame in found} == {(height, width, 3)}
    assert not found[-1].image[mask[y : y + height, x : x + width] == 0].any()
    assert found[-1].t_s == clip[-1].t_s


def test_it_is_kept_when_the_depth_changes_and_while_the_picture_stands_still(clip: list[Frame]) -> None:
    cut = SectorCut()
    shown = [screen(frame, n) for n, frame in enumerate(clip)]
    watched(cut, shown)
    before = cut.hull
    assert before is not None
    with open_source("phantom:?seconds=4&fps=30&height=480&width=640&depth_mm=190&overlay=0") as deeper:
        later = [screen(Frame(f.image, f.t_s + 4, f.index + 120), n) for n, f in enumerate(deeper)]
    watched(cut, later)
    assert cut.hull is before
    still = [Frame(later[-1].image, 8 + n / 30, 240 + n) for n in range(120)]
    assert watched(cut, still)[-1] is not None
    assert cut.hull is before


def test_it_is_looked_for_again_when_the_layout_changes(clip: list[Frame]) -> None:
    cut = SectorCut()
    watched(cut, [screen(frame, n) for n, frame in enumerate(clip)])
    assert cut.hull is not None
    moved = [
        Frame(screen(f, n, left=40, top=280, scale=0.8).image, f.t_s + 4, f.index + 120) for n, f in enumerate(clip)
    ]
    watched(cut, moved)
    x, y, width, _ = cv2.boundingRect(cut.hull)
    assert 0 <= x < 40 + 512 < LEFT + 640
    assert x + width <= 40 + 512 + 40
    assert y > 240


def test_a_still_screen_has_no_sector(clip: list[Frame]) -> None:
    still = screen(clip[0], 0)
    assert not any(watched(SectorCut(), [Frame(still.image, n / 30, n) for n in range(90)]))


def test_a_rectangle_is_cut_and_copied_and_one_outside_is_refused(clip: list[Frame]) -> None:
    cut = parse_roi("300,120,640,480")()
    assert isinstance(cut, FixedCut)
    shown = screen(clip[0], 0)
    found = cut(shown)
    assert np.array_equal(found.image, shown.image[120:600, 300:940])
    assert found.image.base is None, "what lies outside is not kept"
    with pytest.raises(FrameError, match="within the image of 640x480"):
        cut(clip[0])


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,0,4", "-1,2,3,4", "middle"])
def test_a_roi_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="--roi"):
        parse_roi(text)


def test_none_cuts_nothing() -> None:
    assert parse_roi("none")() is None


def test_each_opening_looks_for_its_own_sector() -> None:
    first, second = parse_roi("auto")(), parse_roi("auto")()
    assert isinstance(first, SectorCut)
    assert first is not second
