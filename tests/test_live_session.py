"""`echo_rt.open_session`: live feeds in a program of one's own."""

from __future__ import annotations

import threading

import pytest

import echo_rt
from echo_rt.live import opened as session_module
from echo_rt.live.reader import Opening
from echo_rt.live.status import Phase
from support.live_parts import Given, StandInEngine, eventually, frames

SMALL = "phantom:?height=120&width=160&fps=30&overlay=0&seconds=0.5"


def test_readings_come_with_name_and_frame_and_every_one_of_them_where_time_does_not_matter() -> None:
    engine = StandInEngine()
    sources = {"one": SMALL, "two": f"{SMALL}&ef=30"}
    with echo_rt.open_session(sources, engine, realtime=False, roi="none") as session:
        assert session.names == ("one", "two")
        found = list(session)
    for name in session.names:
        mine = [item for item in found if item.name == name]
        assert [item.reading.index for item in mine] == list(range(15))
        assert all(item.frame.index == item.reading.index for item in mine)
        assert session.status[name].phase is Phase.ENDED
        assert session.status[name].counts.frames == 15
    assert session.biplane is None
    assert engine.asked.is_set()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Sources by their addresses, in place of real ones."""
    sources: dict[str, object] = {}

    def opening(uri: str, **asked: object) -> Opening:
        return Opening(uri, lambda: sources[uri](), lasting=False)

    monkeypatch.setattr(session_module, "opening_of", opening)
    return sources


def test_a_slow_program_loses_its_own_readings_and_the_engine_goes_on(given) -> None:
    given["fast:"] = lambda: Given(frames(10_000), 0.01, None)
    with echo_rt.open_session("fast:", StandInEngine()) as session:
        readings = iter(session)
        name, first, _ = next(readings)
        before = session.status[name].counts.frames
        eventually(lambda: session.status[name].counts.frames > before + 20)
        lost = session.status[name].counts.lost["session"]
        assert lost > 5
        _, later, _ = next(readings)
        _, third, _ = next(readings)
        assert first.index < later.index < third.index
        session.stop()
        assert list(readings) == []


def test_the_readings_of_two_feeds_come_in_turn_though_one_is_far_ahead(given) -> None:
    given["fast:"] = lambda: Given(frames(20_000), 0.005, None)
    given["slow:"] = lambda: Given(frames(20), 0.02)
    with echo_rt.open_session(["fast:", "slow:"], StandInEngine()) as session:
        slow = 0
        for name, _, _ in session:
            slow += name == "slow"
            if session.status["slow"].phase is Phase.ENDED or slow == 20:
                break
        counts = session.status["slow"].counts
        assert slow + counts.dropped_frames + counts.lost.get("session", 0) >= 15


def test_what_a_feed_can_be_asked_and_how_it_ends(given) -> None:
    given["one:"] = lambda: Given(frames(10_000), 0.01, None)
    with echo_rt.open_session("one:", StandInEngine()) as session:
        session.control("one").freeze(True)
        eventually(lambda: session.status["one"].phase is Phase.FROZEN)
        with pytest.raises(echo_rt.ParameterError, match="expected a feed of one, found 'two'"):
            session.control("two")
        threading.Timer(0.2, session.stop).start()
        assert list(session) is not None
    session.close()
    assert session.status["one"].phase is Phase.ENDED


def test_a_feed_that_cannot_be_opened_is_an_error_after_the_others_have_ended(given) -> None:
    given["good:"] = lambda: Given(frames(20), 0.002)
    given["bad:"] = lambda: Given([], ending=echo_rt.SourceError("no such thing"))
    names = []
    with (
        echo_rt.open_session({"bad": "bad:", "good": "good:"}, StandInEngine()) as session,
        pytest.raises(echo_rt.SourceError, match="no such thing"),
    ):
        for name, _, _ in session:
            names.append(name)
    assert set(names) == {"good"}
    assert session.status["bad"].phase is Phase.ENDED


@pytest.mark.parametrize(("sources", "options", "message"), [
    ([], {}, "at least one source"),
    (["missing.avi"], {}, "missing.avi"),
    ([SMALL, SMALL, SMALL], {"biplane": True}, "biplane: expected two sources"),
    ([SMALL, SMALL], {"biplane": True, "ef_method": "area"}, "biplane: expected the EF method disks"),
    ([SMALL], {"ef_method": "guess"}, "expected an EF method"),
])  # fmt: skip
def test_what_is_misspelt_is_said_before_anything_runs(sources, options, message: str) -> None:
    before = threading.active_count()
    with pytest.raises(echo_rt.EchoRtError, match=message):
        echo_rt.open_session(sources, StandInEngine(), **options)
    eventually(lambda: threading.active_count() <= before)
