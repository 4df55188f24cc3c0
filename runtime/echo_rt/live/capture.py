"""Keeps a source open, and its newest frame at hand."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from echo_rt.live.reader import Arrived, Finished, Opened, Opening, Reader
from echo_rt.live.status import Drop, Phase

if TYPE_CHECKING:
    from echo_rt.errors import EchoRtError
    from echo_rt.frame import Frame
    from echo_rt.live.pulse import Tally
    from echo_rt.live.reader import Event
    from echo_rt.live.slot import Slot

_LOG = logging.getLogger(__name__)

STALL_S = 2.0
"""A feed that gives no frame for that long is lost."""

OPEN_S = 10.0
"""A source that is not open after that long is given up; network sources have shorter time-outs of their own."""

LEAST_STEP_S = 1e-3
"""From the last frame before a loss to the first after it, by the clock of the frames."""

BACK_OFF_S = (0.25, 0.5)
"""The wait before a lost source is opened again: the first, doubled each time up to the last, until a frame comes. A
feed that can be had again is there within 2 s, of which a stream takes one to be opened and for its key frame."""


@dataclass(frozen=True, slots=True)
class CaptureState:
    """How a capture is, all of one moment.

    Attributes:
        phase: OPENING, RUNNING, LOST or ENDED.
        message: why it is lost and when it is tried again, or what the source says about itself.
        looking: frames come, and none goes on: the ultrasound is still looked for in them.
        failure: the error by which it ended, None where it ended well.
        newest_s: where it is lost, when its newest frame came, by `time.perf_counter`; None before the first.
    """

    phase: Phase
    message: str = ""
    looking: bool = False
    failure: EchoRtError | None = None
    newest_s: float | None = None


class Capture:
    """Reads a source in a thread of its own, as fast as it gives, and keeps the newest frame in a slot.

    Whoever takes from the slot calls `tend` now and then: that is where silence is noticed, and a lost source opened
    again. A thread that hangs in its source is left behind, and what it may still give is ignored.

    Args:
        opening: the source.
        slot: for its frames.
        tally: where drops and recoveries are counted.
        persistent: try again also where it could never be opened, or is no feed.

    Attributes:
        state: how it is now.
    """

    def __init__(self, opening: Opening, slot: Slot, tally: Tally, persistent: bool = False) -> None:
        self.state = CaptureState(Phase.OPENING, f"opening {opening.uri}")
        self._opening, self._slot, self._tally = opening, slot, tally
        self._persistent = persistent
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None
        self._clock, self._back_off = OngoingClock(), BackOff()
        with self._lock:
            self._start()

    def tend(self) -> None:
        """Notice what happened to the source, and open it again when it is time. Never waits."""
        with self._lock:
            now_s = time.perf_counter()
            attempt = self._attempt
            if attempt is not None:
                silent_s = now_s - attempt.heard_s
                # Before its first frame a stream may wait for a key frame, which comes every few seconds.
                limit_s = max(STALL_S if self._clock.tied else OPEN_S, attempt.patience_s)
                if self._lasts(attempt) and silent_s > limit_s:
                    self._lose(f"no frame for {silent_s:.0f} s")
                elif not attempt.opened and silent_s > OPEN_S:
                    self._lose(f"not open after {silent_s:.0f} s")
                elif self.state.phase is Phase.RUNNING and silent_s > limit_s and self._slot.empty:
                    # A recording on a disk that stands still: what was shown is not of now, and it is waited for.
                    why = f"no frame for {silent_s:.0f} s; it is waited for"
                    self.state = CaptureState(Phase.LOST, why, newest_s=self._clock.newest_s)
            elif self._back_off.over(now_s):
                self._start()

    def stop(self, wait_s: float = 0.0) -> None:
        """Let go of the source; a thread that hangs in it is left behind after `wait_s`."""
        with self._lock:
            attempt, self._attempt = self._attempt, None
            self._back_off.reset()
            self.state = CaptureState(Phase.ENDED)
        if attempt is not None:
            attempt.reader.leave()
            attempt.reader.join(wait_s)
        if self._slot.clear():
            self._tally.drop(Drop.BUSY)

    def hear(self, reader: Reader, event: Event) -> bool:
        """Take what a reader reports, in its thread. False where the reader was left, and no more of it is wanted."""
        with self._lock:
            attempt = self._attempt
            if attempt is None or attempt.reader is not reader:
                return False
            if isinstance(event, Finished):
                self._finish(attempt, event.error)
                return False
            if isinstance(event, Opened):
                attempt.opened, attempt.note, attempt.heard_s = True, event.note or "", time.perf_counter()
                attempt.ends, attempt.patience_s = event.ends, event.patience_s
                if attempt.note:
                    self.state = replace(self.state, message=attempt.note)
                return True
            arrived = self._take(attempt, event)
        # Outside of the lock: to put every frame may take time. Asked again there, as the reader may be left meanwhile.
        if arrived.looking:
            self._tally.drop(Drop.LOOKING)
        elif self._slot.put(arrived, lambda: self._attempt is attempt):
            self._tally.drop(Drop.BUSY)
        return True

    # -- with the lock held --------------------------------------------------------------------------------------------

    def _take(self, attempt: _Attempt, event: Arrived) -> Arrived:
        attempt.heard_s, attempt.note = event.arrived_s, event.note or ""
        if self.state.phase is Phase.LOST:
            self._tally.reopened += 1
            _LOG.info("%s is back", self._opening.uri)
        self._back_off.reset()
        message = Drop.LOOKING.value if event.looking else attempt.note
        self.state = CaptureState(Phase.RUNNING, message, event.looking)
        return replace(event, frame=self._clock.onward(event.frame, event.arrived_s))

    def _lasts(self, attempt: _Attempt) -> bool:
        return self._opening.lasting and not attempt.ends

    def _finish(self, attempt: _Attempt, error: EchoRtError | None) -> None:
        if self._lasts(attempt) or (error is not None and self._persistent):
            self._lose(str(error) if error is not None else "the sender ended")
        else:
            self._attempt = None
            self.state = CaptureState(Phase.ENDED, str(error or ""), failure=error)

    def _start(self) -> None:
        self._clock.untie()
        self._attempt = _Attempt(Reader(self._opening, self.hear), time.perf_counter())
        self._attempt.reader.start()

    def _lose(self, why: str) -> None:
        if self._attempt is not None:
            self._attempt.reader.leave()
            self._attempt = None
        again = self._back_off.wait(time.perf_counter())
        self.state = CaptureState(Phase.LOST, f"{why}; {again}", newest_s=self._clock.newest_s)
        _LOG.info("%s is lost: %s", self._opening.uri, self.state.message)


@dataclass(slots=True, eq=False)
class _Attempt:
    """One opening of the source."""

    reader: Reader
    heard_s: float  # when something last came of it, or it was begun
    opened: bool = False
    note: str = ""  # this and those below: see `LiveSource`
    ends: bool = False
    patience_s: float = 0.0


class BackOff:
    """When a lost source is opened again."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """All is well: there is no wait, and the next one is the shortest."""
        self._wait_s = BACK_OFF_S[0]
        self._until_s: float | None = None

    def wait(self, now_s: float) -> str:
        """Begin the next wait; returns when it is tried again, for people."""
        wait_s, longest_s = self._wait_s, BACK_OFF_S[1]
        self._wait_s, self._until_s = min(2 * wait_s, longest_s), now_s + wait_s
        return f"tried again every {wait_s:g} s" if wait_s >= longest_s else "tried again"

    def over(self, now_s: float) -> bool:
        """Whether there was a wait and it is over; said once."""
        if self._until_s is None or now_s < self._until_s:
            return False
        self._until_s = None
        return True


class OngoingClock:
    """Times and numbers of frames that go on over a loss.

    The first frame of a source that came back is as much later than the last one before as it came later.

    Attributes:
        tied: whether the source that is open now has given a frame.
        newest_s: when the newest frame came, None before the first.
    """

    def __init__(self) -> None:
        self.tied = False
        self.newest_s: float | None = None
        self._last = self._shift = (0.0, 0)  # time and number: of the newest frame; by which this source is shifted

    def untie(self) -> None:
        """The source is opened anew: its next frame is the first by a clock of its own."""
        self.tied = False

    def onward(self, frame: Frame, arrived_s: float) -> Frame:
        """The frame on this clock."""
        if not self.tied and self.newest_s is not None:
            t_s, index = self._last
            self._shift = (t_s + max(arrived_s - self.newest_s, LEAST_STEP_S) - frame.t_s, index + 1 - frame.index)
        if self._shift != (0.0, 0):
            frame = replace(frame, t_s=frame.t_s + self._shift[0], index=frame.index + self._shift[1])
        self.tied, self.newest_s, self._last = True, arrived_s, (frame.t_s, frame.index)
        return frame
