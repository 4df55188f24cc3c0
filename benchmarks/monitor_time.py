"""What a frame costs in the monitor, on one core: a markdown table, with the native loops and with their definitions in
NumPy.

    python benchmarks/monitor_time.py          # lv-edge's masks of a simulated heart; or --model MODEL, --size 600x800

Three seconds of a feed at 50 fps, again and again for a minute. The frames in which a beat is completed, one a second,
cost most. "After the network" is as in the product: every frame is segmented just before, by a network that leaves
little of the monitor in the caches.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np

from echo_rt import native, reference
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.segmentation import Segmentation

LOOPS = (
    "smoothed",
    "trace",
    "walled",
    "over_the_roof",
    "long_axis",
    "wall_lines",
    "depth",
    "systole_misfits",
    "coarse",
    "sector",
    "cells",
    "follow_speckle",
)
FPS, SECONDS, TIMES = 50, 3, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lv-edge")
    parser.add_argument("--size", default="480x640", help="height and width of the frames")
    given = parser.parse_args()
    height, width = map(int, given.size.split("x"))
    cv2.setNumThreads(1)
    with (
        open_engine(given.model, "cpu") as engine,
        Phantom(PhantomOptions.of(hr=60, fps=FPS, seconds=SECONDS, seed=5, height=height, width=width)) as phantom,
    ):
        frames = list(phantom)
        seen = [engine.segment(frame.image, None) for frame in frames]
        print("| loops | mean ms | median ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
        if native.MISSING is None:
            row("native", engine.spec, frames, seen.__getitem__)
            row(
                "native, after the network",
                engine.spec,
                frames,
                lambda place: engine.segment(frames[place].image, None),
            )
        for loop in LOOPS:
            setattr(native, loop, getattr(reference, loop))
        row("NumPy", engine.spec, frames, seen.__getitem__)


def row(name: str, spec: ModelSpec, frames: list[Frame], segmented: Callable[[int], Segmentation]) -> None:
    """Print one row: the frames again and again, each with what `segmented` has for its place in them."""
    monitor, cost_ms = Monitor(spec), []
    for index in range(TIMES * len(frames)):
        place = index % len(frames)
        segmentation = segmented(place)
        frame = Frame(frames[place].image, index / FPS, index, frames[place].spacing_mm)
        start = time.perf_counter()
        monitor.update(segmentation, frame)
        cost_ms.append(1e3 * (time.perf_counter() - start))
    figures = np.mean(cost_ms), *np.percentile(cost_ms, (50, 95, 99))
    print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")


if __name__ == "__main__":
    main()
