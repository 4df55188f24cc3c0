"""A live feed for minutes: does memory grow, how old are readings when they are out, how many frames are dropped.

    python benchmarks/live_soak.py --minutes 5 --fps 60 [--model lv-edge] [--record DIR]

The phantom is rendered beforehand, a few seconds of it, and played in a circle with a clock that goes on: drawing it
costs as much as the engine, and a camera's pictures come for nothing. `--drawn` draws each frame anew instead, in the
same process. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from echo_rt.engine import open_engine
from echo_rt.frame import Frame
from echo_rt.live.reader import Opening
from echo_rt.live.session import Live, Settings
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--model", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--record", type=Path, default=None)
    parser.add_argument("--drawn", action="store_true", help="draw each frame anew, in this process")
    given = parser.parse_args()
    seconds = 60 * given.minutes
    address = f"phantom:?fps={given.fps:g}&hr={RATE_BPM}&hr_variability=0&breathing=0&overlay=0"

    def make() -> Any:
        if given.drawn:
            return Paced(open_source(f"{address}&seconds={seconds:g}"))
        return Paced(Circle(frames, given.fps, seconds))

    with open_source(f"{address}&seconds={SECONDS}") as drawn:
        frames = [] if given.drawn else list(drawn)
    memory: list[tuple[float, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            memory.append((time.monotonic() - begun, resident_mb()))

    with open_engine(given.model, given.device) as engine:
        engine.segment(frames[0].image if frames else next(_first(address)).image)
        feed = Live(address, lambda uri: Opening(uri, make, lasting=False), engine, Settings())
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
    late = [mb for t_s, mb in memory if t_s >= min(60, seconds / 2)]
    print(f"memory: {late[0]:.0f} MB after the first minute, at most {max(late):.0f}, {late[-1]:.0f} at the end")
    print(f"lost by outputs: {dict(counts.lost) or 'none'}; EF {feed.ef.percent if feed.ef else None}")


def resident_mb() -> float:
    """Memory that the process holds, by Linux's own account."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _first(address: str) -> Iterator[Frame]:
    with open_source(address) as source:
        yield next(source)


if __name__ == "__main__":
    main()
