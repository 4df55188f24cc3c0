"""The ECG on a screen: its R peaks and the heart rate, read from the trace below the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from echo_rt.frame import Frame
from echo_rt.phantom.screen.ecg import COLOURS, EcgManner, draw_ecg, ecg_level
from echo_rt.phantom.screen.layout import Rect
from echo_rt.sources.screen.beside import Beside
from echo_rt.sources.screen.ecg import Ecg, EcgReader
from echo_rt.sources.screen.peaks import r_peaks
from echo_rt.sources.screen.ruler import NO_RULER
from echo_rt.sources.screen.still import Still
from echo_rt.sources.screen.strip import find_strips
from support.results import result_of

SIZE = (260, 480)
"""Rows and columns of the screens."""

RECT = Rect(40, 205, 400, 45)

SECTOR = np.array([[240, 10], [120, 130], [240, 190], [360, 130]])

PEAKS = tuple(float(t) for t in np.cumsum([-5.2, *[0.82, 0.78, 0.85, 0.8] * 4]))
"""R peaks in seconds, about 74 a minute; some are before the recording."""

Draw = Callable[[NDArray[np.uint8], float], None]


def recorded(draw: Draw, seconds: float = 5.0, fps: float = 25.0, quality: int | None = None) -> list[Frame]:
    """Frames of a screen with a sector of speckle and a text, on which something is drawn."""
    rng = np.random.default_rng(3)
    frames = []
    for n in range(round(seconds * fps)):
        canvas = np.zeros((*SIZE, 3), np.uint8)
        noise = rng.integers(0, 200, SIZE).astype(np.uint8)
        inside = np.zeros(SIZE, np.uint8)
        cv2.fillConvexPoly(inside, SECTOR.astype(np.int32), 1)
        canvas[...] = (noise * inside)[..., None]
        cv2.putText(canvas, "74 bpm", (400, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (220, 220, 220), 1)
        draw(canvas, n / fps)
        if quality is not None:
            code = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            canvas = cv2.imdecode(code, cv2.IMREAD_COLOR)
        frames.append(Frame(canvas, n / fps, n))
    return frames


def traced(manner: EcgManner) -> Draw:
    return lambda canvas, t_s: draw_ecg(canvas, RECT, t_s, PEAKS, manner)


def read(frames: list[Frame]) -> Ecg | None:
    """What the frames say; the strip is found in the first 1.4 s, as in a recording."""
    still = Still()
    for frame in frames[:36:2]:
        still.update(frame.image)
    found = []
    for strip in find_strips(still.highest, still.lowest, [SECTOR]):
        reader = EcgReader(strip)
        for frame in frames:
            reader.update(frame)
        found.append(reader.result())
    return next((ecg for ecg in found if ecg is not None), None)


def hits(ecg: Ecg | None, first_s: float = 0.3, last_s: float = 4.6) -> tuple[int, int]:
    """How many of the true peaks were found within 40 ms, and how many there are."""
    true = [peak for peak in PEAKS if first_s < peak < last_s]
    found = np.array(ecg.r_times_s if ecg is not None else [np.inf])
    return sum(bool(np.abs(found - peak).min() < 0.04) for peak in true), len(true)


SWEEP = EcgManner(across_s=3.0, width_px=1)
SCROLL = replace(SWEEP, kind="scroll", colour=COLOURS[1])
MANNERS = {
    "a sweep": SWEEP,
    "a slow white sweep with a wide bar": replace(SWEEP, across_s=4.5, erased=0.06, colour=COLOURS[2]),
    "a thick sweep on a grid": replace(SWEEP, width_px=2, grid=True, noise=0.03),
    "a sweep with R waves downwards": replace(SWEEP, height=-0.6, colour=COLOURS[3]),
    "a scroll": SCROLL,
    "a fast scroll with tall T waves": replace(SCROLL, across_s=2.2, t_wave=0.45),
}


@pytest.mark.parametrize("name", MANNERS)
def test_the_r_peaks_are_read_within_40_ms(name: str) -> None:
    ecg = read(recorded(traced(MANNERS[name])))
    found, true = hits(ecg)
    assert ecg is not None
    assert true == 6
    assert found == true
    spurious = [t_s for t_s in ecg.r_times_s if min(abs(t_s - peak) for peak in PEAKS) > 0.04]
    assert spurious == []
    assert ecg.heart_rate_bpm == pytest.approx(74, abs=2.5)


@pytest.mark.parametrize("name", ["a sweep", "a scroll"])
def test_a_compressed_recording_of_few_frames_a_second_is_read_too(name: str) -> None:
    found, true = hits(read(recorded(traced(MANNERS[name]), fps=20.0, quality=70)))
    assert found >= true - 1


def test_times_are_finer_than_the_frames() -> None:
    ecg = read(recorded(traced(SWEEP), fps=16.0))
    assert ecg is not None
    late = [t_s - min(PEAKS, key=lambda peak: abs(peak - t_s)) for t_s in ecg.r_times_s]
    assert np.abs(late).max() < 0.02, "frames are 62 ms apart"


def nothing(canvas: np.ndarray, t_s: float) -> None:
    pass


def a_clock(canvas: np.ndarray, t_s: float) -> None:
    cv2.putText(canvas, f"12:00:{t_s:05.2f}", (60, 230), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (220, 220, 220), 1)


def a_cursor(canvas: np.ndarray, t_s: float) -> None:
    cv2.circle(canvas, (round(60 + 60 * t_s), 225), 5, (255, 255, 255), -1)


def the_breath(canvas: np.ndarray, t_s: float) -> None:
    xs = np.arange(40, round(40 + 400 * (t_s % 3) / 3))
    ys = 225 - 15 * np.sin(2 * np.pi * (t_s - t_s % 3 + (xs - 40) / 400 * 3) / 2.8)
    cv2.polylines(canvas, [np.stack([xs, ys], 1).astype(np.int32)], False, (200, 200, 60), 1)


def a_flat_line(canvas: np.ndarray, t_s: float) -> None:
    cv2.line(canvas, (40, 225), (40 + round(400 * (t_s % 3) / 3), 225), (80, 230, 90), 1)


@pytest.mark.parametrize("other", [nothing, a_clock, a_cursor, the_breath, a_flat_line])
def test_what_moves_too_is_no_ecg(other: Draw) -> None:
    assert read(recorded(other, seconds=4.0)) is None


def test_the_breath_below_the_ecg_does_not_hide_it() -> None:
    above = Rect(40, 195, 400, 25)

    def both(canvas: np.ndarray, t_s: float) -> None:
        draw_ecg(canvas, above, t_s, PEAKS, SWEEP)
        xs = np.arange(40, round(40 + 400 * (t_s % 3) / 3))
        cv2.polylines(canvas, [np.stack([xs, 242 - 6 * np.sin(xs / 70)], 1).astype(np.int32)], False, (200, 200, 60), 1)

    found, true = hits(read(recorded(both)))
    assert found >= true - 1


def test_t_waves_are_no_peaks() -> None:
    times = np.arange(0, 4, 0.004)
    level = 60 * ecg_level(times, [0.5, 1.4, 2.3, 3.2], t_wave=0.8)
    assert r_peaks(times, 100 - level, 101 - level) == pytest.approx([0.5, 1.4, 2.3, 3.2], abs=0.005)


def test_beats_that_begin_elsewhere_are_counted() -> None:
    ecg = Ecg((0.5, 1.3, 2.1, 2.9))
    assert ecg.heart_rate_bpm == pytest.approx(75)
    assert ecg.disagreement([0.52, 1.25, 2.17]) is None
    said = "2 of 4 beats begin more than 80 ms from an R peak of the ECG on the screen"
    assert ecg.disagreement([0.52, 1.45, 2.25, 2.9]) == said
    assert ecg.disagreement([9.0]) is None, "where there is no ECG it says nothing"
    assert Ecg((0.5, 1.3)).heart_rate_bpm is None


def test_the_summary_has_the_rate_and_figures_stay() -> None:
    frames = recorded(traced(SWEEP))
    still = Still()
    for frame in frames[:36:2]:
        still.update(frame.image)
    readers = [EcgReader(strip) for strip in find_strips(still.highest, still.lowest, [SECTOR])]
    beside = Beside(NO_RULER, None, readers)
    for frame in frames:
        assert beside(frame) is frame
    before = result_of()
    after = beside.told(before)
    assert after.to_dict()["ecg_heart_rate_bpm"] == pytest.approx(74, abs=2.5)
    assert after.to_dict() | {"ecg_heart_rate_bpm": None} == before.to_dict()


def test_a_sign_that_blinks_above_the_trace_and_a_line_below_it_are_no_trace() -> None:
    trace = traced(EcgManner())

    def draw(canvas: NDArray[np.uint8], t_s: float) -> None:
        trace(canvas, t_s)
        cv2.line(canvas, (0, 255), (479, 255), (190, 190, 190), 1)
        if t_s % 0.8 < 0.25:
            cv2.circle(canvas, (44, 194), 4, (60, 60, 230), -1)

    found, true = hits(read(recorded(draw)))
    assert found >= true - 1
    ecg = read(recorded(draw))
    assert ecg is not None
    assert ecg.heart_rate_bpm == pytest.approx(74, abs=3)


def test_a_trace_that_is_a_fifth_of_the_screen_long_is_read() -> None:
    place = Rect(30, 205, 100, 45)
    short = EcgManner(across_s=2.2)
    ecg = read(recorded(lambda canvas, t_s: draw_ecg(canvas, place, t_s, PEAKS, short)))
    assert hits(ecg)[0] >= 4
    assert ecg is not None
    assert ecg.heart_rate_bpm == pytest.approx(74, abs=3), "its sweeps are told apart"


def test_a_missed_peak_among_few_gives_no_heart_rate() -> None:
    assert Ecg((1.0, 2.1, 4.3)).heart_rate_bpm is None
    assert Ecg((1.0, 2.1, 3.2)).heart_rate_bpm == pytest.approx(60 / 1.1)
    assert Ecg((0.0, 1.0, 2.0, 3.0, 5.0, 6.0)).heart_rate_bpm == pytest.approx(60), "the median of many"


def test_peaks_that_the_picture_covers_make_neither_a_rate_nor_a_disagreement() -> None:
    """As where the sector reaches into the trace: of eleven beats at 70 bpm, four have no peak."""
    covered = Ecg((0.59, 2.31, 3.14, 5.73, 6.58, 8.30, 9.19))
    assert covered.heart_rate_bpm is None
    assert covered.disagreement([0.60, 1.45, 2.30, 3.15, 4.01, 4.87, 5.73, 7.44]) is None
    assert (
        covered.disagreement([0.60, 2.72])
        == "1 of 1 beats begin more than 80 ms from an R peak of the ECG on the screen"
    )
    fibrillating = Ecg(tuple(np.cumsum([0.62, 0.81, 0.55, 0.97, 0.70, 0.58, 1.02, 0.66]).tolist()))
    assert fibrillating.heart_rate_bpm == pytest.approx(60 / 0.70)
