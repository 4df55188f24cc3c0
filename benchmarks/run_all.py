"""Measure again all that the pages show, and fill their tables: `make bench-all`. On a quiet machine, 15 minutes.

    python benchmarks/run_all.py                     # all of it
    python benchmarks/run_all.py engines soak        # some
    python benchmarks/run_all.py --list              # what would be run, and nothing else

Each program's last line is its JSON. It goes, with what it was measured with, into results/KIND-MACHINE-DATE.json.
What fails or does not come to its turn in time keeps its older result, and the last lines say so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import tables

from echo_rt.bench.machine import describe

LIMIT_S = 900.0
BUSY = 0.5
"""Load for each processor above which a machine is not quiet."""

Answers = dict[str, dict[str, Any]]


def first(answers: Answers) -> dict[str, Any]:
    """The result of a benchmark of one program."""
    return next(iter(answers.values()))


def both(answers: Answers) -> dict[str, Any]:
    """Of benchmarks/engines.py: each number of threads, for frames and for the program as a whole."""
    parts: dict[str, Any] = {"threads": {}, "program": {}}
    for name, answer in answers.items():
        part, _, count = name.partition(" ")
        parts[part][count] = answer
    return parts


@dataclass(frozen=True)
class Benchmark:
    """One result, of one or more programs.

    Attributes:
        commands: by a name for each, arguments of Python.
        about_s: how long it takes on two quiet cores.
        join: makes the result of the programs' JSON.
        models: that it measures.
    """

    kind: str
    commands: Mapping[str, Sequence[str]]
    about_s: float
    join: Callable[[Answers], dict[str, Any]] = first
    models: tuple[str, ...] = ("lv-edge",)


ENGINES, PEERS = "benchmarks/engines.py", "benchmarks/peers.py"
BENCHMARKS = (
    Benchmark("bench", {"": ["-m", "echo_rt", "bench"]}, 120),
    Benchmark(
        "engines",
        {
            **{f"threads {count}": [ENGINES, "--threads", count] for count in "12"},
            **{f"program {count}": [ENGINES, "--program", "--threads", count] for count in "12"},
        },
        180,
        both,
    ),
    Benchmark("soak", {"": ["benchmarks/live_soak.py", "--minutes", "2", "--fps", "60", "--model", "lv-edge"]}, 130),
    Benchmark("peers", {"": [PEERS, "--threads", "1"]}, 110),
    Benchmark("peers2", {"": [PEERS, "--threads", "2", "--no-compile"]}, 40),
    Benchmark(
        "growth",
        {"": ["benchmarks/growth.py", "--minutes", "0.0167", "0.167", "1", "4", "--plot", "benchmarks/growth.png"]},
        150,
        models=("lv-edge", "lv-phantom"),
    ),
    Benchmark("recordings", {"": ["benchmarks/recordings.py", "--turns", "2"]}, 150),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(each.kind for each in BENCHMARKS)}; all without any")
    parser.add_argument("--list", action="store_true", help="say what would be run, and run nothing")
    parser.add_argument("--results", type=Path, default=tables.RESULTS, help="where the results go")
    given = parser.parse_args(arguments)
    known = {each.kind: each for each in BENCHMARKS}
    if unknown := set(given.kinds) - known.keys():
        parser.error(f"expected kinds of {', '.join(known)}, found {', '.join(sorted(unknown))}")
    chosen = [known[kind] for kind in given.kinds] or list(BENCHMARKS)
    for each in chosen:
        print(f"{each.kind}: about {each.about_s:.0f} s: " + "; ".join(" ".join(c) for c in each.commands.values()))
    if given.list:
        return 0
    if (load := os.getloadavg()[0] / (os.cpu_count() or 1)) > BUSY:
        print(f"this machine is busy (load {load:.1f} for each processor): figures of now will be too high")
    kept = run(chosen, given.results)
    tables.main([])
    for line in kept:
        print(line)
    return 1 if kept else 0


def run(chosen: Sequence[Benchmark], results: Path, limit_s: float = LIMIT_S) -> list[str]:
    """Write the result of each, and say in a line for each what kept its older one."""
    end_s = time.monotonic() + limit_s
    kept = []
    for each in chosen:
        start_s = time.monotonic()
        try:
            answers = {name: answer(command, end_s) for name, command in each.commands.items()}
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            kept.append(f"{each.kind}: kept its older result: {why(error)}")
            continue
        path = write(each, each.join(answers), results)
        print(f"{each.kind}: {time.monotonic() - start_s:.0f} s, written to {path}", flush=True)
    return kept


def answer(command: Sequence[str], end_s: float) -> dict[str, Any]:
    """The JSON in the last line of a program.

    Raises:
        SubprocessError: it failed, or the time was over.
        ValueError: its last line is no JSON object.
    """
    left_s = max(0.1, end_s - time.monotonic())
    done = subprocess.run(
        [sys.executable, *command], cwd=tables.HERE.parent, capture_output=True, text=True, timeout=left_s, check=True
    )
    found = json.loads((done.stdout.strip().splitlines() or [""])[-1])
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object in its last line, found {type(found).__name__}")
    return found


def why(error: Exception) -> str:
    """In one line."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"status {error.returncode}: {(error.stderr.strip().splitlines() or ['it says nothing'])[-1]}"
    return "the time was over" if isinstance(error, subprocess.TimeoutExpired) else str(error)


def write(benchmark: Benchmark, result: Mapping[str, Any], results: Path) -> Path:
    """The result with what it was measured with, beside the older ones."""
    about = describe()
    date = datetime.date.today().isoformat()
    measured = {
        "models": {name: tables.shipped()[name] for name in benchmark.models},
        "commit": commit(),
        "date": date,
        "machine": about,
    }
    name = re.sub(r"[^a-z0-9]+", "-", about["processor"].lower()).strip("-")
    path = results / f"{benchmark.kind}-{name}-{date}.json"
    results.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"measured": measured, **result}, indent=1) + "\n", encoding="utf-8")
    return path


def commit() -> str:
    """Of the tree, with ``+`` where files of it were changed; ``unknown`` outside a checkout."""
    asked = ("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results")
    try:
        head, changed = (
            subprocess.run(["git", *what], cwd=tables.HERE, capture_output=True, text=True, check=True).stdout.strip()
            for what in asked
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + ("+" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
