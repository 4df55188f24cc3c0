"""Several feeds on one engine: each gets its turn, and what happens to one leaves the others as they are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import echo_rt.live.capture as capture_module
from echo_rt.errors import EchoRtError, ParameterError, SourceError
from echo_rt.live.feeds import Feeds
from echo_rt.live.names import named
from echo_rt.live.reader import Opening
from echo_rt.live.session import Settings
from echo_rt.live.status import LiveStatus, Phase
from echo_rt.live.turns import Turns
from support.live_notes import Notes
from support.live_parts import Given, Looker, StandInEngine, eventually, frames

IMAGE = np.zeros((48, 64), np.uint8)


def opening(source, lasting: bool = False):
    return lambda uri: Opening(uri, source, lasting)


def every(count: int, **more):
    """A source of so many frames as fast as they are taken; with `Settings(every_frame=True)` none may be lost."""
    return opening(lambda: Given(frames(count, **more)))


EVERY = Settings(every_frame=True)


@pytest.fixture
def begun() -> Iterator[Callable[[StandInEngine], Feeds]]:
    """Makes feeds that are closed at the end, however the test ends."""
    with ExitStack() as closing:

        def begin(engine: StandInEngine) -> Feeds:
            feeds = Feeds(engine)
            closing.callback(feeds.close)
            return feeds

        yield begin


def test_turns_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    turns = Turns(StandInEngine())
    seats = [turns.seat() for _ in range(3)]
    order: list[int] = []
    seats[0].wait()

    def take(place: int) -> None:
        seats[place].wait()
        order.append(place)
        seats[place].segment(IMAGE)

    threads = []
    for place in (2, 1, 0):  # the first asks again behind the others
        if place == 0:
            seats[0].segment(IMAGE)
        threads.append(threading.Thread(target=take, args=(place,)))
        waiting = len(turns._row)
        threads[-1].start()
        if place:
            eventually(lambda before=waiting: len(turns._row) > before)
    for thread in threads:
        thread.join(10)
    assert order == [2, 1, 0]
    assert not turns._row


def test_a_turn_ends_where_the_engine_fails_too() -> None:
    class Broken(StandInEngine):
        def segment(self, image, state=None):
            raise ValueError("broken")

    seats = [(turns := Turns(Broken())).seat(), turns.seat()]
    seats[0].wait()
    with pytest.raises(ValueError, match="broken"):
        seats[0].segment(IMAGE)
    seats[1].wait()
    seats[1].leave()
    seats[1].leave()


def test_two_feeds_that_flood_the_engine_share_it(begun) -> None:
    engine = StandInEngine(seconds=0.01)
    feeds = begun(engine)
    ends = threading.Event()

    def flood(size):
        def given():
            for number in itertools.count():
                if ends.is_set():
                    return
                yield frames(1, size=size, start=number)[0]

        return opening(lambda: Given(given(), 0.002))

    for name, size in (("one", (48, 64)), ("other", (80, 60))):
        feeds.add(name, name, flood(size))
    feeds.start()
    eventually(lambda: len(engine.sizes) > 60)
    ends.set()
    feeds.wait()
    of_one = engine.sizes.count((48, 64)) / len(engine.sizes)
    assert 0.25 < of_one < 0.75
    longest = max(len(list(same)) for _, same in itertools.groupby(engine.sizes))
    assert longest < 20, "neither waits for long"


def test_a_dead_feed_a_broken_one_and_one_that_fails_cost_the_others_no_frame(monkeypatch, begun) -> None:
    monkeypatch.setattr(capture_module, "BACK_OFF_S", (0.01, 0.02))

    class Particular(StandInEngine):
        def segment(self, image, state=None):
            if image.shape == (10, 10):
                raise RuntimeError("a defect")
            return super().segment(image, state)

    feeds, opened = begun(Particular()), list[int]()
    notes = {name: Notes() for name in ("well", "also well", "comes back")}

    def flaky():
        opened.append(1)
        return Given(frames(5), 0.001, SourceError("gone"))

    feeds.add("well", "w:", every(60), EVERY)
    feeds.add("silent", "s:", opening(lambda: Given([], ending=None), lasting=True))
    feeds.add("broken", "b:", every(5, size=(10, 10)), EVERY)
    feeds.add("never there", "n:", opening(lambda: Given([], ending=SourceError("no such"))), EVERY)
    feeds.add("comes back", "c:", opening(flaky, lasting=True))
    feeds.add("also well", "a:", every(60), EVERY)
    for name, taker in notes.items():
        feeds.feeds[name].outputs.add_taker(taker, "notes")
    looker = Looker()
    feeds.feeds["broken"].outputs.add_viewer(looker)
    feeds.start()
    eventually(lambda: {"well", "also well"} <= set(feeds.ended) and len(opened) > 5)
    feeds.end()
    ended = feeds.wait()
    for name in ("well", "also well"):
        status = ended[name]
        assert isinstance(status, LiveStatus)
        assert (status.counts.frames, status.counts.dropped_frames, status.counts.reopened) == (60, 0, 0)
        assert [reading.index for reading in notes[name].readings] == list(range(60))
        assert set(notes[name].histories) == {1}
    assert "a defect" in str(ended["broken"])
    assert looker.phases[-1] is Phase.ENDED, "its viewer is told"
    assert "no such" in str(ended["never there"])
    assert isinstance(ended["never there"], EchoRtError)
    back = ended["comes back"]
    assert isinstance(back, LiveStatus)
    assert back.counts.reopened >= 3
    indices = [reading.index for reading in notes["comes back"].readings]
    assert indices == sorted(indices), "its clock goes on"
    assert isinstance(ended["silent"], LiveStatus)


def test_a_frozen_feed_takes_no_turn_and_goes_on_when_it_is_let_go(begun) -> None:
    engine = StandInEngine()
    feeds = begun(engine)
    looker = Looker()
    for name in ("held", "free"):
        feeds.add(name, name, opening(lambda: Given(frames(10_000), 0.02, None)))
    feeds.feeds["held"].outputs.add_viewer(looker)
    feeds.start()
    eventually(lambda: any(update.reading is not None for update in looker.updates))
    feeds.feeds["held"].freeze(True)
    eventually(lambda: looker.updates[-1].status.phase is Phase.FROZEN)
    before = len(engine.seen)
    eventually(lambda: len(engine.seen) > before + 10)
    feeds.feeds["held"].freeze(False)
    eventually(lambda: looker.updates[-1].status.phase is Phase.RUNNING)
    feeds.close()
    assert set(feeds.ended) == {"held", "free"}


@pytest.mark.parametrize(("texts", "names"), [
    (["0", "/dev/video2"], ["camera-0", "video2"]),
    (["bed1=0", "bed2=rtsp://a/b?x=y"], ["bed1", "bed2"]),
    (["rtsp://user:secret@host:554/live/one?key=secret", "rtsp://host/two"], ["host-one", "host-two"]),
    (["phantom:?ef=55", "phantom:?ef=30", "phantom:?ef=20"], ["phantom", "phantom-2", "phantom-3"]),
    (["phantom=0", "phantom:"], ["phantom", "phantom-2"]),
    (["clips/one.avi", "clips/ONE.mp4"], ["one", "ONE-2"]),
    (["http://[", "udp://@:1234"], ["http", "udp"]),
    (["igtl://box:18944/Image"], ["box-Image"]),
    (["CON=0"], ["_CON"]),
])  # fmt: skip
def test_a_feed_is_called_as_its_user_says_or_after_its_address(texts: list[str], names: list[str]) -> None:
    assert list(named(texts)) == names


def test_a_name_is_no_part_of_the_address_and_a_file_that_is_called_so_has_none(tmp_path: Path, monkeypatch) -> None:
    assert named(["a=rtsp://h/p?q=1", "b=phantom:?ef=40"]) == {"a": "rtsp://h/p?q=1", "b": "phantom:?ef=40"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.avi").touch()
    assert named(["a=b.avi"]) == {"a=b": "a=b.avi"}
    with pytest.raises(ParameterError, match="expected a name of its own for each feed, found 'Bed' twice"):
        named(["bed=0", "Bed=1"])
