"""A clock of the tests' own for a live feed: time passes while every thread of the feed waits for it, and only then.

What is computed takes no time on it, so that a run comes out the same on every machine, however busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from echo_rt.live import capture, outputs, reader, session, slot
from echo_rt.sources import feed, pace

READERS = "echo-rt capture"
"""How the threads that read a source are called."""

LOOK_S = 0.005
"""Of real time: a thread may end meanwhile, and nobody is told."""


class RealClock:
    """The machine's."""

    def now(self) -> float:
        return time.perf_counter()

    def sleep_until(self, until_s: float) -> None:
        time.sleep(max(0.0, until_s - self.now()))


class OwnClock:
    """Time of its own. The thread that makes it takes part in it, and every thread from then on that reads a source.

    Attributes:
        over: nobody waits for it any more.
    """

    def __init__(self) -> None:
        self.over = False
        self._now_s = 100.0
        self._changed = threading.Condition()
        self._waiting: dict[threading.Thread, tuple[float, threading.Event]] = {}
        self._owner = threading.current_thread()
        self._others = {*threading.enumerate()} - {self._owner}

    def now(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as where the whole program is held up."""
        with self._changed:
            self._go_on(self._now_s + seconds)

    def sleep_until(self, until_s: float) -> None:
        self.wait(until_s, threading.Event())

    def wait(self, until_s: float, woken: threading.Event) -> None:
        """Wait until then, or until somebody lets it be `woken` by `wake`."""
        thread = threading.current_thread()
        with self._changed:
            if self.over or woken.is_set() or self._now_s >= until_s:
                return
            self._waiting[thread] = until_s, woken
            while thread in self._waiting:
                if all(one in self._waiting for one in self._taking_part()):
                    self._go_on(min(until_s for until_s, _ in self._waiting.values()))
                else:
                    self._changed.wait(LOOK_S)

    def wake(self, woken: threading.Event) -> None:
        """End the waits for that event."""
        with self._changed:
            threading.Event.set(woken)
            self._let_go(lambda until_s, event: event is woken)

    def end(self) -> None:
        """Let go of everybody."""
        with self._changed:
            self.over = True
            self._let_go(lambda until_s, event: True)

    def _go_on(self, now_s: float) -> None:
        self._now_s = max(self._now_s, now_s)
        self._let_go(lambda until_s, event: until_s <= self._now_s)

    def _let_go(self, of) -> None:
        # At once, not when they run again: until they wait anew no time passes.
        self._waiting = {one: waits for one, waits in self._waiting.items() if not of(*waits)}
        self._changed.notify_all()

    def _taking_part(self) -> Iterator[threading.Thread]:
        all_of_it = (one for one in threading.enumerate() if one not in self._others)
        return (one for one in all_of_it if one is self._owner or one.name.startswith(READERS))


class OwnEvent(threading.Event):
    """An event that is waited for by a clock of our own."""

    def __init__(self, clock: OwnClock) -> None:
        super().__init__()
        self._clock = clock

    def set(self) -> None:
        super().set()
        self._clock.wake(self)

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.wait(float("inf") if timeout is None else self._clock.now() + timeout, self)
        return self.is_set()


class OwnCondition:
    """A condition that is waited for by a clock of our own."""

    def __init__(self, clock: OwnClock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._waits: list[threading.Event] = []

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *what: object) -> None:
        self._lock.release()

    def wait(self, timeout: float) -> None:
        self._waits.append(woken := threading.Event())
        self._lock.release()
        try:
            self._clock.wait(self._clock.now() + timeout, woken)
        finally:
            self._lock.acquire()
            self._waits.remove(woken)

    def notify_all(self) -> None:
        for woken in self._waits:
            self._clock.wake(woken)


@contextmanager
def own_time() -> Iterator[OwnClock]:
    """Live feeds that begin meanwhile, in this thread, go by a clock of our own."""
    clock = OwnClock()
    times = SimpleNamespace(monotonic=clock.now, perf_counter=clock.now, time=clock.now)
    with pytest.MonkeyPatch.context() as patch:
        for module in (capture, outputs, reader, session, feed, pace):
            patch.setattr(module, "time", times)
        patch.setattr(slot, "threading", SimpleNamespace(Condition=lambda: OwnCondition(clock)))
        patch.setattr(pace, "threading", SimpleNamespace(Event=lambda: OwnEvent(clock)))
        try:
            yield clock
        finally:
            clock.end()
