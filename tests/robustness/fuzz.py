"""`make fuzz SECONDS=600`: every mutator in a process of its own, which may crash or hang.

PYTHONPATH=tests python -m robustness.fuzz --seconds 600                       all, from seeds drawn at random
PYTHONPATH=tests python -m robustness.fuzz --only models --first 7 --cases 1   one case again
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from robustness.harness import DEFECT, MEGABYTES, SECONDS, mutators, run_case

HANG_S = 5 * SECONDS
"""Of wall clock without a word from a worker: it hangs where no limit of CPU reaches it."""

SEEDS = 10**9


@dataclass
class Tally:
    """What came of a mutator's cases."""

    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    megabytes: float = 0.0
    defects: list[str] = field(default_factory=list)

    def defect(self, seed: int, case: str, said: str) -> None:
        """Note one and tell it."""
        self.kinds[DEFECT] += 1
        self.defects.append(f"seed {seed}, {case}: {said}")
        print(f"DEFECT {self.defects[-1]}", file=sys.stderr, flush=True)


def work(name: str, first: int, cases: int) -> None:
    """In a worker: run case after case, and say so before and after each in a line of JSON."""
    mutator = mutators()[name]
    talk = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    for seed in range(first, first + cases):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"seed": seed, "case": "being made"}), file=talk)
            case = mutator.make(seed, Path(folder))
            print(json.dumps({"seed": seed, "case": case.name}), file=talk)
            outcome = run_case(lambda case=case: mutator.run(case))
            print(json.dumps({"seed": seed, "case": case.name, **outcome._asdict()}), file=talk)


def explore(name: str, first: int, cases: int, until_s: float) -> Tally:
    """Run a mutator's cases until there are so many, or the time is over; a worker that ends is a defect."""
    tally, seed = Tally(), first
    while seed < first + cases and time.monotonic() < until_s:
        command = [sys.executable, "-m", "robustness.fuzz", "--work", name, str(seed), str(first + cases - seed)]
        # What a worker that is killed leaves behind lies in a folder of ours.
        with tempfile.TemporaryDirectory(prefix="echo-rt-fuzz-") as scratch:
            quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": {**os.environ, "TMPDIR": scratch}}
            with subprocess.Popen(command, bufsize=0, **quiet) as worker:
                last = _listen(worker, tally, until_s)
                worker.kill()
                status = worker.wait()
        if last is None:
            raise SystemExit(f"{name}: the worker did not begin, status {status}; run  {' '.join(command[1:])}")
        if "kind" not in last and time.monotonic() < until_s:
            how = "it hung" if status == -9 else f"the process ended with {status}"
            tally.defect(last["seed"], last["case"], how)
        seed = last["seed"] + 1
    return tally


def _listen(worker: subprocess.Popen[bytes], tally: Tally, until_s: float) -> dict[str, object] | None:
    """Count what a worker says until it ends, hangs or the time is over; its last words."""
    assert worker.stdout is not None
    last: dict[str, object] | None = None
    waiting = b""
    while time.monotonic() < until_s or last is None:
        if not select.select([worker.stdout], [], [], HANG_S)[0]:
            break
        if not (new := os.read(worker.stdout.fileno(), 1 << 16)):
            break
        *lines, waiting = (waiting + new).split(b"\n")
        for line in lines:
            last = json.loads(line)
            if "kind" in last:
                _count(tally, last)
    return last


def _count(tally: Tally, told: dict[str, object]) -> None:
    tally.seconds = max(tally.seconds, float(told["seconds"]))
    tally.megabytes = max(tally.megabytes, float(told["megabytes"]))
    if told["kind"] == DEFECT:
        tally.defect(int(told["seed"]), str(told["case"]), str(told["said"]))
    else:
        tally.kinds[str(told["kind"])] += 1


def main() -> None:
    """Explore, print a table, and end with status 1 where there was a defect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="for all mutators together")
    parser.add_argument("--only", nargs="*", default=[], help="names of mutators; all without it")
    parser.add_argument("--first", type=int, default=None, help="the first seed; drawn at random without it")
    parser.add_argument("--cases", type=int, default=SEEDS, help="at most so many of each")
    parser.add_argument("--work", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]), int(options.work[2]))
        return
    first = random.randrange(SEEDS) if options.first is None else options.first
    names = options.only or sorted(mutators())
    print(f"from seed {first}; limits a case: {SECONDS:g} s of CPU, {MEGABYTES:g} MB", flush=True)
    found = {
        name: explore(name, first, options.cases, time.monotonic() + options.seconds / len(names)) for name in names
    }
    print("\n| mutator | tried | read | refused | defects | longest | most memory |\n|---|---|---|---|---|---|---|")
    for name, tally in found.items():
        counts = " | ".join(str(tally.kinds[kind]) for kind in ("clean", "refused", DEFECT))
        tried = sum(tally.kinds.values())
        print(f"| {name} | {tried} | {counts} | {tally.seconds:.1f} s | {tally.megabytes:.0f} MB |")
    sys.exit(1 if any(tally.defects for tally in found.values()) else 0)


if __name__ == "__main__":
    main()
