"""What a viewer is given in tests: readings of a simulated heart, and a feed that writes down what it is asked."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.errors import OutputError
from echo_rt.following import follow
from echo_rt.live.status import Counts, Drop, LiveStatus, LiveUpdate, Phase, Timing
from echo_rt.phantom import Phantom, PhantomOptions


class StandInControl:
    """Stands in for a feed: writes down what it is asked."""

    def __init__(self, snapshot: Path | None = None) -> None:
        self.calls: list[object] = []
        self._snapshot = snapshot

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def freeze(self, frozen: bool) -> None:
        self.calls.append(("freeze", frozen))

    def reset(self) -> None:
        self.calls.append("reset")

    def select(self, source: str) -> None:
        self.calls.append(("select", source))

    def sources(self) -> list[str]:
        return ["phantom:", "/dev/video0"]

    def snapshot(self) -> Path:
        self.calls.append("snapshot")
        if self._snapshot is None:
            raise OutputError("expected a picture for the snapshot, found none yet; wait for the first frame")
        return self._snapshot

    def end(self) -> None:
        self.calls.append("end")


RUNNING = LiveStatus(
    Phase.RUNNING,
    source="phantom:",
    engine="the engine",
    model="lv-edge 2",
    counts=Counts(frames=9, dropped={Drop.BUSY: 3}),
    timing=Timing(age_ms=7.0),
)


@lru_cache
def readings(seconds: float = 5.0) -> list[LiveUpdate]:
    """A simulated heart through engine and monitor."""
    options = PhantomOptions.of(ef=55, hr=75, fps=30, seconds=seconds, seed=3, height=240, width=320)
    with Phantom(options) as phantom, open_engine("lv-edge", "cpu") as engine:
        return [LiveUpdate(frame, reading, RUNNING) for frame, reading in follow(phantom, engine, Monitor(engine.spec))]


def as_phase(update: LiveUpdate, phase: Phase, message: str = "") -> LiveUpdate:
    return dataclasses.replace(update, status=dataclasses.replace(update.status, phase=phase, message=message))
