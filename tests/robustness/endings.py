"""Signals at random moments of the commands: all end with one line and the status of the signal, and whole files.

PYTHONPATH=tests python -m robustness.endings --signals 500            from a seed drawn at random
PYTHONPATH=tests python -m robustness.endings --signals 1 --first 7    one case again
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

SMALL = "phantom:?height=120&width=160&fps=30"

COMMANDS: dict[str, list[str]] = {
    "file": ["file", f"{SMALL}&seconds=2", "--out", "OUT"],
    "file, two side by side": [
        "file",
        f"{SMALL}&seconds=2",
        f"{SMALL}&seconds=1&seed=2",
        "--jobs",
        "2",
        "--out",
        "OUT",
    ],
    "live": ["live", f"{SMALL}&seconds=3", "--view", "none", "--record", "OUT"],
    "live with its page": ["live", f"{SMALL}&seconds=3", "--view", "web", "--port", "0", "--record", "OUT"],
    "models": ["models"],
    "doctor": ["doctor"],
}
ENDINGS = ("echo-rt: interrupted; ", "echo-rt: ended by SIGTERM; ")
PATIENCE_S = 120
"""Within which a process has begun, or has ended: the machine may be busy with something else."""

STEP_S = 0.002
"""Between two looks whether the process heeds signals yet."""


class Ended(NamedTuple):
    """How a process ended that was sent a signal, or ended before it came.

    Attributes:
        case: for people, with its seed.
        told: it was still running when the signal was sent.
        status, out, error: of the process; `error` without the lines on how a feed is.
        took_s: from the signal to the end.
        wrong: what is not as it should be.
    """

    case: str
    told: bool
    status: int
    out: str
    error: list[str]
    took_s: float
    wrong: list[str]


def ended(seed: int, spans_s: dict[str, float], folder: Path, only: str | None = None) -> Ended:
    """Send a signal to a command at a moment drawn by chance, and look at what is left.

    Args:
        seed: of the case.
        spans_s: how long each command takes, learnt from case to case. The moment lies within a little more.
        folder: empty, for its results.
        only: a command of `COMMANDS`; None: drawn by chance.
    """
    chance = random.Random(seed)
    name = only or chance.choice(list(COMMANDS))
    number = chance.choice((signal.SIGINT, signal.SIGTERM))
    group = chance.random() < 0.5
    wait_s = chance.random() * 1.1 * spans_s.setdefault(name, 4.0)
    words = [str(folder / "out") if word == "OUT" else word for word in COMMANDS[name]]
    # A shell that starts this in the background has it ignore Ctrl-C, and its children inherit that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with (folder / "said").open("w+") as said, (folder / "error").open("w+") as error:
        begun_s = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "echo_rt", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=error,
            start_new_session=True,
            preexec_fn=heed,
            cwd=folder,
        )
        try:
            heeds_s = _wait_until_it_heeds(process)
            moment_s = heeds_s + wait_s
            while process.poll() is None and time.monotonic() < moment_s:
                time.sleep(STEP_S)
            told, sent_s = process.poll() is None, time.monotonic()
            if told:
                (os.killpg if group else os.kill)(process.pid, number)
            else:
                spans_s[name] = 0.5 * spans_s[name] + 0.5 * (time.monotonic() - heeds_s)
            status = process.wait(PATIENCE_S)
            took_s = time.monotonic() - sent_s
            wrong = [] if _alone(process.pid) else ["processes are left"]
        finally:
            if process.poll() is None or not _alone(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        error.seek(0)
        case = f"seed {seed}: {name}, {number.name} {'to all' if group else ''} after {moment_s - begun_s:.2f} s"
        lines = [line for line in error.read().splitlines() if not _of_the_feed(line)]
        found = Ended(case, told, status, said.read(), lines, took_s, wrong)
    return found._replace(wrong=[*wrong, *_wrong(found, name, number, folder)])


def _wait_until_it_heeds(process: subprocess.Popen[bytes]) -> float:
    """Until its own code has begun: the interpreter says more, or less, of a signal that comes before."""
    until_s = time.monotonic() + PATIENCE_S
    caught = Path(f"/proc/{process.pid}/status")
    while process.poll() is None and time.monotonic() < until_s:
        masks = dict(line.split(":\t") for line in caught.read_text().splitlines() if line.startswith("SigCgt"))
        if int(masks.get("SigCgt", "0"), 16) >> (signal.SIGTERM - 1) & 1:
            break
        time.sleep(STEP_S)
    return time.monotonic()


def _alone(group: int) -> bool:
    """Whether nothing of a process group is left, a moment later at most."""
    until_s = time.monotonic() + 5
    while time.monotonic() < until_s:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return True
        time.sleep(0.05)
    return False


def _of_the_feed(line: str) -> bool:
    return line.startswith(("opening", "running", "ended ", "ended\n", "watch it at ", "looking")) or line == "ended"


def _wrong(found: Ended, name: str, number: signal.Signals, folder: Path) -> list[str]:
    """What of an ending is not as it should be."""
    wrong = []
    if "Traceback" in found.out + "\n".join(found.error):
        wrong.append("a traceback")
    statuses = {128 + number} if found.told else {0}
    if found.told:
        statuses.add(0)  # it came when the command was over
    if found.status not in statuses:
        wrong.append(f"status {found.status}")
    if found.status == 128 + number:
        summary = [line for line in found.out.splitlines() if " readings, dropped: " in line]
        endings = [line for line in found.error if line.startswith(ENDINGS)]
        if len(endings) + (len(summary) if name.startswith("live") else 0) != 1:
            wrong.append("not one line on its end")
        if len(found.error) != len(endings):
            wrong.append("other lines on standard error")
    elif found.error:
        wrong.append("lines on standard error")
    return wrong + _not_whole(folder / "out")


def _not_whole(out: Path) -> list[str]:
    """Of the results in a folder, or of the takes in it, what is half written."""
    wrong = []
    for folder in out.glob("*") if out.exists() else ():
        names = {path.name for path in folder.iterdir()}
        if folder.name.startswith("take-"):
            lines = (folder / "readings.jsonl").read_text().splitlines() if "readings.jsonl" in names else []
            about = json.loads((folder / "recording.json").read_text()) if "recording.json" in names else {}
            if about.get("frames") != len(list(map(json.loads, lines))):
                wrong.append(f"{folder.name}: {about.get('frames')} frames said, {len(lines)} there")
        elif names != {"summary.json", "readings.csv", "masks.npz", "overlay.mp4", "curve.png"}:
            wrong.append(f"{folder.name}: {sorted(names)}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--first", type=int, default=random.randrange(10**9))
    parser.add_argument("--only", choices=COMMANDS, default=None)
    given = parser.parse_args()
    spans_s: dict[str, float] = {}
    kinds: Counter[str] = Counter()
    for seed in range(given.first, given.first + given.signals):
        with tempfile.TemporaryDirectory(prefix="echo-rt-endings-") as folder:
            found = ended(seed, spans_s, Path(folder), given.only)
        kinds["defect" if found.wrong else "told" if found.told else "over before"] += 1
        if found.wrong:
            print(f"DEFECT {found.case}, {found.took_s:.1f} s later: {'; '.join(found.wrong)}", flush=True)
            print(f"  {found.out}{found.error}", flush=True)
    print(f"{given.signals} signals from seed {given.first}: {dict(kinds)}")
    sys.exit(bool(kinds["defect"]))


if __name__ == "__main__":
    main()
