"""What the page is told: the newest figures and the last seconds."""

from __future__ import annotations

import json

import pytest

from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.viewer.state import Trace, figures
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


def test_the_trace_has_every_beat_and_the_curve_of_the_last_seconds() -> None:
    trace = Trace()
    for update in readings():
        trace.add(update)
        trace.add(update)  # shown twice, counted once
    said = trace.to_dict()
    assert len(said["curve"]) == len(readings())
    assert len(said["beats"]) == sum(update.reading.beat is not None for update in readings())
    assert said["beats"][0]["t_ed_s"] < said["beats"][-1]["t_ed_s"]
    trace.add(LiveUpdate(None, None, RUNNING))
    assert trace.to_dict()["curve"] == [], "a reset begins afresh"


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
