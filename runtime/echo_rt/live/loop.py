"""The loop of a live feed: `follow`, with the newest frame in place of every frame."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import EchoRtError, FrameError, OutputError
from echo_rt.live.capture import LOOKING, PAUSED, Capture, Opening
from echo_rt.live.pulse import Pulse
from echo_rt.live.settings import Settings, Taker
from echo_rt.live.slot import Mailbox, Slot, losses
from echo_rt.live.status import LiveStatus, LiveUpdate, Phase, Viewer
from echo_rt.pipeline import follow

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.reading import EjectionFraction, Reading

TURN_S = 0.05
"""How long the engine waits for a frame before it looks after everything else."""

IDLE_S = 0.5
"""Between two updates while no frames come."""

REFUSED = "not an image for the engine"


class Live:
    """A feed that is followed until it ends or somebody ends it. It is the `LiveControl` of its viewers.

    Args:
        uri: the source.
        opening: makes an `Opening` of an address.
        engine: an open engine; it stays open.
        settings: see there.
        offered: what may be selected, see `LiveControl.sources`.

    Raises:
        ParameterError: there is no such EF method.
    """

    def __init__(
        self,
        uri: str,
        opening: Callable[[str], Opening],
        engine: Engine,
        settings: Settings | None = None,
        offered: Callable[[], list[str]] = list,
    ) -> None:
        self.settings = settings or Settings()
        self._engine, self._monitor = engine, Monitor(engine.spec, self.settings.ef_method)
        self._open, self._offered = opening, offered
        self._slot = Slot(self.settings.every_frame)
        self._uri = uri
        first = opening(uri)
        self._shown = first.uri
        self._capture: Capture | None = Capture(first, self._slot)
        self._pulse = Pulse()
        self._past = Counter[str]()  # drops and recoveries of captures that are closed
        self._past_reopened = 0
        self._frames = 0
        self._frozen = False
        self._history = 1
        self._shape: tuple[int, ...] | None = None
        self._forgotten = False
        self._last: tuple[Frame, Reading] | None = None
        self._wishes: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ending = False
        self._problem = ""
        self._arrived_s = 0.0
        self._told_s = 0.0
        self._told: tuple[Phase, str] | None = None
        self._viewers: list[Mailbox[LiveUpdate]] = []
        self._takers: list[tuple[Taker, Mailbox[Callable[[], None]]]] = []
        self._failure: EchoRtError | None = None
        self._lock = threading.Lock()

    # -- consumers -----------------------------------------------------------------------------------------------------------------

    def add_viewer(self, viewer: Viewer, name: str = "viewer") -> None:
        """Show every newest update there, from a thread of its own, until the end. `Viewer.close` is called at the
        end."""
        self._viewers.append(Mailbox(name, viewer.show, viewer.close))

    def add_taker(self, taker: Taker, name: str, depth: int = 120) -> None:
        """Give it every reading, from a thread of its own; one that is `depth` readings behind loses the oldest."""
        patient = self.settings.every_frame
        self._takers.append((taker, Mailbox(name, lambda call: call(), taker.close, depth=depth, patient=patient)))

    @property
    def ef(self) -> EjectionFraction | None:
        """The figure of the newest reading; None before the first of this history."""
        return self._last[1].ef if self._last is not None else None

    # -- the loop ------------------------------------------------------------------------------------------------------------------

    def run(self) -> LiveStatus:
        """Follow the feed to its end; returns how it was then.

        Raises:
            EchoRtError: the source could not be opened, and is no feed that may come.
        """
        try:
            while not self._ending and self._failure is None:
                try:
                    for frame, reading in follow(self._arrivals(), self._engine, self._monitor):
                        self._done(frame, reading)
                except FrameError:
                    self._past[REFUSED] += 1
                    continue
                break
        finally:
            self._close_capture(wait_s=1.0)
            final = self._tell(Phase.ENDED, force=True)
            for box in self._boxes():
                if not box.close():
                    self._problem = f"{box.name} did not finish in time and was left behind"
        if self._failure is not None:
            raise self._failure
        return self._status(Phase.ENDED) if self._problem else final

    def close(self) -> None:
        """Let go of source and outputs, also of a feed that never ran because a viewer could not be opened. A second
        call does nothing."""
        self._close_capture(wait_s=1.0)
        for box in self._boxes():
            box.close()

    def _arrivals(self) -> Iterator[Frame]:
        """The newest frames, for as long as the feed is followed. Between two of them everything else is done, in this
        one thread."""
        while not self._ending:
            while not self._wishes.empty():
                self._wishes.get()()
            capture = self._capture
            if capture is not None:
                capture.tend()
            # Asked before the slot, so that a source that ends after its last frame is not believed to have ended
            # before it.
            phase = self._phase()
            arrival = self._slot.take(TURN_S)
            if arrival is None or self._frozen or capture is not self._capture:
                if arrival is not None:
                    self._past[PAUSED] += 1
                if phase is Phase.ENDED and capture is not None:
                    self._failure = capture.failure
                    return
                self._forget_if_long(capture)
                self._tell(phase)
                continue
            frame = arrival.frame
            if self._shape is not None and frame.image.shape[:2] != self._shape:
                self._afresh()  # lengths and volumes in another size cannot be compared
            self._shape = frame.image.shape[:2]
            self._forgotten = False
            self._arrived_s = arrival.arrived_s
            yield frame

    def _done(self, frame: Frame, reading: Reading) -> None:
        now_s = time.perf_counter()
        self._pulse.beat(now_s, 1e3 * (now_s - self._arrived_s))
        self._frames += 1
        with self._lock:
            self._last = (frame, reading)
        shown, history = self._shown, self._history
        self._give(lambda taker: taker.write(frame, reading, shown, history))
        self._tell(self._phase(), force=True)

    def _give(self, call: Callable[[Taker], None]) -> None:
        for taker, box in self._takers:
            box.put(partial(call, taker))

    def _tell(self, phase: Phase, force: bool = False) -> LiveStatus:
        """Show the newest to the viewers; while nothing happens, now and then."""
        status = self._status(phase)
        now_s = time.perf_counter()
        if force or self._told != (phase, status.message) or now_s - self._told_s >= IDLE_S:
            frame, reading = self._last if self._last is not None else (None, None)
            for box in self._viewers:
                box.put(LiveUpdate(frame, reading, status))
            if phase is not Phase.RUNNING and (self._told is None or self._told[0] is not phase):
                self._give(lambda taker: taker.idle(status.message or phase.value))
            self._told, self._told_s = (phase, status.message), now_s
        return status

    def _boxes(self) -> list[Mailbox[Any]]:
        return [*(box for _, box in self._takers), *self._viewers]

    def _phase(self) -> Phase:
        if self._capture is None:
            return Phase.STOPPED
        phase = self._capture.phase
        if phase is Phase.RUNNING and self._frozen:
            return Phase.FROZEN
        if phase is Phase.RUNNING and self._capture.message == LOOKING:
            # Frames come, and none is read: what was shown before is no more current than that of a lost source.
            return Phase.OPENING if self._last is None else Phase.LOST
        return phase

    def _status(self, phase: Phase) -> LiveStatus:
        capture = self._capture
        ages = self._pulse.ages_ms()
        errors = [box.error for box in self._boxes() if box.error]
        message = (capture.message if capture is not None else "") or self._problem
        return LiveStatus(
            phase=phase,
            message="; ".join([*([message] if message else []), *errors]),
            source=self._shown,
            engine=self._engine.description,
            model=self.settings.model,
            frames=self._frames,
            dropped=dict(self._past + (capture.dropped if capture is not None else Counter())),
            reopened=self._past_reopened + (capture.reopened if capture is not None else 0),
            fps=self._pulse.fps(time.perf_counter()),
            age_ms=ages[0],
            age_p50_ms=ages[1],
            age_p99_ms=ages[2],
            t_wall_s=time.time(),
            recording=self.settings.recording,
            lost=losses(self._boxes()),
        )

    # -- what is done between two frames -------------------------------------------------------------------------------------------

    def _afresh(self) -> None:
        self._monitor.reset()
        self._history += 1
        self._shape = None

    def _forget_if_long(self, capture: Capture | None) -> None:
        limit_s = self.settings.forget_after_s
        if (
            limit_s is None
            or self._forgotten
            or capture is None
            or capture.phase is not Phase.LOST
            or capture.silent_s < limit_s
        ):
            return
        self._forgotten = True
        self._last = None
        self._afresh()

    def _close_capture(self, wait_s: float = 0.0) -> None:
        if (capture := self._capture) is not None:
            capture.stop(wait_s)
            self._past += capture.dropped
            self._past_reopened += capture.reopened
            self._capture = None

    def _change(self, uri: str) -> None:
        """Open a source, whether another one or the same again."""
        try:
            opening = self._open(uri)
        except EchoRtError:
            opening = Opening(
                uri, lambda: self._open(uri).source(), lasting=False
            )  # its error comes again, as that of a lost source
        self._close_capture()
        self._problem, self._frozen, self._uri, self._shown, self._last = "", False, uri, opening.uri, None
        self._afresh()
        # Whoever chose it sees why it does not open, and may choose another: no reason to end.
        self._capture = Capture(opening, self._slot, persistent=True)

    # -- LiveControl ---------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        def start() -> None:
            if self._capture is None:
                self._change(self._uri)

        self._wishes.put(start)

    def stop(self) -> None:
        self._wishes.put(self._close_capture)

    def freeze(self, frozen: bool) -> None:
        def freeze() -> None:
            self._frozen = frozen

        self._wishes.put(freeze)

    def reset(self) -> None:
        def reset() -> None:
            self._last = None
            self._afresh()

        self._wishes.put(reset)

    def select(self, source: str) -> None:
        self._wishes.put(lambda: self._change(source))

    def sources(self) -> list[str]:
        return list(dict.fromkeys([self._uri, *self._offered()]))

    def snapshot(self) -> Path:
        from echo_rt.outputs.snapshot import write_snapshot

        with self._lock:
            newest = self._last
        if newest is None:
            raise OutputError("expected a picture for the snapshot, found none yet; wait for the first frame")
        return write_snapshot(self.settings.snapshots, *newest)

    def end(self) -> None:
        # No lock and no queue: it is called from signal handlers, which may interrupt whoever holds one.
        self._ending = True
