"""Takes of a live feed, written without a feed."""

from __future__ import annotations

from pathlib import Path

from echo_rt.cardiac.monitor import Monitor
from echo_rt.following import follow
from echo_rt.outputs.recorder import Recorder
from support.live_parts import StandInEngine


def readings(shown, engine=None):
    engine = engine or StandInEngine()
    return list(follow(shown, engine, Monitor(engine.spec)))


def record(folder: Path, followed, history: int = 1) -> None:
    recorder = Recorder(folder, {"model": "m", "roi": "none"})
    for frame, reading in followed:
        recorder.write(frame, reading, "given:", history)
    recorder.close()
