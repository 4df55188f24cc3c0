"""Keeps a source open, and its newest frame at hand."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from echo_rt.errors import EchoRtError
from echo_rt.live.slot import Arrival, Slot
from echo_rt.live.status import Phase

if TYPE_CHECKING:
    from echo_rt.frame import Frame
    from echo_rt.sources import Cut, Source

STALL_S = 2.0
"""A feed that gives no frame for that long is lost."""

OPEN_S = 10.0
"""A source that is not open after that long is given up; network sources have shorter time-outs of their own."""

BACK_OFF_S = (0.5, 8.0)
"""The wait before a lost source is opened again: the first, doubled each time up to the last, until a frame comes."""

BUSY, LOOKING, PAUSED = "engine busy", "looking for the sector", "frozen by the user"
"""Why a frame was not read."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a source, again and again.

    Attributes:
        uri: its address, for people: without a password.
        source: makes the source, not yet entered.
        lasting: a feed: it never ends of its own will, so that its end is a loss, and silence too.
        cut: makes what cuts the ultrasound out of its frames.
    """

    uri: str
    source: Callable[[], Source]
    lasting: bool
    cut: Callable[[], Cut | None] = lambda: None


class Capture:
    """Reads a source in a thread of its own, as fast as it gives, and keeps the newest frame in a slot.

    Whoever takes from the slot calls `tend` now and then: that is where silence is noticed, and a lost source opened
    again. A thread that hangs in its source is left behind, and what it may still give is ignored.

    The clock of the frames goes on over a loss: the first frame of a source that came back is as much later than the
    last one before as it came later. Their numbers go on too.

    Args:
        opening: the source.
        slot: for its frames.
        persistent: try again also where it could never be opened, or is no feed.

    Attributes:
        phase: OPENING, RUNNING, LOST or ENDED.
        message: why it is lost, and when it is tried again.
        note: what the source has to say about itself while it runs.
        reopened: how often it was lost and came back.
        failure: the error by which it ended, None where it ended well.
    """

    def __init__(self, opening: Opening, slot: Slot, persistent: bool = False) -> None:
        self.opening, self.slot = opening, slot
        self.phase = Phase.OPENING
        self.message = f"opening {opening.uri}"
        self.note = ""
        self._dropped: Counter[str] = Counter()
        self.reopened = 0
        self.failure: EchoRtError | None = None
        self._persistent = persistent or opening.lasting
        self._lock = threading.RLock()
        self._reader: _Reader | None = None
        self._wait_s = BACK_OFF_S[0]
        self._retry_s: float | None = None
        self._heard_s = 0.0
        self._last: tuple[float, float, int] | None = None  # arrival, time and number of the newest frame
        self._shift: tuple[float, int] | None = (
            None  # of time and number of the source that is open now; None before its first frame
        )
        self._start()

    def tend(self) -> None:
        """Notice what happened to the source, and open it again when it is time. Never waits."""
        with self._lock:
            now_s = time.perf_counter()
            reader = self._reader
            if reader is not None:
                silent_s = now_s - self._heard_s
                # Before its first frame a stream may wait for a key frame, which comes every few seconds.
                if self.opening.lasting and silent_s > (STALL_S if self._shift is not None else OPEN_S):
                    self._lose(f"no frame for {silent_s:.0f} s")
                elif not reader.opened and silent_s > OPEN_S:
                    self._lose(f"not open after {silent_s:.0f} s")
            elif self._retry_s is not None and now_s >= self._retry_s:
                self._start()

    @property
    def dropped(self) -> Counter[str]:
        """Frames that went no further, by reason."""
        with self._lock:
            return self._dropped.copy()

    @property
    def silent_s(self) -> float:
        """Seconds since the newest frame, or since the source was opened."""
        with self._lock:
            return time.perf_counter() - (self._last[0] if self._last is not None else self._heard_s)

    def stop(self, wait_s: float = 0.0) -> None:
        """Let go of the source; a thread that hangs in it is left behind after `wait_s`."""
        with self._lock:
            reader, self._reader, self._retry_s = self._reader, None, None
            self.phase, self.message = Phase.ENDED, ""
        if reader is not None:
            reader.leave()
            reader.thread.join(wait_s)
        if self.slot.clear():
            with self._lock:
                self._dropped[BUSY] += 1

    # -- what the reader calls, from its thread ------------------------------------------------------------------------------------

    def _opened(self, reader: _Reader, source: Source) -> bool:
        with self._lock:
            if self._reader is not reader:
                return False
            reader.opened, self._heard_s = True, time.perf_counter()
            self.note = getattr(source, "note", None) or ""
            return True

    def _arrived(self, reader: _Reader, frame: Frame, cut: Cut | None) -> bool:
        """Take a frame; False where nobody wants more of this source."""
        arrived_s = time.perf_counter()
        seen = frame if cut is None else cut(frame)  # outside the lock: it is the only work done here
        with self._lock:
            if self._reader is not reader:
                return False
            self._heard_s = arrived_s
            if self.phase is Phase.LOST:
                self.reopened += 1
            self._wait_s = BACK_OFF_S[0]
            self.phase, self.message = Phase.RUNNING, LOOKING if seen is None else self.note
            frame = self._continued(frame, arrived_s)
            if seen is None:
                self._dropped[LOOKING] += 1
                return True
            seen = (
                seen
                if seen.t_s == frame.t_s and seen.index == frame.index
                else replace(seen, t_s=frame.t_s, index=frame.index)
            )
        if self.slot.put(Arrival(seen, arrived_s), lambda: self._reader is reader):
            with self._lock:
                self._dropped[BUSY] += 1
        return True

    def _finished(self, reader: _Reader, error: EchoRtError | None) -> None:
        with self._lock:
            if self._reader is not reader:
                return
            if self.opening.lasting or (error is not None and self._persistent):
                self._lose(str(error) if error is not None else "the sender ended")
            else:
                self._reader, self.phase, self.message, self.failure = None, Phase.ENDED, str(error or ""), error

    # ------------------------------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            self._heard_s, self._retry_s, self._shift = time.perf_counter(), None, None
            self._reader = _Reader(self)
            self._reader.thread.start()

    def _lose(self, why: str) -> None:
        if self._reader is not None:
            self._reader.leave()
            self._reader = None
        self.phase = Phase.LOST
        self._retry_s = time.perf_counter() + self._wait_s
        self.message = (
            f"{why}; tried again every {self._wait_s:g} s" if self._wait_s >= BACK_OFF_S[1] else f"{why}; tried again"
        )
        self._wait_s = min(2 * self._wait_s, BACK_OFF_S[1])

    def _continued(self, frame: Frame, arrived_s: float) -> Frame:
        """The frame on the clock that goes on over losses."""
        if self._shift is None:
            self._shift = (0.0, 0)
            if self._last is not None:
                before_s, t_s, index = self._last
                self._shift = (t_s + max(arrived_s - before_s, 1e-3) - frame.t_s, index + 1 - frame.index)
        if self._shift != (0.0, 0):
            frame = replace(frame, t_s=frame.t_s + self._shift[0], index=frame.index + self._shift[1])
        self._last = (arrived_s, frame.t_s, frame.index)
        return frame


class _Reader:
    """One opening of a source, in a thread that may be left behind."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.opened = False
        self.left = False
        self._interrupt: Callable[[], None] | None = None
        self.thread = threading.Thread(target=self._run, name=f"echo-rt capture {capture.opening.uri}", daemon=True)

    def leave(self) -> None:
        """Tell the thread that nobody waits for it any more. It closes its source itself: no other thread may while it
        reads."""
        self.left = True
        if (interrupt := self._interrupt) is not None:
            interrupt()

    def _run(self) -> None:
        error: EchoRtError | None = None
        try:
            opening = self.capture.opening
            source, cut = opening.source(), opening.cut()
            self._interrupt = getattr(source, "interrupt", None)
            with source:
                if self.left or not self.capture._opened(self, source):
                    return
                for frame in source:
                    if not self.capture._arrived(self, frame, cut):
                        return
        except EchoRtError as found:
            error = found
        except Exception as found:  # noqa: BLE001  # a library's own: the source is lost, the program is not
            error = EchoRtError(f"{self.capture.opening.uri}: {type(found).__name__}: {found}")
        self.capture._finished(self, error)
