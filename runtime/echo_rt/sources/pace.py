"""Frames at their own pace: of a recording, of the phantom, and of a sender that is ahead of time."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.sources.base import Source
from echo_rt.sources.feed import JUMP_S, Wrapped

if TYPE_CHECKING:
    from typing_extensions import Self

LATE_S = 1.0
"""A source that is behind by more than this was held up; it goes on from there, and does not hurry to catch up."""

PATIENCE_S = 5.0
"""A feed of which every frame was late for that long will not catch up: it goes on from there."""

GAP_S = 2.0
"""No picture is shown for longer: where the next is so much later, the clock was set, or frames were lost. It is not
waited for."""

TARDY_S = 0.1
"""A frame of a feed that is late by more than this was held up."""

EPISODES_S = 30.0
"""A feed that was held up so seldom as once in this time is held up by chance; else it comes in bursts."""


class PlayOut:
    """When the frames of a sender that may be ahead of time are due, by its stamps from its first frame on.

    What comes early waits, but not the little that is jitter on the way: a sender that is on time is never held up. One
    that was earlier than that is ahead of time, and all its frames wait.
    What comes late goes on at once, so that whoever was held up catches up. Where the sender itself leaves a gap again
    and again, as one in bursts does, all frames are due so much later.

    Args:
        jitter_s: how early the frames of a sender may be that is on time.
        forgiven: how often within `EPISODES_S` the sender may be late.
    """

    def __init__(self, jitter_s: float = 0.0, forgiven: int = 0) -> None:
        self._jitter_s, self._forgiven = jitter_s, forgiven
        self._offset_s: float | None = None
        self._stamp_s = self._on_time_s = 0.0
        self._late = False
        self._episodes: deque[float] = deque()  # when it began to be late

    def wait_s(self, stamp_s: float, now_s: float, starved_s: float = 0.0) -> float:
        """Seconds until a frame is due that is there now, 0 where it is late.

        Args:
            stamp_s: the sender's.
            now_s: by any steady clock.
            starved_s: for how long nothing came before this frame.
        """
        jumped = not -JUMP_S[0] <= stamp_s - self._stamp_s <= GAP_S
        self._stamp_s = stamp_s
        if self._offset_s is None or jumped or self._must_move(stamp_s + self._offset_s, now_s, starved_s):
            self._offset_s, self._on_time_s, self._late = now_s - stamp_s, now_s, False
        early_s = stamp_s + self._offset_s - now_s
        if early_s > self._jitter_s:
            self._jitter_s = 0.0
        return early_s if early_s > self._jitter_s else 0.0

    def _must_move(self, due_s: float, now_s: float, starved_s: float) -> bool:
        """Whether the frames from here on are due later."""
        if now_s <= due_s + TARDY_S:
            self._on_time_s, self._late = now_s, False
            return False
        if now_s - self._on_time_s > PATIENCE_S:
            return True
        if starved_s <= TARDY_S:  # held up here, not by the sender
            return False
        if not self._late:
            self._late = True
            self._episodes.append(now_s)
        while self._episodes and now_s - self._episodes[0] > EPISODES_S:
            self._episodes.popleft()
        return len(self._episodes) > self._forgiven


class Paced(Wrapped):
    """A source whose frames come when their time has come, as from a scanner."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._given_up = threading.Event()
        self._start_s: float | None = None
        self._last_s = 0.0

    def interrupt(self) -> None:
        """End the wait for the next frame, and with it the source. From any thread."""
        self._given_up.set()

    def __enter__(self) -> Self:
        self._start_s = None
        self._given_up.clear()
        return super().__enter__()

    def __next__(self) -> Frame:
        frame = super().__next__()
        now_s = time.monotonic()
        gap = frame.t_s - self._last_s > GAP_S
        if self._start_s is None or gap or now_s > self._start_s + frame.t_s + LATE_S:
            self._start_s = now_s - frame.t_s
        self._last_s = frame.t_s
        if self._given_up.wait(max(0.0, self._start_s + frame.t_s - now_s)):
            raise StopIteration
        return frame
