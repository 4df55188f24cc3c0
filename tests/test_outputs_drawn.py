"""What is drawn: the film's pictures frame after frame, and names of any script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.outputs.curve import CurveOutput
from echo_rt.outputs.fonts import drawable
from echo_rt.outputs.overlay import Painter, draw
from echo_rt.outputs.panel import bands
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
