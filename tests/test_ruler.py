"""The scale of a screen, read from the ruler beside the sector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.phantom.screen.ruler import COLOURS, RulerManner, Side
from echo_rt.sources import open_source
from echo_rt.sources.screen.ruler import NO_RULER, Found, RulerReader
from support.rulers import DEPTH_PX, TIP, Draw, h264, read, screens, write

PLAIN = RulerManner(side="right", offset_px=14)

MANNERS = {
    "ticks with numbers": PLAIN,
    "ticks without numbers, blue": replace(PLAIN, numbers=False, colour=COLOURS["blue"]),
    "all ticks alike": replace(PLAIN, major=0, width_px=2),
    "dots with ticks": replace(PLAIN, marks=("dot", "tick"), colour=COLOURS["amber"]),
    "dots with larger dots": replace(PLAIN, marks=("dot", "dot"), width_px=2, numbers=False),
    "dots alone, grey": replace(PLAIN, major=0, marks=("dot", "dot"), colour=COLOURS["grey"]),
    "on a line": replace(PLAIN, line=True, width_px=2, colour=COLOURS["green"]),
    "at the left": replace(PLAIN, side="left", text="D {:.1f} cm"),
    "on the sector's axis": replace(PLAIN, side="middle", width_px=2),
    "ticks along the left side": replace(PLAIN, side="left edge", offset_px=40),
    "dots along the right side": replace(PLAIN, side="right edge", major=0, marks=("dot", "dot"), offset_px=30),
    "half centimetres": replace(PLAIN, step_mm=5, major=2, lengths_px=(4, 10)),
}


def off(found: Found | str, depth_mm: float) -> float:
    """By how much a scale is off, as a share."""
    assert isinstance(found, Found), found
    return abs(found.scale.mm_per_px / (depth_mm / DEPTH_PX) - 1)


@pytest.mark.parametrize("name", MANNERS)
def test_the_scale_is_read_from_every_manner_of_ruler(name: str) -> None:
    found = read(screens(153, MANNERS[name]))
    assert off(found, 153) < 0.01
    assert isinstance(found, Found)
    assert found.scale.depth_mm == pytest.approx(153, rel=0.06)
    assert 100 * off(found, 153) < found.scale.error_percent < 2


@pytest.mark.parametrize("depth_mm", [62, 90, 128, 197, 240])
def test_it_is_read_at_every_depth_of_an_apical_view(depth_mm: float) -> None:
    for name in ("ticks with numbers", "all ticks alike"):
        assert off(read(screens(depth_mm, MANNERS[name])), depth_mm) < 0.02, name


def jpeg(frame: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 65])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("name", ["ticks with numbers", "dots with ticks", "all ticks alike"])
def test_compression_and_another_size_do_no_harm(name: str) -> None:
    frames = screens(168, MANNERS[name])
    assert off(read(h264(frames, 30)), 168) < 0.02
    smaller = [jpeg(cv2.resize(frame, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)) for frame in frames]
    found = read(smaller)
    assert isinstance(found, Found)
    assert found.scale.mm_per_px == pytest.approx(168 / DEPTH_PX / 0.7, rel=0.02)


def rows(count: int) -> list[int]:
    """Rows as evenly spaced as marks, from the sector's tip to its bottom."""
    return [round(TIP[1] + DEPTH_PX * n / count) for n in range(count + 1)]


def a_list(canvas: np.ndarray) -> None:
    for n, y in enumerate(rows(11)):
        write(canvas, f"MENU {n}", 14, y)


def bullets(canvas: np.ndarray) -> None:
    for y in rows(12):
        cv2.circle(canvas, (16, y), 1, (200, 200, 200), -1, cv2.LINE_AA)
        write(canvas, "Gain", 26, y + 4)


def dashes(canvas: np.ndarray) -> None:
    for y in rows(10):
        write(canvas, "- Depth", 520, y)


def frames_of_buttons(canvas: np.ndarray) -> None:
    canvas[:, 540:] = 70
    for y in rows(9):
        cv2.rectangle(canvas, (545, y), (612, y + 32), (190, 190, 190), 1)


def bar(canvas: np.ndarray) -> None:
    canvas[60:200, 590:600] = np.linspace(255, 0, 140).astype(np.uint8)[:, None, None]
    for y in np.linspace(60, 200, 8).astype(int):
        cv2.line(canvas, (584, int(y)), (590, int(y)), (200, 200, 200), 1)


def words_of_some_length(canvas: np.ndarray) -> None:
    # By chance every fifth one is long: as if these were the long marks of a ruler.
    for n, y in enumerate(rows(10)):
        write(canvas, "Annotate" if n % 5 == 0 else ("Gain", "Zoom", "Cine")[n % 3], 10, y + 4)


def one_word(canvas: np.ndarray) -> None:
    for y in range(24, 400, 26):
        write(canvas, "Gain", 590, y)


TRAPS = [a_list, bullets, dashes, frames_of_buttons, bar, words_of_some_length, one_word]


@pytest.mark.parametrize("trap", TRAPS)
def test_what_is_evenly_spaced_too_is_no_ruler(trap) -> None:
    assert isinstance(read(screens(150, None, trap)), str)


@pytest.mark.parametrize("trap", TRAPS)
def test_and_hides_none(trap) -> None:
    side = "left" if trap in (dashes, frames_of_buttons, bar, one_word) else "right"
    assert off(read(screens(150, replace(PLAIN, side=side), trap)), 150) < 0.01


def buttons_close_by(canvas: np.ndarray) -> None:
    for y in range(20, 400, 26):
        cv2.rectangle(canvas, (585, y), (616, y + 21), (190, 190, 190), 1)


CLOSE = {
    "long ticks that touch a panel": (
        replace(PLAIN, numbers=False, offset_px=17),
        lambda canvas: canvas[:, 582:].fill(45),
    ),
    "dots beside framed buttons": (replace(PLAIN, marks=("dot", "tick"), numbers=False), buttons_close_by),
    "dots alike, beside words": (replace(PLAIN, major=0, marks=("dot", "dot"), offset_px=4), one_word),
}


@pytest.mark.parametrize("name", CLOSE)
def test_a_ruler_close_to_something_else_is_read(name: str) -> None:
    manner, other = CLOSE[name]
    assert off(read(screens(150, manner, other)), 150) < 0.01


def numbers(step_cm: int, depth_mm: float) -> Draw:
    """Writes a number beside every mark, or every second one, of the ruler at the right."""

    def draw(canvas: np.ndarray) -> None:
        for cm in range(0, int(depth_mm / 10) + 1, step_cm):
            write(canvas, str(cm), 582, round(TIP[1] + DEPTH_PX * 10 * cm / depth_mm) + 4)

    return draw


def test_a_ruler_with_a_number_at_every_centimetre_is_read() -> None:
    long = replace(PLAIN, numbers=False)
    assert off(read(screens(150, long, numbers(1, 150))), 150) < 0.01
    assert off(read(screens(170, replace(long, marks=("dot", "tick")), numbers(1, 170))), 170) < 0.01


def test_words_beside_every_mark_are_no_numbers() -> None:
    def words(canvas: np.ndarray) -> None:
        for n, y in enumerate(rows(15)):
            write(canvas, ("Gain", "Zoom", "Cine")[n % 3], 582, y + 4)

    assert isinstance(read(screens(150, replace(PLAIN, numbers=False), words)), str)


def test_even_numbers_beside_long_fifth_marks_do_no_harm() -> None:
    assert off(read(screens(110, replace(PLAIN, numbers=False), numbers(2, 110))), 110) < 0.01


def test_dots_that_lie_between_two_rows_are_read() -> None:
    dots = replace(PLAIN, marks=("dot", "dot"), numbers=False)
    for depth_mm in (130, 151, 169):
        assert off(read(screens(depth_mm, dots)), depth_mm) < 0.01


def test_what_moves_close_below_the_sector_does_not_make_it_deeper() -> None:
    # Twenty-two centimetres, every second one long. Were the sector a fifth deeper, they would pass for half ones.
    frames = screens(220, replace(PLAIN, major=2, numbers=False, lengths_px=(5, 12)))
    for n, frame in enumerate(frames):
        x = np.arange(20, 600)
        y = 402 - 8 * (np.abs((x - 40 * n) % 90 - 45) < 4)
        cv2.polylines(frame, [np.stack([x, y], axis=1).astype(np.int32)], False, (90, 230, 90), 2)
        frame[:, 40 * n : 40 * n + 30][390:] = 0
    found = read(frames)
    assert isinstance(found, str) or off(found, 220) < 0.01


@pytest.mark.parametrize("side", ["left edge", "right edge"])
@pytest.mark.parametrize("depth_mm", [93, 123])
def test_half_centimetres_are_told_by_the_numbers_along_a_side_of_the_sector_too(side: Side, depth_mm: float) -> None:
    halves = replace(PLAIN, side=side, step_mm=5, major=2, lengths_px=(5, 9), offset_px=40)
    assert off(read(screens(depth_mm, halves)), depth_mm) < 0.01
    thick = replace(halves, width_px=2, lengths_px=(8, 14))
    assert off(read(screens(depth_mm, thick)), depth_mm) < 0.01


def test_numbers_of_a_small_screen_are_seen() -> None:
    halves = replace(PLAIN, side="right edge", step_mm=5, major=2, lengths_px=(5, 9), offset_px=40)
    found = read([cv2.resize(f, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA) for f in screens(123, halves)])
    assert isinstance(found, Found), found
    assert found.scale.mm_per_px == pytest.approx(123 / DEPTH_PX / 0.7, rel=0.01)


def test_marks_that_may_be_half_centimetres_give_no_scale() -> None:
    # 20 marks, every second one long: 20 cm with 2 cm long, or 10 cm with 1 cm. No number says which.
    found = read(screens(100, replace(PLAIN, step_mm=5, major=2, numbers=False)))
    assert found == "a ruler is seen whose marks may be 5 mm or 1 cm"
    numbered = replace(PLAIN, step_mm=5, major=2, lengths_px=(4, 10))
    assert off(read(screens(108, numbered)), 108) < 0.01, "the tenth number is the first with two digits"


def test_a_ruler_that_does_not_begin_at_the_sectors_tip_is_not_believed() -> None:
    frames = screens(150, PLAIN)
    for frame in frames:
        # The ruler alone is moved down by 2 cm.
        frame[:, 560:] = np.roll(frame[:, 560:], 46, axis=0)
        frame[:46, 560:] = 0
    assert isinstance(read(frames), str)


def test_two_scales_on_one_screen_are_a_doubt() -> None:
    def other(canvas: np.ndarray) -> None:
        from echo_rt.phantom.screen.ruler import draw_ruler
        from support.rulers import placed

        draw_ruler(canvas, placed(180), replace(PLAIN, side="left"))

    assert read(screens(150, PLAIN, other)) == "two rulers on the screen have different scales"


def test_still_pictures_and_noise_have_none() -> None:
    still = [screens(150, PLAIN)[0]] * 8
    assert read(still) == NO_RULER, "without motion there is no sector"
    assert RulerReader().read() is None


def test_the_ruler_of_a_real_recording_agrees_with_its_header(cine: Path) -> None:
    # The header is that of the recording before it was made half as large: 0.0510497 cm a pixel.
    with open_source(str(cine)) as source:
        frames = [frame.image for frame in source]
    found = read([np.asarray(frame) for frame in frames[::3]])
    assert isinstance(found, Found)
    assert found.scale.mm_per_px == pytest.approx(2 * 0.510497, rel=0.005)


def test_real_recordings_without_a_ruler_have_none(negatives: Path) -> None:
    names = sorted(path for path in negatives.glob("**/lung-poc_00*.mp4"))[:10]
    assert names
    for path in names:
        with open_source(str(path)) as source:
            frames = [np.asarray(frame.image) for frame, _ in zip(source, range(24), strict=False)]
        assert isinstance(read(frames[::3]), str), path.name
