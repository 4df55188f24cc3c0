"""What the page is told: the newest figures and the last seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

from echo_rt.cardiac.verdict import UNLIKE
from echo_rt.chambers import Scale
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.measures import Rolling
from echo_rt.viewer.state import Board, Trace, figures
from echo_rt.viewer.terminal import status_text
from support.looking import RUNNING, as_phase, readings


def test_the_figures_are_those_of_the_reading_and_are_json() -> None:
    update = readings()[-1]
    said = json.loads(json.dumps(figures(update), allow_nan=False))
    assert said["reading"]["ef_percent"] == pytest.approx(update.reading.ef.percent, abs=0.05)
    assert said["current"]
    assert len(said["reading"]["wall"]) == 6
    assert said["dropped"] == {"engine busy": 3}


@pytest.mark.parametrize("phase", [Phase.LOST, Phase.STOPPED, Phase.OPENING, Phase.ENDED])
def test_figures_of_before_are_not_current_while_no_frames_are_read(phase: Phase) -> None:
    assert not figures(as_phase(readings()[-1], phase))["current"]


def traced(updates: list[LiveUpdate]) -> Trace:
    trace = Trace()
    for update in updates:
        trace.add(update)
        trace.add(update)  # shown twice, counted once
    return trace


def changed(update: LiveUpdate, **reading: Any) -> LiveUpdate:
    assert update.reading is not None
    return replace(update, reading=replace(update.reading, **reading))


def test_the_trace_has_every_beat_and_the_curve_of_the_last_seconds() -> None:
    trace = traced(readings())
    assert len(trace.to_dict()["curve"]) == len(readings())
    beats = trace.by_beat()["beats"]
    assert len(beats) == sum(update.reading.beat is not None for update in readings())
    assert beats[0]["t_ed_s"] < beats[-1]["t_ed_s"]
    trace.add(LiveUpdate(None, None, RUNNING))
    assert trace.to_dict()["curve"] == [], "a reset begins afresh"
    begun = trace.by_beat()
    assert (begun["beats"], begun["measures"], begun["trends"]["points"]) == ([], [], [])


def test_beats_that_speak_for_no_heart_count_neither_in_the_list_nor_in_the_trends() -> None:
    last = readings()[-1]
    assert last.reading is not None
    doubted = replace(last.reading.ef, percent=None, low=None, high=None, reason=UNLIKE)
    updates = [*readings()[:-1], changed(last, ef=doubted, rolling=Rolling(), wall_beat=None)]
    said = traced(updates).by_beat()
    assert len(said["beats"]) > 1
    assert {(beat["accepted"], beat["reason"]) for beat in said["beats"]} == {(False, UNLIKE)}
    assert said["trends"]["points"] == []
    assert traced(readings()).by_beat()["trends"]["points"]


def test_the_measures_are_the_rolling_ones_of_the_view_that_is_seen() -> None:
    said = json.loads(json.dumps(traced(readings()).by_beat(), allow_nan=False))
    rolling = readings()[-1].reading.rolling
    by_label = {measure["label"]: measure for measure in said["measures"]}
    strain = by_label["Longitudinal strain, A4C"]
    assert strain["value"] == pytest.approx(rolling["ls_a4c"].value, abs=0.05)
    assert (strain["unit"], strain["foremost"], strain["usual"]) == ("%", True, rolling["ls_a4c"].usual)
    assert by_label["s', septal"]["reason"] == "needs 40 frames a second, found 30"
    assert "value" not in by_label["s', septal"]
    assert not [label for label in by_label if "A2C" in label or "inferior" in label], "of a view that is not seen"
    assert said["rhythm"] == {"irregular": False, "rr_variation_percent": ANY, "beats": rolling["ls_a4c"].beats}


def test_a_length_in_pixels_is_not_held_against_a_usual_range_in_mm() -> None:
    last = readings()[-1]
    figures = tuple(replace(figure, scale=Scale.PX) for figure in last.reading.rolling.measures)
    rolling = replace(last.reading.rolling, measures=figures)
    said = {measure["label"]: measure for measure in traced([changed(last, rolling=rolling)]).by_beat()["measures"]}
    assert said["MAPSE, septal"]["unit"] == "px"
    assert not {"normal", "usual"} & set(said["MAPSE, septal"])
    assert {"normal", "usual"} <= set(said["Longitudinal strain, A4C"])


def test_what_a_beat_said_is_made_once_a_beat() -> None:
    trace, made = Trace(), []
    for update in readings():
        trace.add(update)
        if not made or trace.by_beat() is not made[-1]:
            made.append(trace.by_beat())
    assert len(made) == 1 + sum(update.reading.beat is not None for update in readings())
    last = readings()[-1]
    trace.add(changed(last, t_s=last.reading.t_s + 31, rolling=Rolling()))
    assert trace.by_beat()["measures"] == [], "figures that are withdrawn are so without a beat"


def test_the_trends_are_those_of_the_beats_that_count_in_the_last_minute() -> None:
    beats = [update.reading.beat for update in readings() if update.reading.beat is not None]
    first = next(beat for beat in beats if beat.accepted)
    # Of beats of a second, one in ten does not count.
    shown = [
        changed(
            readings()[-1],
            t_s=100.0 + n,
            beat=replace(
                first,
                t_ed_s=99.0 + n,
                t_next_ed_s=100.0 + n,
                ef_percent=50.0 + n % 2,
                reason="too few good frames" if n % 10 == 0 else None,
            ),
        )
        for n in range(500)
    ]
    trends = traced(shown).by_beat()["trends"]
    assert [point[0] for point in trends["points"]] == [99.0 + n for n in range(440, 500) if n % 10]
    assert trends["points"][-1][2:] == [51.0, pytest.approx(first.details.measures["ls_a4c"], abs=0.05), 60.0]
    assert trends["sd"] == [0.5, 0.0, 0.0]
    unknown = replace(first, details=replace(first.details, measures={"ls_a4c": "not seen"}))
    trends = traced([changed(readings()[-1], beat=unknown)]).by_beat()["trends"]
    assert trends["points"][0][3] is None
    assert trends["sd"] == [None, None, None]


def test_an_update_stays_small_however_long_the_feed() -> None:
    beat = next(update.reading.beat for update in readings() if update.reading.beat is not None)
    last = readings()[-1]
    # 240 beats a minute for ten minutes.
    shown = [changed(last, t_s=n / 4, beat=replace(beat, t_ed_s=(n - 1) / 4, t_next_ed_s=n / 4)) for n in range(2400)]
    board = Board()
    for update in shown:
        board.show(update)
    _, _, _, by_beat = board.newest(-1, with_trace=True)
    assert len(json.dumps(figures(last))) < 3000, "of every picture"
    assert len(json.dumps(by_beat)) < 20_000, "of every beat"


def test_the_line_on_the_terminal_has_strain_and_stroke_volume_while_ef_is_current() -> None:
    last = readings()[-1]
    rolling = last.reading.rolling
    beside = f"LS {rolling['ls_a4c'].value:.0f} %  SV {rolling['sv'].value:.0f} mL"
    assert beside in status_text(last)
    stale = changed(last, ef=replace(last.reading.ef, stale=True, reason="stale: no good beat for 9 s"))
    assert "LS" not in status_text(stale)
    figures = tuple(replace(figure, value=None, reason="no scale") for figure in rolling.measures)
    assert "SV" not in status_text(changed(last, rolling=replace(rolling, measures=figures)))


def test_a_picture_is_made_once_for_all_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = pytest.importorskip("echo_rt.viewer.browser", reason="no starlette: pip install 'echo-rt[web]'")
    made = []
    monkeypatch.setattr(browser, "draw_image", lambda frame, reading: made.append(reading) or frame.image)
    pictures, (*_, one, other) = browser.Pictures(), readings()
    first = [pictures.of(one) for _ in range(50)]
    assert len(set(first)) == 1
    assert pictures.of(as_phase(one, Phase.LOST)) == first[0]
    assert pictures.of(other) != first[0]
    assert made == [one.reading, other.reading]
