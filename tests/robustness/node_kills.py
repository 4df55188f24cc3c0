"""Kills of the DICOM node while others send to it: what it has acknowledged is processed and reported once.

PYTHONPATH=tests python -m robustness.node_kills                       200 instances, 8 associations, 3 kills
PYTHONPATH=tests python -m robustness.node_kills --first 7 --engine    from one seed, with the engine at work
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
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from pydicom import dcmread

from support.dicom_peers import Archive, associate, cine, free_port
from support.stand_in_report import source_of

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 1800
"""For all of it: the machine may be busy with something else."""

PAUSE_S = 0.1

ANSWER_S = 3.0
"""How long a sender waits for an answer: pynetdicom does not notice that the other side is gone before that."""


class Found(NamedTuple):
    """What came of it.

    Attributes:
        case: for people, with its seed.
        kills: in which state the journal was at each: instances, and reports that had arrived.
        again: reports that came a second time, which is the same instance for an archive.
        resent: instances that a sender sent more than once, as it had no answer.
        took_s: in all.
        wrong: what is not as it should be.
    """

    case: str
    kills: list[str]
    again: int
    resent: int
    took_s: float
    wrong: list[str]


class Program:
    """The node in a process of its own, begun again after each kill."""

    def __init__(self, folder: Path, archive: Archive, engine: bool) -> None:
        self.port = free_port()
        peer = f"SCANNER@127.0.0.1:{archive.port}"
        self.command = [sys.executable, "-m", "support.node_program", str(folder), str(self.port), peer]
        path = [str(TESTS)]
        if engine:
            words = f"node --port {self.port} --quiet-s 0.2 --retry-s 0.2 --report sr --device cpu --jobs 2"
            self.command = [sys.executable, "-m", "echo_rt", *words.split(), "--out", str(folder), "--peer", peer]
            path.append(str(TESTS / "support" / "stand_in_reports"))
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        self._log = folder.with_name("node.log").open("a")
        self.start()

    def start(self) -> None:
        # In a group of its own: what is left of it at the end can be named.
        self.process = subprocess.Popen(
            self.command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self) -> int:
        """Tell it to end; its status."""
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self._log.close()
        return status


class Sender(threading.Thread):
    """A modality that sends its instances until each is acknowledged, whatever happens to the node."""

    def __init__(self, port: int, cines: list[Any]) -> None:
        super().__init__(daemon=True)
        self._port, self._left = port, cines
        self.acknowledged: list[str] = []
        self.resent = 0
        self.ending = False

    def run(self) -> None:
        while self._left and not self.ending:
            association = associate(self._port)
            association.dimse_timeout = ANSWER_S
            while association.is_established and self._left and not self.ending:
                if association.send_c_store(self._left[0]).get("Status") == 0x0000:
                    self.acknowledged.append(str(self._left.pop(0).SOPInstanceUID))
                else:
                    self.resent += 1
            if association.is_established:
                association.release()
            time.sleep(PAUSE_S)


def killed(
    seed: int, folder: Path, *, instances: int = 200, associations: int = 8, kills: int = 3, engine: bool = False
) -> Found:
    """Send instances from several associations at once, and kill the node at moments drawn by chance.

    Args:
        seed: of the moments.
        folder: empty.
        instances, associations, kills: how many.
        engine: whether the instances are segmented, in the program's worker processes; else a stand-in makes reports.
    """
    chance, begun_s = random.Random(seed), time.monotonic()
    archive = Archive()
    program = Program(folder / "node", archive, engine)
    cines = [cine(number, study=1 + number % 5) for number in range(instances)]
    senders = [Sender(program.port, cines[first::associations]) for first in range(associations)]
    for sender in senders:
        sender.start()
    # How far it is: each instance counts once when it is acknowledged, and once when its report is there.
    moments = sorted(chance.sample(range(1, 2 * instances - 1), kills))
    said: list[str] = []
    try:
        while time.monotonic() < begun_s + PATIENCE_S:
            stored, reported = sum(len(sender.acknowledged) for sender in senders), len(archive.stored)
            if len(said) < kills and stored + reported >= moments[len(said)]:
                program.kill()
                said.append(f"{stored} acknowledged, {reported} reported")
            if len(said) == kills and reported >= instances and stored == instances and _settled(folder / "node"):
                break
            time.sleep(0.01)
        for sender in senders:
            sender.ending = True
            sender.join(PATIENCE_S)
        time.sleep(5 * PAUSE_S)  # for what would come a second time
        status = program.end()
    finally:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)
        archive.close()
    resent = sum(sender.resent for sender in senders)
    again = len(archive.came) - len(archive.stored)
    wrong = [] if status == 128 + signal.SIGTERM else [f"status {status}"]
    wrong += _wrong(folder, cines, {uid for sender in senders for uid in sender.acknowledged}, archive)
    case = f"seed {seed}: {instances} instances, {associations} associations, {kills} kills"
    return Found(case, said, again, resent, time.monotonic() - begun_s, wrong)


def _status(folder: Path) -> Any:
    command = [sys.executable, "-m", "echo_rt", "node", "status", str(folder), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _settled(folder: Path) -> bool:
    found = _status(folder)
    instances, reports = found["instances"], found["reports"]
    return not (instances["received"] or instances["processing"] or reports["waiting"])


def _wrong(folder: Path, cines: list[Any], acknowledged: set[str], archive: Archive) -> list[str]:
    """What is not as it should be, by the files, the journal and the archive."""
    sent, node, wrong = {str(each.SOPInstanceUID): each for each in cines}, folder / "node", []
    reported = [source_of(report) for report in archive.stored.values()]
    found = _status(node)
    counted = {name: {state: n for state, n in found[name].items() if n} for name in ("instances", "reports")}
    if counted != {"instances": {"done": len(sent)}, "reports": {"sent": len(sent)}}:
        wrong.append(f"the journal has {counted}")
    if acknowledged != set(sent):
        wrong.append(f"{len(set(sent) - acknowledged)} instances were never acknowledged")
    if sorted(reported) != sorted(sent):
        wrong.append(f"{len(reported)} reports on {len(set(reported))} of {len(sent)} instances")
    if {path.name for path in (node / "results").iterdir()} != set(sent):
        wrong.append("the folders of results are not those of the instances")
    if {path.name for path in (node / "received").iterdir()} != {f"{uid}.dcm" for uid in sent}:
        wrong.append("the files are not those of the instances")
    elif changed := [uid for uid, each in sent.items() if dcmread(node / "received" / f"{uid}.dcm") != each]:
        wrong.append(f"{len(changed)} files are not what was sent")
    if "Traceback" in (log := (folder / "node.log").read_text()):
        wrong.append("a traceback: " + log[log.index("Traceback") :][:2000])
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--associations", type=int, default=8)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--first", type=int, default=random.randrange(10**9))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--engine", action="store_true", help="segment them too, instead of a stand-in")
    given = parser.parse_args()
    defects = 0
    for seed in range(given.first, given.first + given.runs):
        with tempfile.TemporaryDirectory(prefix="echo-rt-node-") as folder:
            counts = {name: getattr(given, name) for name in ("instances", "associations", "kills", "engine")}
            found = killed(seed, Path(folder), **counts)
        defects += bool(found.wrong)
        print(f"{'DEFECT ' if found.wrong else ''}{found.case}, {found.took_s:.0f} s: {'; '.join(found.wrong) or 'ok'}")
        print(f"  killed at: {'; '.join(found.kills)}; sent again: {found.resent} instances, {found.again} reports")
    sys.exit(bool(defects))


if __name__ == "__main__":
    main()
