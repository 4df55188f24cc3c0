"""Recordings of a device that went wrong, to be played as a live feed."""

from __future__ import annotations

import random
from itertools import takewhile
from pathlib import Path

from echo_rt.cardiac.monitor import Monitor
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.outputs.recorder import FRAMES, Recorder
from robustness.live_coded import Transport
from robustness.live_senders import GARBAGE_BYTES
from robustness.live_shots import DEAD, GARBAGE, STAMP_S, Change, Shot, Timeline
from support.painted import PaintedEngine

BEFORE_S, AFTER_S = 4.0, 4.0
"""Of whole beats."""


class _NoClock:
    def now(self) -> float:
        return 0.0

    def sleep_until(self, until_s: float) -> None: ...


def shots(change: Change, lasts_s: float) -> list[Shot]:
    """Those of a device that goes wrong after `BEFORE_S`."""
    timeline, found = Timeline(change, lasts_s, _NoClock()), []
    for shot in takewhile(lambda shot: shot.at_s < BEFORE_S + lasts_s + AFTER_S, timeline):
        found.append(shot)
        if shot.at_s >= BEFORE_S:
            timeline.ready.set()
    return found


def write_video(folder: Path, change: Change, lasts_s: float) -> Path:
    """MPEG-TS, which may change in the middle. What dies is cut off there."""
    rng, transport, path = random.Random(0), Transport(), folder / "echo.ts"
    with path.open("wb") as file:
        for shot in takewhile(lambda shot: shot.kind != DEAD, shots(change, lasts_s)):
            data = transport.encode(shot)
            file.write(rng.randbytes(GARBAGE_BYTES) if shot.kind == GARBAGE else data)
    return path


def write_take(folder: Path, change: Change, lasts_s: float) -> Path:
    """A take of `echo-rt live --record`. Garbage overwrites its video, what dies cuts it off."""
    engine, all_shots = PaintedEngine(), shots(change, lasts_s)
    recorder = Recorder(folder, {"model": "painted", "roi": "none"})
    for frame, reading in follow(_frames(all_shots), engine, Monitor(engine.spec)):
        recorder.write(frame, reading, "given:", 1)
    recorder.close()
    take = folder / "take-001"
    data = bytearray((take / FRAMES).read_bytes())
    kinds = [shot.kind for shot in all_shots]
    first, last = (round(len(data) * at / len(kinds)) for at in _span(kinds))
    if DEAD in kinds:
        del data[first:]
    elif GARBAGE in kinds:
        data[first:last] = random.Random(0).randbytes(last - first)
    (take / FRAMES).write_bytes(data)
    return take


def _frames(all_shots: list[Shot]) -> list[Frame]:
    found: list[Frame] = []
    for index, shot in enumerate(all_shots):
        t_s = shot.stamp_s - STAMP_S
        if found and t_s <= found[-1].t_s:
            t_s = found[-1].t_s + 1e-3
        found.append(Frame(shot.image(), t_s, index, (0.8, 0.8)))
    return found


def _span(kinds: list[str]) -> tuple[int, int]:
    """Places of the first shot that is no picture, and of the first after them that is one again."""
    wrong = [place for place, kind in enumerate(kinds) if kind in (DEAD, GARBAGE)]
    return (wrong[0], wrong[-1] + 1) if wrong else (0, 0)
