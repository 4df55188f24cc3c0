"""What is drawn: the film's pictures frame after frame, and names of any script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.chambers import LeftAtrium, Scale
from echo_rt.curves import Curves
from echo_rt.measures import Rolling
from echo_rt.outputs.curve import CurveOutput
from echo_rt.outputs.curve_chambers import strain_curve
from echo_rt.outputs.curve_words import figure_lines, headline
from echo_rt.outputs.fonts import drawable
from echo_rt.outputs.overlay import Painter, draw
from echo_rt.outputs.panel import bands
from support.looking import readings as looked_at
from support.results import result_of
from support.synthetic import clip


@pytest.fixture(scope="module")
def frames() -> list:
    return list(clip(75, rejected=frozenset({1}), bad=range(10, 16)))


def test_a_painter_draws_each_frame_as_if_it_were_the_first(frames: list) -> None:
    painter = Painter()
    figure = replace(frames[-1][1].ef, percent=55.0, low=50.0, high=60.0, beats=3)
    stale = replace(figure, stale=True, reason="stale: no good beat for 6 s")
    told = [frames[20][1], replace(frames[20][1], ef=figure), replace(frames[20][1], ef=stale), frames[12][1]]
    for frame, reading in [*frames[8:18], *((frames[20][0], reading) for reading in told), frames[9]]:
        np.testing.assert_array_equal(painter.paint(frame, reading), draw(frame, reading))


@pytest.mark.parametrize("spacing_mm", [(0.8, 0.8), None])
def test_no_line_of_the_panel_reaches_into_another(spacing_mm: tuple[float, float] | None) -> None:
    """Else what stays from the frame before would be cut by what is written anew."""
    frame, reading = list(clip(40, spacing_mm=spacing_mm, image=(480, 640)))[-1]
    reading = replace(reading, ef=replace(reading.ef, percent=88.0, low=80.0, high=96.0, beats=5))
    whole = draw(frame, reading)[:, 640:]
    for (top, bottom), words in bands(frame, reading):
        rows = whole[top:bottom]
        ink = (rows != rows[0, 0]).any(axis=(1, 2))
        assert bool(ink.any()) == bool(words)
        assert not ink[0]
        assert not ink[-1]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("clip 4 (Ünïcode)", "clip 4 (Ünïcode)"),
        ("a$b_1$", "a$b_1$"),
        ("x\ue000y", "x\\ue000y"),
        ("\u202ex", "\\u202ex"),
    ],
)
def test_a_title_is_drawn_with_the_letters_that_there_are_and_the_others_are_escaped(name: str, shown: str) -> None:
    assert drawable(name) == (shown, ["DejaVu Sans"])


def test_a_letter_is_drawn_with_an_installed_font_that_has_it() -> None:
    # Of STIX, which comes with matplotlib as DejaVu Sans does.
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    held = {
        family: FT2Font(findfont(FontProperties(family=[family], weight="bold"))).get_charmap()
        for family in ("DejaVu Sans", "STIXGeneral")
    }
    letter = next(chr(code) for code in held["STIXGeneral"] if code not in held["DejaVu Sans"])
    shown, fonts = drawable(f"a{letter}b")
    assert shown == f"a{letter}b"
    assert len(fonts) == 2, "and the font that has it"
    assert ord(letter) in FT2Font(findfont(FontProperties(family=[fonts[1]], weight="bold"))).get_charmap()


@pytest.mark.parametrize("name", ["患者_心尖四腔", "x" * 200, "$\\frac{", "हृदय"])
def test_a_name_of_any_script_and_length_is_drawn_without_a_word(
    name: str, frames: list, tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    output = CurveOutput(tmp_path / "curve.png", name)
    for frame, reading in frames[:5]:
        output.write(frame, reading)
    output.finish(result_of(frames[:5]))
    assert not caplog.records
    assert not recwarn.list
    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert picture is not None
    assert (picture[:, 1180:] > 250).all(), "the title ends within the figure"
    assert (picture[20:45, 90:] < 128).any(), "it is there"


def followed() -> list:
    return [(update.frame, update.reading) for update in looked_at()]


def drawn(frames: list, path: Path) -> np.ndarray:
    output = CurveOutput(path, "clip")
    for frame, reading in frames:
        output.write(frame, reading)
    output.finish(result_of(frames))
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def test_the_figure_grows_by_a_panel_for_the_strain_and_one_for_the_atrium(tmp_path: Path) -> None:
    whole = drawn(followed(), tmp_path / "whole.png")
    cut = LeftAtrium(50.0, 1000.0, 60.0, 60.0, "cut off by the sector", Scale.MM)
    lost = "the atrium is cut off by the picture or not seen"
    without = []
    for frame, reading in followed():
        figures = tuple(
            replace(figure, value=None, reason=lost) if figure.measure.group == "Left atrium" else figure
            for figure in reading.rolling.measures
        )
        without.append((frame, replace(reading, atrium=cut, rolling=replace(reading.rolling, measures=figures))))
    assert drawn(without, tmp_path / "cut.png").shape[0] < whole.shape[0]
    bare = [
        (frame, replace(reading, ventricle=None, atrium=None, wall=None, rolling=Rolling()))
        for frame, reading in without
    ]
    assert drawn(bare, tmp_path / "bare.png").shape == (700, 1200, 3)
    for picture in (whole, drawn(without, tmp_path / "again.png")):
        assert 0.005 < (picture < 128).any(axis=2).mean() < 0.3, "neither empty nor crowded"
        assert (picture[:, 1185:] > 250).all(), "nothing reaches over the edge"


def test_each_beat_that_counts_has_its_strain_from_its_own_zero() -> None:
    curves, beats = Curves(), [beat for _, reading in clip(90) if (beat := reading.beat) is not None]
    result = replace(result_of(), beats=(beats[0], replace(beats[1], reason="too few good frames"), beats[2]))
    curves.t_s.extend(n / 100 for n in range(300))
    # The endocardium shortens by 20 % in each beat, and the heart comes nearer meanwhile.
    phase = np.array(curves.t_s) % beats[0].t_next_ed_s / beats[0].t_next_ed_s
    curves.endocardium.extend((100 + 30 * np.array(curves.t_s)) * (1 - 0.2 * np.sin(np.pi * phase) ** 2))
    curves.ok.extend([1] * 300)
    t_s, percent = strain_curve(curves, result)
    assert not ((t_s > beats[1].t_ed_s + 0.01) & (t_s < beats[1].t_next_ed_s - 0.01)).any(), "it does not count"
    for beat in (beats[0], beats[2]):
        inside = (t_s >= beat.t_ed_s) & (t_s < beat.t_next_ed_s - 0.01)
        assert percent[inside][0] == pytest.approx(0, abs=1)
        grown = (100 + 30 * beat.t_es_s) / (100 + 30 * beat.t_ed_s)
        assert percent[inside][inside.sum() // 2] == pytest.approx(100 * (0.8 * grown - 1), abs=1)


def test_the_words_above_the_curves_give_the_foremost_figures_and_why_one_is_missing() -> None:
    result = result_of(followed())
    (known,) = figure_lines(result)
    rolling = result.figures
    assert known.startswith(f"median of {rolling['ls_a4c'].beats} beats: Longitudinal strain, A4C −")
    assert f"Stroke volume {rolling['sv'].value:.0f} mL" in known
    assert "A2C" not in known
    figures = tuple(
        replace(figure, value=None, reason="the scale is not known") if figure.unit == "mL" else figure
        for figure in rolling.measures
    )
    without = replace(result, figures=replace(rolling, measures=figures, irregular=True, rr_variation_percent=17.8))
    known, missing = figure_lines(without)
    assert known.startswith("mean of ")
    assert missing == "not measured: Stroke volume; LA volume, largest: the scale is not known"
    assert "irregular: beats vary in length by 18 %" in headline(without)
    figures = tuple(replace(figure, value=None, reason="no beat that counts") for figure in rolling.measures)
    assert figure_lines(replace(result, figures=Rolling(measures=figures))) == [
        "no further measures: no beat that counts"
    ]
