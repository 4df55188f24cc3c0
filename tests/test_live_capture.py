"""The thread that reads a source, and the one that looks after it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import echo_rt.live.capture as capture_module
from echo_rt.errors import SourceError
from echo_rt.frame import Frame
from echo_rt.live.capture import BackOff, Capture, OngoingClock
from echo_rt.live.pulse import Tally
from echo_rt.live.reader import Opening
from echo_rt.live.slot import Slot
from echo_rt.live.status import Counts, Drop, Phase
from echo_rt.sources import open_source
from echo_rt.sources.camera import Camera
from echo_rt.sources.feed import FeedOptions, LiveSource, as_live
from echo_rt.sources.igtl import IgtlImages
from echo_rt.sources.network import NetworkStream
from echo_rt.sources.pace import Paced
from support.live_parts import Given, eventually, frames


class Captured:
    """A capture that nobody tends unless a test does."""

    def __init__(self, source: Callable[[], Any], *, persistent: bool = False, every_frame: bool = False) -> None:
        self.slot, self.tally = Slot(every_frame), Tally()
        opening = Opening("given:", source, lasting=False)
        self.capture = Capture(opening, self.slot, self.tally, persistent)

    @property
    def counts(self) -> Counts:
        return self.tally.counts({})


def test_a_frame_is_at_hand_as_soon_as_it_came_whether_or_not_the_source_is_tended() -> None:
    given = Given(frames(1), ending=None)
    captured = Captured(lambda: given)
    arrived = captured.slot.take(30)
    assert arrived is not None
    assert arrived.frame.index == 0
    assert captured.capture.state.phase is Phase.RUNNING
    given.free.set()
    captured.capture.stop(30)


def test_what_a_source_still_gives_after_it_was_left_is_ignored() -> None:
    go_on, done = threading.Event(), threading.Event()

    def given() -> Iterator[Frame]:
        first, second = frames(2)
        yield first
        go_on.wait(30)
        done.set()
        yield second

    captured = Captured(lambda: Given(given()))
    assert captured.slot.take(30) is not None
    captured.capture.stop()
    go_on.set()
    assert done.wait(30)
    assert captured.slot.take(0.2) is None
    assert captured.counts == Counts()
    assert captured.capture.state.phase is Phase.ENDED


def test_every_frame_is_taken_or_counted_and_the_last_is_never_lost() -> None:
    captured = Captured(lambda: Given(frames(500), 0.0005))
    taken: list[int] = []
    while True:
        ended = captured.capture.state.phase is Phase.ENDED  # asked before the slot, as the loop does
        if (arrived := captured.slot.take(0.1)) is not None:
            taken.append(arrived.frame.index)
            time.sleep(0.002)
        elif ended:
            break
    assert taken[-1] == 499
    assert len(taken) + captured.counts.dropped[Drop.BUSY] == 500
    assert taken == sorted(set(taken))


def test_a_frame_that_nobody_takes_before_the_stop_is_counted() -> None:
    captured = Captured(lambda: Given(frames(3)))
    eventually(lambda: captured.capture.state.phase is Phase.ENDED)
    captured.capture.stop()
    assert captured.counts.dropped == {Drop.BUSY: 3}


def test_a_stop_ends_the_wait_of_a_source_that_must_not_drop() -> None:
    captured = Captured(lambda: Given(frames(3)), every_frame=True)
    eventually(lambda: captured.capture.state.phase is Phase.RUNNING)
    time.sleep(0.05)  # the second frame waits for the first to be taken
    begun_s = time.monotonic()
    captured.capture.stop(30)
    assert time.monotonic() - begun_s < 10
    assert captured.slot.take(0.2) is None


def test_a_source_that_ends_well_after_it_was_lost_is_not_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "BACK_OFF_S", (0.01, 0.02))
    opened = itertools.count()

    def source() -> Given:
        return Given([], ending=SourceError("not yet") if next(opened) == 0 else "end")

    captured = Captured(source, persistent=True)

    def ended() -> bool:
        captured.capture.tend()
        return captured.capture.state.phase is Phase.ENDED

    eventually(ended)
    time.sleep(0.05)
    captured.capture.tend()
    assert captured.capture.state.phase is Phase.ENDED
    assert next(opened) == 2


def test_the_wait_doubles_up_to_the_longest_until_a_frame_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "BACK_OFF_S", (0.5, 8.0))
    back_off, now_s, waits = BackOff(), 100.0, []
    assert not back_off.over(now_s), "nothing was lost"
    for _ in range(6):
        said = back_off.wait(now_s)
        waits.append(next(wait_s for wait_s in (0.5, 1, 2, 4, 8) if back_off.over(now_s + wait_s)))
        assert not back_off.over(now_s + 100), "it is said once"
    assert waits == [0.5, 1, 2, 4, 8, 8]
    assert said == "tried again every 8 s"
    back_off.reset()
    assert back_off.wait(now_s) == "tried again"
    assert back_off.over(now_s + 0.5)


def test_the_clock_goes_on_over_a_loss_and_leaves_a_source_that_was_not_lost_as_it_is() -> None:
    clock = OngoingClock()
    first, second, third, fourth = (
        Frame(frames(1)[0].image, t_s, index) for t_s, index in ((5, 7), (5.1, 9), (0, 0), (0.1, 1))
    )
    assert clock.onward(first, 20.0) is first
    assert clock.onward(second, 20.1) is second
    clock.untie()
    back = clock.onward(third, 23.1)
    assert (back.t_s, back.index) == (pytest.approx(8.1), 10)
    again = clock.onward(fourth, 23.2)
    assert (again.t_s, again.index) == (pytest.approx(8.2), 11)


def test_every_feed_is_a_live_source_and_any_other_becomes_one() -> None:
    for feed in (Camera("/dev/video0", FeedOptions()), NetworkStream("rtsp://h/x"), IgtlImages("igtl://h")):
        assert isinstance(feed, LiveSource)
        assert as_live(feed) is feed
        assert feed.note is None
    phantom = open_source("phantom:?seconds=1&height=120&width=160")
    assert not isinstance(phantom, LiveSource)
    with as_live(phantom) as source:
        assert (source.name, source.note, source.view) == (phantom.name, None, phantom.view)
        source.interrupt()
        assert next(source).t_s == 0, "there is no wait to end"


def test_an_interrupt_ends_the_wait_of_a_paced_source_and_a_new_opening_waits_again() -> None:
    source = Paced(Given([*frames(1), *frames(1, fps=0.01, start=1)]))
    assert as_live(source) is source
    with source:
        next(source)
        source.interrupt()
        assert list(source) == []
    with source:
        assert next(source).index == 0
