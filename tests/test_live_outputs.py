"""Consumers of a live feed that are slow, fail or hang."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref

import pytest

from echo_rt.errors import OutputError
from echo_rt.frame import Frame
from echo_rt.live.outputs import Mailbox
from support.live_notes import Notes
from support.live_parts import Given, Looker, Running, frames


def test_a_consumer_ten_times_too_slow_sees_the_newest_and_loses_its_own_frames_alone() -> None:
    slow = Looker(seconds=0.1)
    running = Running(lambda: Given(frames(100), period_s=0.01), lasting=False)
    running.feed.outputs.add_viewer(slow, "slow")
    with running:
        status = running.wait()
    assert status.counts.frames > 2 * len(slow.updates)
    assert status.counts.lost["slow"] > 0
    shown = [update.frame.index for update in slow.updates if update.frame is not None]
    assert shown[-1] == 99
    assert max(later - one for one, later in itertools.pairwise(shown)) > 1
    assert slow.closed


def test_what_waits_for_a_slow_consumer_does_not_grow() -> None:
    free, begun = threading.Event(), threading.Event()

    def deliver(item: Frame) -> None:
        begun.set()
        free.wait(30)

    box: Mailbox[Frame] = Mailbox("slow", deliver, lambda: None)
    images = []
    for frame in frames(200):
        images.append(weakref.ref(frame.image))
        box.put(frame)
        begun.wait(30)
    del frame
    gc.collect()
    assert sum(image() is not None for image in images) == 2, "the one that it is at, and the newest"
    assert box.lost == 198
    free.set()
    assert box.close()


def test_a_consumer_that_fails_is_named_and_asked_again() -> None:
    class Failing(Notes):
        def write(self, frame, reading, source, history) -> None:
            if frame.index < 20:
                raise OutputError("the disk is full")
            super().write(frame, reading, source, history)

    failing = Failing()
    running = Running(lambda: Given(frames(60), period_s=0.005), lasting=False)
    running.feed.outputs.add_taker(failing, "recorder")
    with running:
        status = running.wait()
    assert any("the disk is full" in update.status.message for update in running.looker.updates)
    assert status.counts.lost["recorder"] > 0
    assert failing.readings, "it had room again"
    assert status.counts.frames > len(failing.readings)


def test_a_consumer_that_fails_says_how_much_it_lost() -> None:
    def deliver(item: int) -> None:
        error = OutputError("the disk is full")
        error.lost = item
        raise error

    box: Mailbox[int] = Mailbox("recorder", deliver, lambda: None, depth=2)
    box.put(3)
    box.put(4)
    assert box.close()
    assert (box.lost, OutputError("of one").lost) == (7, 1)


def test_a_consumer_that_fails_at_its_end_is_named() -> None:
    class Failing(Notes):
        def close(self) -> None:
            raise OutputError("no room for the last line")

    running = Running(lambda: Given(frames(5), period_s=0.005), lasting=False)
    running.feed.outputs.add_taker(Failing(), "recorder")
    with running:
        assert running.wait().message == "no room for the last line"


def test_a_consumer_that_hangs_does_not_hang_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    box: Mailbox[int] = Mailbox("hangs", lambda item: bool(free.wait(30)), lambda: None)  # type: ignore[arg-type]
    box.put(1)
    for item in range(100):
        box.put(item)
    assert not box.close(timeout_s=0.1)
    assert box.lost >= 98
    free.set()
