"""A live feed for minutes: does memory grow, how old are readings when they are out, how many frames are dropped.

    python benchmarks/live_soak.py --minutes 5 --fps 60 [--model lv-edge] [--record DIR]
    python benchmarks/live_soak.py --hours 24 --faults [--every 60]

The phantom is rendered beforehand, a few seconds of it, and played in a circle with a clock that goes on: drawing it
costs as much as the engine, and a camera's pictures come for nothing. `--drawn` draws each frame anew instead, in the
same process. Run it on a quiet machine. The last line is JSON.

`--faults` lets the feed fail every minute, each time in another way. It says how long after the fault had passed the
next reading came, and whether an old reading was shown as current. A smaller `--every` waits less between faults: with
12 seconds the 60 faults of an hour take 12 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.engine import open_engine
from echo_rt.errors import SourceError
from echo_rt.frame import Frame
from echo_rt.live.memory import limit_heaps
from echo_rt.live.reader import Opening
from echo_rt.live.session import Live, Settings
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.outputs.recorder import Recorder
from echo_rt.sources import open_source
from echo_rt.sources.pace import Paced

SECONDS, RATE_BPM = 6, 60
"""Of the circle: six whole beats, so that its end meets its beginning."""


class Circle:
    """Frames in a circle, until `seconds` have passed."""

    name, frames, spacing_note, view = "circle", None, None, "A4C"

    def __init__(self, frames: list[Frame], fps: float, seconds: float) -> None:
        self._frames, self.fps, self._seconds = frames, fps, seconds
        self.spacing_mm = frames[0].spacing_mm

    def __enter__(self) -> Circle:
        self._giving = self._give()
        return self

    def __exit__(self, *what: object) -> None: ...

    def __iter__(self) -> Circle:
        return self

    def __next__(self) -> Frame:
        return next(self._giving)

    def _give(self) -> Iterator[Frame]:
        for index in range(int(self._seconds * self.fps)):
            yield replace(self._frames[index % len(self._frames)], t_s=index / self.fps, index=index)


class Faults:
    """What goes wrong with a feed, one thing after the other, and what came of it. It is the viewer that looks.

    Args:
        every_s: from one fault to the next.
        seconds: until the feed is over.
    """

    KINDS = ("dies", "stalls", "changes size", "garbage", "leaps ahead", "leaps back", "repeats", "bursts", "slow disk")
    STALL_S, SPELL_S, LEAP_S, OLD_S = 5.0, 1.0, 3600.0, 3.0

    def __init__(self, every_s: float, seconds: float) -> None:
        self._every_s, self._begun_s = every_s, time.monotonic()
        self.until_s = self._begun_s + seconds
        self._next_s, self._number, self._over_s = self._begun_s + every_s, 0, 0.0
        self.kind = ""
        self.took_s: dict[str, list[float]] = {kind: [] for kind in self.KINDS}
        self.stale, self._newest, self._newest_s = 0, None, self._begun_s

    def due(self) -> str:
        """The fault that begins now, empty where none does."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return ""
        self.kind = self.KINDS[self._number % len(self.KINDS)]
        self._number, self._next_s, self._over_s = self._number + 1, now_s + self._every_s, 0.0
        return self.kind

    def over(self) -> None:
        """The fault has passed: from now on the feed could be as before."""
        self._over_s = time.monotonic()

    def show(self, update: LiveUpdate) -> None:
        """Look at what is shown: whether it is of now, and whether the feed is back."""
        now_s = time.monotonic()
        if update.reading is not None and update.reading is not self._newest:
            self._newest, self._newest_s = update.reading, now_s
            if self.kind and self._over_s and update.status.phase is Phase.RUNNING:
                self.took_s[self.kind].append(now_s - self._over_s)
                self.kind = ""
        elif update.status.phase is Phase.RUNNING and now_s - self._newest_s > self.OLD_S:
            self.stale += 1

    def write(self, frame: Frame, reading: Any, source: str, history: int) -> None:
        """As a disk that is slow now and then."""
        if self.kind == "slow disk":
            time.sleep(0.2)

    def idle(self, why: str) -> None: ...

    def close(self) -> None: ...

    def report(self) -> list[str]:
        """A line for each kind of fault, and one for what was stale."""
        lines = []
        for kind, took in self.took_s.items():
            came = f"back after {max(took):.2f} s at most" if took else "never back"
            lines.append(f"{kind:<14} {len(took)} times, {came}")
        return [*lines, f"shown as current and {self.OLD_S:g} s old: {self.stale}"]


class Faulty(Circle):
    """Frames in a circle that goes wrong now and then."""

    def __init__(self, frames: list[Frame], fps: float, faults: Faults) -> None:
        super().__init__(frames, fps, 0)
        self._faults = faults

    def _give(self) -> Iterator[Frame]:
        faults, shift_s, spell, start_s = self._faults, 0.0, "", time.monotonic()
        begun_s, index = 0.0, -1
        while (now_s := time.monotonic()) < faults.until_s:
            index += 1
            if fault := faults.due():
                spell, begun_s = fault, now_s
                if fault == "dies":
                    faults.over()
                    raise SourceError("circle: the fault that was asked for")
                if fault == "stalls":
                    time.sleep(faults.STALL_S)
                    faults.over()
                shift_s += {"leaps ahead": faults.LEAP_S, "leaps back": -faults.LEAP_S}.get(fault, 0.0)
            if spell and now_s - begun_s > faults.SPELL_S:
                spell = ""
                faults.over()
            frame = self._frames[index % len(self._frames)]
            if spell == "changes size":
                frame = replace(frame, image=np.ascontiguousarray(frame.image[::2, ::2]))
            elif spell == "garbage":
                frame = replace(frame, image=np.random.default_rng(index).integers(0, 256, frame.image.shape, np.uint8))
            late_s = start_s + index / self.fps - time.monotonic()
            if late_s > 0 and spell != "bursts":
                time.sleep(late_s)
            yield replace(frame, t_s=(0 if spell == "repeats" else now_s - start_s) + shift_s, index=index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--hours", type=float, default=0)
    parser.add_argument("--faults", action="store_true", help="let the feed fail now and then")
    parser.add_argument("--every", type=float, default=60, help="seconds from one fault to the next")
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--model", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--record", type=Path, default=None)
    parser.add_argument("--drawn", action="store_true", help="draw each frame anew, in this process")
    given = parser.parse_args()
    limit_heaps()  # as `echo-rt live` does
    seconds = 3600 * given.hours or 60 * given.minutes
    address = f"phantom:?fps={given.fps:g}&hr={RATE_BPM}&hr_variability=0&breathing=0&overlay=0"

    def make() -> Any:
        if given.drawn:
            return Paced(open_source(f"{address}&seconds={seconds:g}"))
        return Paced(Circle(frames, given.fps, seconds)) if faults is None else Faulty(frames, given.fps, faults)

    with open_source(f"{address}&seconds={SECONDS}") as drawn:
        frames = [] if given.drawn else list(drawn)
    memory: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            memory.append((time.monotonic() - begun, resident_mb()))

    with open_engine(given.model, given.device) as engine:
        engine.segment(frames[0].image if frames else next(_first(address)).image)
        faults = Faults(given.every, seconds) if given.faults else None
        feed = Live(address, lambda uri: Opening(uri, make, lasting=given.faults), engine, Settings())
        if faults is not None:
            feed.outputs.add_viewer(faults)
            feed.outputs.add_taker(faults, "slow disk", 24)
            threading.Timer(seconds, feed.end).start()
        if given.record is not None:
            feed.outputs.add_taker(Recorder(given.record, {}), "recorder")
        begun = time.monotonic()
        threading.Thread(target=watch, daemon=True).start()
        status = feed.run()
        ended.set()
        print(engine.description)
    counts, timing = status.counts, status.timing
    dropped = counts.dropped_frames
    share = 100 * dropped / (dropped + counts.frames)
    print(f"{counts.frames} readings in {time.monotonic() - begun:.0f} s, dropped {dropped}: {share:.2f} %")
    print(f"age of the readings of the last minute: median {timing.age_p50_ms:.1f} ms, p99 {timing.age_p99_ms:.1f} ms")
    settled_s = min(300 if given.faults else 60, seconds / 2)
    late = [mb for t_s, mb in memory if t_s >= settled_s]
    print(f"memory: {late[0]:.0f} MB after {settled_s:.0f} s, at most {max(late):.0f}, {late[-1]:.0f} at the end")
    for line in [] if faults is None else faults.report():
        print(line)
    print(f"lost by outputs: {dict(counts.lost) or 'none'}; EF {feed.ef.percent if feed.ef else None}")
    ages = {"p50": timing.age_p50_ms, "p99": timing.age_p99_ms}
    about = {"model": engine.spec.name, "device": engine.device, "fps": given.fps, "minutes": seconds / 60}
    about |= {"readings": counts.frames, "dropped": dropped, "age_ms": ages}
    print(json.dumps({**about, "memory_mb": {"settled": late[0], "most": max(late), "end": late[-1]}}))


def resident_mb() -> float:
    """Memory that the process holds, by Linux's own account."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _first(address: str) -> Iterator[Frame]:
    with open_source(address) as source:
        yield next(source)


if __name__ == "__main__":
    main()
