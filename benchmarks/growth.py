"""What a frame costs as things grow: image, network, length of the recording, streams at once.

Prints tables and one JSON line.

    python benchmarks/growth.py [--minutes 0.17 1 10] [--json FILE] [--plot PICTURE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.bench.machine import describe
from echo_rt.bench.measure import Plan, heart_frames, peak_memory_mb, run, streams
from echo_rt.bench.work import multiply_adds
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.model import models

SIZES = ((120, 160), (240, 320), (480, 640), (600, 800), (960, 1280), (1080, 1920))


def by_size(frames: int) -> list[dict[str, Any]]:
    """Medians in ms of each stage."""
    rows = []
    with open_engine("lv-edge", "cpu") as engine:
        for height, width in SIZES:
            times = run(engine, heart_frames(Plan(frames=frames, height=height, width=width), 50.0))
            rows.append(
                {
                    "height": height,
                    "width": width,
                    **{stage: round(float(np.median(of)), 3) for stage, of in times.items()},
                }
            )
    return rows


def by_length(minutes: list[float]) -> list[dict[str, float]]:
    """Milliseconds a frame over recordings of so many minutes at 50 frames/s, and the memory held by then."""
    rows = []
    drawn = heart_frames(Plan(frames=280, height=240, width=320), 50.0)
    with open_engine("lv-edge", "cpu") as engine:
        for length in minutes:
            count = round(length * 60 * 50)
            frames = (Frame(drawn[k % len(drawn)].image, k / 50, k, drawn[0].spacing_mm) for k in range(count))
            start = time.perf_counter()
            beats = sum(reading.beat is not None for _, reading in follow(frames, engine, Monitor(engine.spec)))
            took_ms = 1e3 * (time.perf_counter() - start)
            row = {
                "minutes": length,
                "frames": count,
                "beats": beats,
                "ms_a_frame": took_ms / count,
                "peak_memory_mb": peak_memory_mb() or 0,
            }
            rows.append(row)
    return rows


def by_width(frames: int) -> list[dict[str, Any]]:
    """Medians in ms of the network alone, for the shipped models."""
    rows = []
    for model in models():
        row: dict[str, Any] = {"model": model.name, "multiply_adds": multiply_adds(model.file("fp32"))}
        for precision in ("fp32", "int8"):
            with open_engine(f"{model.name}.{precision}", "cpu") as engine:
                times = run(engine, heart_frames(Plan(frames=frames, height=240, width=320), 50.0))
            row[precision] = round(float(np.median(times["network"])), 3)
        rows.append(row)
    return rows


def plot(result: dict[str, Any], path: Path) -> None:
    """Three panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), dpi=110)
    sizes, length, at_once = figure.subplots(1, 3)
    pixels = [row["height"] * row["width"] / 1e6 for row in result["size"]]
    for stage in ("preprocess", "network", "postprocess", "monitor", "mask"):
        sizes.plot(pixels, [row[stage] for row in result["size"]], marker="o", label=stage)
    sizes.set(xlabel="megapixels", ylabel="ms a frame, median", ylim=(0, None))
    sizes.legend(fontsize=8)
    means = [row["ms_a_frame"] for row in result["length"]]
    length.plot([row["minutes"] for row in result["length"]], means, marker="o")
    length.set(xlabel="minutes of recording", ylabel="ms a frame, mean", ylim=(0, 1.2 * max(means)), xscale="log")
    at_once.plot(
        [int(n) for n in result["streams"]], [of["frames_a_second"] for of in result["streams"].values()], marker="o"
    )
    at_once.set(xlabel="streams at once", ylabel="frames a second, all together", ylim=(0, None))
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1 / 60, 1 / 6, 1, 10])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    plan = Plan(frames=given.frames)
    result: dict[str, Any] = {"machine": describe(), "length": by_length(given.minutes), "size": by_size(given.frames)}
    result["width"] = by_width(given.frames)
    result["streams"] = {str(count): streams("lv-edge", "cpu", plan, count) for count in (1, 2, 4)}
    print("| image | preprocess | network | postprocess | monitor | mask |\n|---|---|---|---|---|---|")
    for row in result["size"]:
        stages = " | ".join(
            f"{row[stage]:.2f}" for stage in ("preprocess", "network", "postprocess", "monitor", "mask")
        )
        print(f"| {row['height']}x{row['width']} | {stages} |")
    print("\n| model | G multiply-adds | FP32 ms | INT8 ms |\n|---|---|---|---|")
    for row in result["width"]:
        print(f"| {row['model']} | {row['multiply_adds'] / 1e9:.3f} | {row['fp32']:.2f} | {row['int8']:.2f} |")
    print("\n| minutes | frames | beats | ms a frame | memory, MB |\n|---|---|---|---|---|")
    for row in result["length"]:
        counts = f"{row['minutes']:.2g} | {row['frames']} | {row['beats']}"
        print(f"| {counts} | {row['ms_a_frame']:.3f} | {row['peak_memory_mb']:.0f} |")
    print("\n| streams | frames a second |\n|---|---|")
    for count, of in result["streams"].items():
        print(f"| {count} | {of['frames_a_second']:.0f} |")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    if given.plot:
        plot(result, given.plot)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
