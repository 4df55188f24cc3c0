"""What a frame costs in the monitor, on one core: a markdown table, with the native loops and with their definitions in NumPy.

    python benchmarks/monitor_time.py          # lv-edge's masks of a simulated heart; or --model MODEL

Three seconds of 640 x 480 at 50 fps, again and again for a minute. The frames in which a beat is completed, one a second, cost most.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from echo_rt.cardiac import kernels
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.frame import Frame
from echo_rt.sources.phantom import Phantom, PhantomOptions

LOOPS = ("trace", "long_axis", "wall_lines", "depth", "coarse", "sector")
FPS, SECONDS, TIMES = 50, 3, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lv-edge")
    cv2.setNumThreads(1)
    with (
        open_engine(parser.parse_args().model, "cpu") as engine,
        Phantom(PhantomOptions(hr=60, fps=FPS, seconds=SECONDS, seed=5, height=480, width=640)) as phantom,
    ):
        spec, seen = engine.spec, [(frame, engine.segment(frame.image, None)) for frame in phantom]
    print("| loops | mean ms | median ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
    for name in ("native", "NumPy"):
        if name == "NumPy":
            for loop in LOOPS:
                setattr(kernels, loop, getattr(kernels, f"reference_{loop}"))
        elif kernels.trace is kernels.reference_trace:
            continue
        monitor, cost_ms = Monitor(spec), []
        for index in range(TIMES * len(seen)):
            frame, segmentation = seen[index % len(seen)]
            frame = Frame(frame.image, index / FPS, index, frame.spacing_mm)
            start = time.perf_counter()
            monitor.update(segmentation, frame)
            cost_ms.append(1e3 * (time.perf_counter() - start))
        figures = np.mean(cost_ms), *np.percentile(cost_ms, (50, 95, 99))
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")


if __name__ == "__main__":
    main()
