"""What `echo-rt file` costs as a user starts it: with its overlay and without, side by side, and in memory.

    python benchmarks/recordings.py [--turns 3] [--beside NAME=PYTHON]

`--beside` gives the Python of another environment, such as one with an older commit of echo-rt, and what to call it.
All runs of a turn follow each other, so that they see the same load; medians of all turns count. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FPS, HEIGHT, WIDTH = 50, 480, 640
LONG, LENGTHS, TEN, EACH = 1000, (500, 1000, 4000), 10, 200
"""Frames: of the recording that is timed, of those whose memory is looked at, and of each of ten side by side."""


class Run(NamedTuple):
    """What one run of the program took.

    Attributes:
        s: of wall clock, start included.
        processor_s: of all its threads and processes together.
        memory_mb: resident at most, of its largest process.
    """

    s: float
    processor_s: float
    memory_mb: float


def draw(path: Path, frames: int, seed: int = 1) -> Path:
    """A recording of a simulated heart: MJPEG in AVI."""
    options = [f"ef={50 + seed}", f"hr={65 + 2 * seed}", f"seed={seed}", f"fps={FPS}", f"seconds={frames / FPS:g}"]
    size = [f"height={HEIGHT}", f"width={WIDTH}"]
    command = [sys.executable, "-m", "echo_rt", "phantom", str(path), *options, *size]
    subprocess.run(command, check=True, capture_output=True)
    return path


def run(recordings: Sequence[Path], out: Path, *options: str, python: str = sys.executable) -> Run:
    """`echo-rt file` on these."""
    command = [python, "-m", "echo_rt", "file", *map(str, recordings), "--out", str(out), *options]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Not child.wait: it tells neither time nor memory.
    _, status, used = os.wait4(child.pid, 0)
    took_s = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {child.returncode}")
    return Run(took_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def medians(runs: Sequence[Run]) -> dict[str, float]:
    """Of each figure; of the memory the largest."""
    return {
        "s": statistics.median(each.s for each in runs),
        "processor_s": statistics.median(each.processor_s for each in runs),
        "memory_mb": max(each.memory_mb for each in runs),
    }


def figures(out: Path) -> dict[str, Any]:
    """What summary.json and readings.csv of all recordings say, without how long the work took."""
    found: dict[str, Any] = {}
    for path in sorted(out.glob("*/summary.json")):
        found[f"{path.parent.name} summary"] = json.loads(path.read_text())
        found[f"{path.parent.name} summary"].pop("latency_ms", None)
    for path in sorted(out.glob("*/readings.csv")):
        with path.open(newline="") as file:
            found[f"{path.parent.name} readings"] = [
                {name: cell for name, cell in row.items() if not name.startswith("time_")}
                for row in csv.DictReader(file)
            ]
    return found


def overlay(clip: Path, out: Path, turns: int, beside: Mapping[str, str]) -> dict[str, Any]:
    """One recording with the overlay, without it, and by the programs beside, each by its name and its Python."""
    ways: dict[str, Mapping[str, Any]] = {"overlay": {}, "no overlay": {"options": ["--no-overlay"]}}
    ways.update({name: {"python": python} for name, python in beside.items()})
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, how in ways.items():
            runs[name].append(run([clip], out, *how.get("options", ()), python=how.get("python", sys.executable)))
    return {name: medians(of) for name, of in runs.items()}


def jobs(clips: Sequence[Path], folder: Path, turns: int) -> dict[str, Any]:
    """Ten recordings one after the other and two side by side, and whether the results are the same."""
    counts = ("1", "2")
    runs: dict[str, list[Run]] = {count: [] for count in counts}
    for _ in range(turns):
        for count in counts:
            runs[count].append(run(clips, folder / f"jobs-{count}", "--jobs", count))
    one, two = (figures(folder / f"jobs-{count}") for count in counts)
    assert len(one) == 2 * len(clips)
    return {**{count: medians(of) for count, of in runs.items()}, "same": one == two}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--beside", metavar="NAME=PYTHON", help="of another environment with echo-rt")
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="frames of the recordings for memory")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "out"
        clips = {frames: draw(folder / f"long{frames}.avi", frames) for frames in sorted({LONG, *given.lengths})}
        ten = [draw(folder / f"ten{number}.avi", EACH, number) for number in range(TEN)]
        run([ten[0]], out)  # the first one of all measures which engine is the fastest
        result: dict[str, Any] = {"turns": given.turns, "frames": LONG, "size": [HEIGHT, WIDTH]}
        beside = dict([given.beside.split("=", 1)]) if given.beside else {}
        result["one"] = overlay(clips[LONG], out, given.turns, beside)
        result["jobs"] = {"recordings": TEN, "frames": EACH, **jobs(ten, folder, given.turns)}
        result["memory"] = [
            {"frames": frames, "memory_mb": run([clips[frames]], out).memory_mb} for frames in given.lengths
        ]
    print("| one recording | s | processor s |\n|---|---|---|")
    for name, of in result["one"].items():
        print(f"| {name} | {of['s']:.2f} | {of['processor_s']:.2f} |")
    for count in "12":
        of = result["jobs"][count]
        print(f"| ten, {count} at a time | {of['s']:.2f} | {of['processor_s']:.2f} |")
    print(f"\nthe same results: {'yes' if result['jobs']['same'] else 'no'}\n\n| frames | MB |\n|---|---|")
    for row in result["memory"]:
        print(f"| {row['frames']} | {row['memory_mb']:.0f} |")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
