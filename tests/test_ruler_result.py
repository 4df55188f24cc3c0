"""What the scale of a screen comes to in the result of a recording."""

from __future__ import annotations

import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.frame import Frame
from echo_rt.phantom.screen.ruler import RulerManner
from echo_rt.result import RecordingResult
from echo_rt.sources.screen.beside import Beside
from echo_rt.sources.screen.ruler import NO_RULER, Found
from support.monitored import IMAGE, SPEC, beating, readings
from support.results import result_of
from support.rulers import read, screens

PLAIN = RulerManner(side="right", offset_px=14)


def told(ruler: Found | str, spacing_mm: tuple[float, float] | None) -> RecordingResult:
    frame = Frame(IMAGE, 0.0, 0, spacing_mm or ((0.4, 0.4) if isinstance(ruler, Found) else None))
    result = result_of([(frame, readings(Monitor(SPEC), beating(0.04))[0])])
    return Beside(ruler, spacing_mm).told(result)


def test_a_summary_says_where_the_scale_is_from() -> None:
    found = read(screens(140, PLAIN))
    by_ruler = told(found, None)
    assert by_ruler.to_dict()["scale"] == "ruler"
    assert 0 < by_ruler.to_dict()["scale_error_percent"] < 2
    assert any(
        note.startswith("scale by the ruler on the screen: 0.406 mm a pixel") for note in by_ruler.provenance.notes
    )
    by_header = told(NO_RULER, (0.3, 0.3)).to_dict()
    assert (by_header["scale"], by_header["scale_error_percent"], by_header["notes"]) == ("header", None, [])
    none = told("a ruler is seen whose marks may be 5 mm or 1 cm", None)
    assert none.to_dict()["scale"] is None
    assert "5 mm or 1 cm" in (none.provenance.spacing_note or "")


def test_a_header_whose_scale_the_ruler_contradicts_counts_and_is_noted() -> None:
    found = read(screens(140, PLAIN))
    (note,) = told(found, (0.45, 0.45)).provenance.notes
    assert note.startswith("the header says 0.45 mm a pixel, the ruler on the screen 0.406 mm")
    assert told(found, (0.41, 0.41)).provenance.notes == (), "by less than 5 %"


def test_no_beat_is_made_of_two_scales() -> None:
    clip = beating(6.0)
    monitor = Monitor(SPEC)
    found = []
    for n, (t_s, segmentation) in enumerate(clip):
        spacing_mm = (0.5, 0.5) if t_s < 2.5 else (0.8, 0.8)
        found.append(monitor.update(segmentation, Frame(IMAGE, t_s, n, spacing_mm)))
    beats = [reading.beat for reading in found if reading.beat is not None and reading.beat.accepted]
    assert len(beats) >= 3
    assert all(beat.t_next_ed_s <= 2.5 or beat.t_ed_s >= 2.5 for beat in beats)
    early = [beat.edv for beat in beats if beat.t_next_ed_s <= 2.5]
    late = [beat.edv for beat in beats if beat.t_ed_s >= 2.5]
    assert late[0] == pytest.approx(early[0] * (0.8 / 0.5) ** 3, rel=0.02)
    assert found[-1].ef.percent == pytest.approx(beats[0].ef_percent, abs=1), "what was known of whole beats stays"


def test_volumes_of_a_recording_are_those_of_its_first_scale() -> None:
    clip = beating(6.0)
    monitor = Monitor(SPEC)
    frames = [Frame(IMAGE, t_s, n, (0.5, 0.5) if t_s < 2.7 else None) for n, (t_s, _) in enumerate(clip)]
    result = result_of((f, monitor.update(s, f)) for f, (_, s) in zip(frames, clip, strict=True))
    first = [beat for beat in result.beats if beat.accepted and beat.t_next_ed_s <= 2.7]
    assert result.volume_unit == "mL"
    assert result.edv == pytest.approx(first[0].edv, rel=0.02)
