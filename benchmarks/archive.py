"""What an archive costs beside the work itself, and what a second worker brings.

python benchmarks/archive.py --recordings 60 > benchmarks/results/archive.json

Rounds of four runs follow each other on the same recordings: a bare loop of `process` on one core, `echo-rt archive`
with one worker, with two, and a resume that finds all done. Of each the best round counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIP = "seconds=3&fps=30&height=480&width=640&hr=70&overlay=0"

LOOP = """
import os, sys
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
import cv2
from echo_rt.engine import open_engine
from echo_rt.pipeline import process
import time
cv2.setNumThreads(1)
with open_engine(None, "cpu", 1) as engine:
    process(sys.argv[1], engine)
    began_s = time.perf_counter()
    for path in sys.argv[1:]:
        process(path, engine)
    print(time.perf_counter() - began_s)
"""


def make(folder: Path, count: int) -> list[Path]:
    """Recordings of 90 frames, each of another heart."""
    from echo_rt.phantom.dicom_file import write_dicom
    from echo_rt.phantom.phantom import open_phantom

    paths = [folder / f"clip{number:04}.dcm" for number in range(count)]
    for number, path in enumerate(paths):
        write_dicom(open_phantom(f"phantom:?{CLIP}&ef={30 + number % 40}&seed={number}"), path)
    return paths


def loop(paths: list[Path]) -> float:
    """Seconds of a bare loop, without the start of the program."""
    run = subprocess.run([sys.executable, "-c", LOOP, *map(str, paths)], check=True, capture_output=True, text=True)
    return float(run.stdout)


def archive(folder: Path, out: Path, jobs: int) -> tuple[float, float]:
    """Seconds of a run over all recordings: of the program as a whole, and from the first document to the last."""
    command = [sys.executable, "-m", "echo_rt", "archive", str(folder), "--out", str(out), "--jobs", str(jobs)]
    began_s = time.perf_counter()
    subprocess.run([*command, "--device", "cpu"], check=True, capture_output=True)
    whole_s = time.perf_counter() - began_s
    written = sorted(path.stat().st_mtime for path in out.glob("recordings/*/*.json"))
    return whole_s, (written[-1] - written[0]) * len(written) / (len(written) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    best: dict[str, float] = {}

    def keep(name: str, seconds: float) -> None:
        best[name] = min(seconds, best.get(name, seconds))

    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch, "in"), Path(scratch, "out")
        folder.mkdir()
        paths = make(folder, asked.recordings)
        for _ in range(asked.rounds):
            keep("loop_s", loop(paths))
            for jobs in (1, 2):
                shutil.rmtree(out, ignore_errors=True)
                whole_s, following_s = archive(folder, out, jobs)
                keep(f"archive_{jobs}_s", following_s)
                keep(f"archive_{jobs}_whole_s", whole_s)
            keep("resume_s", archive(folder, out, 1)[0])
    found = {name: round(seconds, 2) for name, seconds in best.items()}
    found |= {
        "overhead_percent": round(100 * (best["archive_1_s"] / best["loop_s"] - 1), 1),
        "second_worker": round(best["archive_1_s"] / best["archive_2_s"], 2),
        "recordings_per_s_a_core": round(asked.recordings / best["archive_2_s"] / 2, 2),
    }
    machine = {"cores": os.cpu_count(), "machine": platform.processor() or platform.machine(), "load": os.getloadavg()}
    print(
        json.dumps({"recordings": asked.recordings, "clip": CLIP, "rounds": asked.rounds, **machine, **found}, indent=2)
    )


if __name__ == "__main__":
    main()
