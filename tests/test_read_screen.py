"""The scale is read from the ruler on a screen where it is asked for, and never else."""

from __future__ import annotations

import pytest

import echo_rt
from echo_rt.phantom import Phantom
from support.live_parts import StandInEngine

LAYOUTS = (1, 3, 5)


def screen(layout: int) -> str:
    return f"phantom:?ef=40&seconds=2.4&screen=960x540&layout={layout}"


def read(layout: int, *, read_screen: bool) -> echo_rt.RecordingResult:
    return echo_rt.process(screen(layout), StandInEngine(), roi="none", read_screen=read_screen)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_ruler_gives_the_scale_of_a_drawn_screen_where_it_is_asked_for(layout: int) -> None:
    with echo_rt.open_source(screen(layout)) as source:
        assert isinstance(source, Phantom)
        assert source.screen is not None
        true_mm = 1 / source.screen.placed.px_per_mm
    result = read(layout, read_screen=True)
    assert result.frames.spacing_mm == pytest.approx((true_mm, true_mm), rel=0.02)
    assert any("ruler" in note for note in result.provenance.notes)


def test_a_list_of_words_on_a_screen_without_a_ruler_gives_no_scale() -> None:
    with echo_rt.open_source(screen(2)) as source:
        assert isinstance(source, Phantom)
        assert source.screen is not None
        assert source.screen.ruler is None
    assert read(2, read_screen=True).frames.spacing_mm is None


def test_a_screen_with_a_ruler_has_no_scale_unless_it_is_asked_for() -> None:
    result = read(LAYOUTS[0], read_screen=False)
    assert result.frames.spacing_mm is None
    assert not any("ruler" in note for note in result.provenance.notes)
