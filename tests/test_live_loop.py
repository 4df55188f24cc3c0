"""A feed that is followed: the newest frame, whatever happens to the source or to those who look on."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import echo_rt.live.capture as capture_module
from echo_rt.engine import open_engine
from echo_rt.errors import FrameError, OutputError, SourceError
from echo_rt.live.pulse import Pulse
from echo_rt.live.reader import Arrived, Opening
from echo_rt.live.session import Live, Settings
from echo_rt.live.slot import Slot
from echo_rt.live.status import Drop, Phase, Timing
from echo_rt.pipeline import stream
from echo_rt.sources import open_source
from support.live_notes import Notes
from support.live_parts import Given, Running, StandInEngine, eventually, frames


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are noticed and mended ten times as fast."""
    monkeypatch.setattr(capture_module, "STALL_S", 0.3)
    monkeypatch.setattr(capture_module, "OPEN_S", 1.0)
    monkeypatch.setattr(capture_module, "BACK_OFF_S", (0.05, 0.4))


def test_the_slot_gives_the_newest_frame_and_says_that_one_was_lost() -> None:
    slot = Slot()
    first, second = (Arrived(frame, 0.0) for frame in frames(2))
    assert not slot.put(first)
    assert slot.put(second)
    assert slot.take(0) is second
    assert slot.take(0) is None
    assert not slot.put(first, wanted=lambda: False)
    assert slot.take(0) is None, "of a source that was left nothing comes"


def test_the_same_frames_through_file_and_live_give_identical_readings(cine: Path) -> None:
    with open_engine() as engine:
        expected = list(stream(cine, engine, read_screen=False))
        feed = Live(
            str(cine),
            lambda uri: Opening(uri, lambda: open_source(uri), lasting=False),
            engine,
            Settings(every_frame=True),
        )
        notes = Notes()
        feed.outputs.add_taker(notes, "notes", depth=1)
        status = feed.run()
    assert status.counts.frames == len(expected) == 30
    assert not status.counts.dropped
    for one, other in zip(expected, notes.readings, strict=True):
        assert (one.index, one.t_s, one.quality, one.ef, one.beat) == (
            other.index,
            other.t_s,
            other.quality,
            other.ef,
            other.beat,
        )
        assert np.array_equal(one.segmentation.probability, other.segmentation.probability)
        assert (one.ventricle is None) == (other.ventricle is None)
        if one.ventricle is not None:
            assert one.ventricle.volume == other.ventricle.volume
            assert np.array_equal(one.ventricle.contour, other.ventricle.contour)


def test_a_slow_engine_gets_the_newest_frame_and_what_it_missed_is_counted() -> None:
    engine = StandInEngine(seconds=0.1)
    with Running(lambda: Given(frames(100), period_s=0.01), engine, lasting=False) as running:
        status = running.wait()
    assert engine.seen[-1] == 99, "the last frame is read whatever was missed"
    assert 2 < status.counts.frames < 60
    assert status.counts.frames + status.counts.dropped[Drop.BUSY] == 100
    assert engine.seen == sorted(engine.seen)
    # Not the oldest of a queue: while the engine was at one frame, several came.
    assert max(later - one for one, later in itertools.pairwise(engine.seen)) > 3
    assert status.timing.age_ms is not None
    assert status.timing.age_ms >= 100


@pytest.mark.usefixtures("quick")
def test_a_source_that_vanishes_five_times_comes_back_five_times_and_its_clock_goes_on() -> None:
    opened = itertools.count()

    def source() -> Given:
        number = next(opened)
        if number == 3:
            raise SourceError("nothing there")  # it takes two attempts to come back
        return Given(frames(5), 0.01, SourceError("cable pulled") if number < 6 else "end" if number < 7 else None)

    notes = Notes()
    running = Running(source)
    running.feed.outputs.add_taker(notes, "notes")
    with running:
        running.until(lambda update: update.status.counts.reopened == 5)
        status = running.end()
    assert status.counts.reopened >= 5
    assert any("cable pulled" in update.status.message for update in running.looker.updates)
    times, numbers = ([getattr(reading, name) for reading in notes.readings] for name in ("t_s", "index"))
    assert all(later > one for one, later in itertools.pairwise(times))
    assert all(later > one for one, later in itertools.pairwise(numbers))
    assert set(notes.histories) == {1}, "a loss alone forgets nothing"


@pytest.mark.usefixtures("quick")
def test_silence_is_a_loss_and_a_thread_that_hangs_in_its_source_is_left_behind() -> None:
    sources = [Given(frames(5), 0.01, None), Given(frames(200), 0.01, None)]
    made = iter(sources)
    running = Running(lambda: next(made))
    with running:
        lost = running.until(lambda update: update.status.phase is Phase.LOST)
        assert "no frame for" in lost.status.message
        assert lost.reading is not None, "the last picture stays for the eye"
        running.until(lambda update: update.status.phase is Phase.RUNNING)
        status = running.end()
    for source in sources:
        source.free.set()
    assert status.counts.reopened == 1


@pytest.mark.usefixtures("quick")
def test_the_time_of_a_loss_passes_on_the_clock_of_the_frames() -> None:
    made = iter([Given(frames(5), 0.01, SourceError("gone")), Given(frames(500), 0.01, None)])
    notes = Notes()
    running = Running(lambda: next(made))
    running.feed.outputs.add_taker(notes, "notes")
    with running:
        running.until(lambda update: update.status.counts.reopened == 1)
    gap_s = max(later.t_s - one.t_s for one, later in itertools.pairwise(notes.readings))
    assert gap_s >= 0.05, "the back-off at least"


@pytest.mark.usefixtures("quick")
def test_after_a_stated_time_the_history_begins_afresh() -> None:
    def sources():
        yield Given(frames(5), 0.01, SourceError("gone"))
        for _ in range(4):
            yield Given([], 0, SourceError("still gone"))
        while True:
            yield Given(frames(500), 0.01, None)

    made = sources()
    notes = Notes()
    running = Running(lambda: next(made), settings=Settings(forget_after_s=0.3))
    running.feed.outputs.add_taker(notes, "notes")
    with running:
        running.until(lambda update: update.status.phase is Phase.LOST and update.reading is None)
        running.until(lambda update: update.status.counts.reopened == 1)
    assert notes.histories[0] == 1
    assert notes.histories[-1] == 2
    assert notes.idles, "outputs are told that nothing comes"


def test_a_change_of_size_begins_a_history_and_nothing_breaks() -> None:
    both = [*frames(20), *frames(20, size=(80, 60), start=20)]
    notes = Notes()
    engine = StandInEngine()
    running = Running(lambda: Given(both, 0.01), engine, lasting=False)
    running.feed.outputs.add_taker(notes, "notes")
    with running:
        running.wait()
    assert set(engine.sizes) == {(48, 64), (80, 60)}
    assert sorted(set(notes.histories)) == [1, 2]


def test_while_the_sector_is_looked_for_nothing_is_shown_as_current() -> None:
    def cut():
        seen = itertools.count()
        return lambda frame: frame if 20 <= next(seen) < 60 else None

    with Running(lambda: Given(frames(10_000), 0.01), cut=cut) as running:
        running.until(lambda update: update.status.phase is Phase.RUNNING and update.reading is not None)
        lost = running.until(lambda update: update.status.phase is Phase.LOST)
        assert lost.status.message == Drop.LOOKING.value
        status = running.until(lambda update: update.status.counts.dropped.get(Drop.LOOKING, 0) > 30).status
    assert status.counts.frames <= 40
    assert running.looker.phases[:3] == [Phase.OPENING, Phase.RUNNING, Phase.LOST]


def test_while_frames_come_that_the_engine_refuses_nothing_is_shown_as_current() -> None:
    class Particular(StandInEngine):
        def segment(self, image, state=None):
            if image.ndim != 2:
                raise FrameError("expected a grey image")
            return super().segment(image, state)

    good = frames(20)
    refused = [replace(frame, image=np.zeros((48, 64, 4), np.uint8)) for frame in frames(60, start=20)]
    with Running(lambda: Given([*good, *refused, *frames(10_000, start=80)], 0.01), Particular()) as running:
        lost = running.until(lambda update: update.status.phase is Phase.LOST)
        assert lost.status.message == Drop.REFUSED.value
        assert lost.reading is not None, "the last picture stays for the eye"
        again = running.until(lambda update: update.status.phase is Phase.RUNNING and not update.status.message)
        assert again.status.counts.dropped[Drop.REFUSED] == 60


@pytest.mark.usefixtures("quick")
def test_a_recording_that_stands_still_is_waited_for_and_not_current_meanwhile() -> None:
    go_on = threading.Event()

    def given():
        yield from frames(5)
        go_on.wait(30)
        yield from frames(100, start=5)

    with Running(lambda: Given(given(), 0.01), lasting=False) as running:
        lost = running.until(lambda update: update.status.phase is Phase.LOST)
        assert "no frame for" in lost.status.message
        go_on.set()
        running.until(lambda update: update.status.phase is Phase.RUNNING)
        status = running.wait()
    assert status.counts.frames + status.counts.dropped_frames == 105, "it was not opened again"


def test_a_recording_that_cannot_be_opened_ends_with_its_error() -> None:
    running = Running(lambda: Given([], ending=SourceError("no such file")), lasting=False)
    with pytest.raises(SourceError, match="no such file"):
        running.feed.run()


def test_what_a_viewer_asks_for_is_done(tmp_path: Path) -> None:
    running = Running(lambda: Given(frames(10_000), 0.01, None), settings=Settings(snapshots=tmp_path / "shots"))
    feed = running.feed
    with pytest.raises(OutputError, match="none yet"):
        feed.snapshot()
    notes = Notes()
    feed.outputs.add_taker(notes, "notes")
    with running:
        running.until(lambda update: update.status.counts.frames > 3)
        picture = feed.snapshot()
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert json.loads(picture.with_suffix(".json").read_text())["quality"] == "no ventricle"
        feed.freeze(True)
        held = running.until(lambda update: update.status.phase is Phase.FROZEN).status.counts.frames
        later = running.until(lambda update: update.status.counts.dropped.get(Drop.PAUSED, 0) > 3)
        assert later.status.counts.frames <= held + 1
        feed.freeze(False)
        running.until(lambda update: update.status.phase is Phase.RUNNING and update.status.counts.frames > held + 2)
        feed.reset()
        eventually(lambda: notes.histories[-1] == 2)
        feed.stop()
        running.until(lambda update: update.status.phase is Phase.STOPPED)
        feed.start()
        running.until(lambda update: update.status.phase is Phase.RUNNING)
        feed.select("other:")
        running.until(lambda update: update.status.source == "other:" and update.status.phase is Phase.RUNNING)
        assert feed.sources()[0] == "other:"
    assert notes.histories[-1] == 4
    assert running.looker.phases[-1] is Phase.ENDED


@pytest.mark.usefixtures("quick")
def test_a_choice_that_cannot_be_opened_shows_as_lost_and_another_can_be_chosen() -> None:
    def opening(uri: str) -> Opening:
        if uri == "bad:":
            raise SourceError("no such thing")
        return Opening(uri, lambda: Given(frames(1000), 0.01), lasting=False)

    engine = StandInEngine()
    running = Running(lambda: None, engine)
    running.feed = Live("good:", opening, engine)
    running.feed.outputs.add_viewer(running.looker)
    with running:
        running.until(lambda update: update.status.phase is Phase.RUNNING)
        running.feed.select("bad:")
        lost = running.until(lambda update: update.status.phase is Phase.LOST)
        assert "no such thing" in running.until(lambda update: "no such" in update.status.message).status.message
        assert lost.reading is None, "nothing of the source before is shown under the name of this one"
        running.feed.select("good:")
        running.until(lambda update: update.status.phase is Phase.RUNNING)


def test_the_pulse_forgets_what_is_older_than_a_minute() -> None:
    pulse = Pulse()
    assert pulse.timing(0.0) == Timing()
    pulse.beat(0.0, 500.0)
    for number in range(100):
        pulse.beat(70.0 + number / 50, float(number))
    timing = pulse.timing(72.0)
    assert (timing.age_ms, timing.age_p50_ms, timing.age_p99_ms) == (99.0, 50.0, 99.0)
    assert timing.fps == pytest.approx(50)
