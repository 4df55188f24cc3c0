"""The loop of a live feed: `follow`, with the newest frame in place of every frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import EchoRtError, FrameError, OutputError
from echo_rt.following import follow
from echo_rt.live.commands import Commands, LiveControl
from echo_rt.live.intake import Intake
from echo_rt.live.outputs import Outputs
from echo_rt.live.pulse import Pulse, Tally
from echo_rt.live.reader import Opening
from echo_rt.live.status import Drop, LiveStatus, LiveUpdate, Phase
from echo_rt.live.turns import Seat
from echo_rt.measures import Body

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.live.capture import CaptureState
    from echo_rt.reading import EjectionFraction, Reading

TURN_S = 0.05
"""How long the engine waits for a frame before it looks after everything else."""


@dataclass(frozen=True)
class Settings:
    """How a feed is followed.

    Attributes:
        every_frame: wait for the engine instead of dropping frames, as `echo-rt file` does.
        forget_after_s: seconds without a frame after which the history begins afresh; None never.
        recording: folder that is recorded to, for people.
        model: for people.
        snapshots: folder for snapshots.
        ef_method: what the rolling EF is made of, see `Monitor`.
        body: how large the first patient is; None where it is not known.
    """

    every_frame: bool = False
    forget_after_s: float | None = None
    recording: Path | None = None
    model: str = ""
    snapshots: Path = field(default_factory=lambda: Path("snapshots"))
    ef_method: str = "disks"
    body: Body | None = None


class History:
    """What is known of one patient. The readings of one history owe nothing to those of another.

    Args:
        monitor: a new one.

    Attributes:
        number: of this history, from 1.
        newest: frame and reading, None before the first and after a reset.
        shape: rows and columns of its frames, None before the first.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.number = 1
        self.newest: tuple[Frame, Reading] | None = None
        self.shape: tuple[int, ...] | None = None

    def reset(self) -> None:
        """Begin another history, with nothing to show. It may be of another patient, of whom height and weight are not
        known."""
        self.newest = None
        self.monitor.body = Body()
        self._begin()

    def admit(self, frame: Frame) -> None:
        """Note a frame before it is read. One of another size begins another history: their lengths and volumes cannot
        be compared."""
        shape = frame.image.shape[:2]
        if self.shape not in (None, shape):
            self._begin()
        self.shape = shape

    def _begin(self) -> None:
        self.monitor.reset()
        self.number += 1
        self.shape = None


class Live(LiveControl):
    """A feed that is followed until it ends or somebody ends it. It is the `LiveControl` of its viewers.

    Args:
        uri: the source.
        opening: makes an `Opening` of an address.
        engine: an open engine; it stays open. A `Seat` is shared with other feeds.
        settings: see there.
        offered: what may be selected, see `LiveControl.sources`.

    Attributes:
        outputs: those who look on and those who take readings; may be added to until it runs.

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
        self._engine, self._offered = engine, offered
        self._history = History(Monitor(engine.spec, self.settings.ef_method, body=self.settings.body))
        self._pulse, self._tally = Pulse(), Tally()
        self._commands = Commands()
        self.outputs = Outputs(self.settings.every_frame)
        seat = engine if isinstance(engine, Seat) else None
        self._intake = Intake(uri, opening, self.settings.every_frame, self._tally, seat)
        self._arrived_s = 0.0
        # Why the newest reading is not of the newest frame, "" where that is said elsewhere; None where it is.
        self._old: str | None = ""
        self._failure: EchoRtError | None = None

    @property
    def ef(self) -> EjectionFraction | None:
        """The figure of the newest reading; None before the first of this history."""
        return self._history.newest[1].ef if self._history.newest is not None else None

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self) -> LiveStatus:
        """Follow the feed to its end; returns how it was then.

        Raises:
            EchoRtError: the source could not be opened, and is no feed that may come.
        """
        try:
            while True:
                try:
                    for frame, reading in follow(self._arrivals(), self._engine, self._history.monitor):
                        self._done(frame, reading)
                    break
                except FrameError:
                    self._tally.drop(Drop.REFUSED)
                    self._old = Drop.REFUSED.value
                    self._tell(self._intake.state)
        finally:
            self._intake.close(wait_s=1.0)
            self._tell(replace(self._intake.state, phase=Phase.ENDED), force=True)
            self.outputs.close()
        if self._failure is not None:
            raise self._failure
        return self._status(replace(self._intake.state, phase=Phase.ENDED))

    def close(self) -> None:
        """Let go of source and outputs, also of a feed that never ran because a viewer could not be opened. A second
        call does nothing."""
        self._intake.close(wait_s=1.0)
        self.outputs.close()

    def _arrivals(self) -> Iterator[Frame]:
        """The newest frames, for as long as the feed is followed. Between two of them everything else is done, in this
        one thread."""
        while not self._commands.ending:
            self._commands.carry_out()
            self._intake.tend()
            # Asked before a frame is taken: a source that ends after its last frame has not ended before it.
            state = self._intake.state
            if state.phase is not Phase.RUNNING:
                self._old = ""
            arrived = self._intake.take(TURN_S)
            if arrived is not None:
                self._history.admit(arrived.frame)
                self._arrived_s = arrived.arrived_s
                yield arrived.frame
            elif state.phase is Phase.ENDED:
                self._failure = state.failure
                return
            else:
                self._forget_if_long(state)
                self._tell(state)

    def _done(self, frame: Frame, reading: Reading) -> None:
        now_s = time.perf_counter()
        self._pulse.beat(now_s, 1e3 * (now_s - self._arrived_s))
        self._tally.frames += 1
        self._old = None
        self._history.newest = (frame, reading)
        self.outputs.write(frame, reading, self._intake.shown, self._history.number)
        self._tell(self._intake.state, force=True)

    def _forget_if_long(self, state: CaptureState) -> None:
        limit_s = self.settings.forget_after_s
        if limit_s is None or state.phase is not Phase.LOST or state.newest_s is None or self._history.shape is None:
            return
        if time.perf_counter() - state.newest_s >= limit_s:
            self._history.reset()

    def _change(self, uri: str) -> None:
        self._intake.change(uri)
        self._history.reset()

    def _start(self) -> None:
        if self._intake.state.phase is Phase.STOPPED:
            self._change(self._intake.uri)

    # -- what is said --------------------------------------------------------------------------------------------------

    def _phase(self, state: CaptureState) -> Phase:
        if state.phase is not Phase.RUNNING:
            return state.phase
        if self._intake.frozen:
            return Phase.FROZEN
        if state.looking or self._old is not None:
            # Frames come, and none is read or none yet: what was shown before is no more current than that of a lost
            # source.
            return Phase.OPENING if self._history.newest is None else Phase.LOST
        return Phase.RUNNING

    def _tell(self, state: CaptureState, force: bool = False) -> None:
        frame, reading = self._history.newest or (None, None)
        self.outputs.tell(LiveUpdate(frame, reading, self._status(state)), force)

    def _status(self, state: CaptureState) -> LiveStatus:
        return LiveStatus(
            self._phase(state),
            message="; ".join(filter(None, (state.message, self._old, *self.outputs.problems))),
            source=self._intake.shown,
            engine=self._engine.description,
            model=self.settings.model,
            recording=self.settings.recording,
            counts=self._tally.counts(self.outputs.lost),
            timing=self._pulse.timing(time.perf_counter()),
            t_wall_s=time.time(),
        )

    # -- LiveControl: from any thread ----------------------------------------------------------------------------------

    def start(self) -> None:
        self._commands.ask(self._start)

    def stop(self) -> None:
        self._commands.ask(self._intake.close)

    def freeze(self, frozen: bool) -> None:
        self._commands.ask(partial(self._intake.freeze, frozen))

    def reset(self) -> None:
        self._commands.ask(self._history.reset)

    def select(self, source: str) -> None:
        self._commands.ask(partial(self._change, source))

    def sources(self) -> list[str]:
        return list(dict.fromkeys([self._intake.uri, *self._offered()]))

    def snapshot(self) -> Path:
        from echo_rt.outputs.snapshot import write_snapshot

        newest = self._history.newest
        if newest is None:
            raise OutputError("expected a picture for the snapshot, found none yet; wait for the first frame")
        return write_snapshot(self.settings.snapshots, *newest)

    def end(self) -> None:
        self._commands.ending = True
