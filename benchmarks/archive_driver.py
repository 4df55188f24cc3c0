"""How many recordings a second one driver of an archive can hear of: its own CPU time a recording.

python benchmarks/archive_driver.py --recordings 5000

The workers take no time and write no documents. The driver lists, and keeps ledger, table and progress.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from echo_rt import __version__
from echo_rt.archive.keys import Settings
from echo_rt.archive.ledger import Ledger, Task
from echo_rt.archive.places import Place, open_place
from echo_rt.archive.run import Run
from echo_rt.archive.work import Asked, Finished, Work, document_of
from echo_rt.model import model_path, read_spec


class Idle:
    """A pool whose workers take no time: it hands back one document under each task's name, through a pickle."""

    workers = 8

    def __init__(self, found: dict[str, Any]) -> None:
        self._found, self._waiting = found, deque[Task]()

    def submit(self, job: Task) -> None:
        self._waiting.append(job)

    def outcomes(self) -> Iterator[tuple[Task, Finished]]:
        while self._waiting:
            task = self._waiting.popleft()
            yield task, pickle.loads(pickle.dumps(Finished(document_of(task, self._found, 0.0))))

    def stop(self) -> None: ...

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *error: object) -> None: ...


def document() -> dict[str, Any]:
    """What a real recording of two seconds comes to."""
    with tempfile.TemporaryDirectory() as scratch:
        from echo_rt.engine import open_engine

        work, task = Work(open_place(scratch), Asked()), Task(1, "phantom:?seconds=2&fps=25", "one", "0" * 32, 0)
        with open_engine(None, "cpu", 1) as engine:
            made = work(task, engine, lambda number, done, expected: None).document
    return {name: made[name] for name in ("status", "kind", "reason", "summary", "pair")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=5000)
    asked = parser.parse_args()
    found = document()
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch, "in"), Path(scratch, "out")
        folder.mkdir()
        for number in range(asked.recordings):
            (folder / f"clip{number:06}.dcm").write_bytes(b"DICM")
        work = Work(Place(str(out)), Asked())
        run = Run(work, Settings("0", __version__, {}), read_spec(model_path(None)))
        began, began_s = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        with Ledger() as ledger:
            progress = run([str(folder)], ledger, lambda: Idle(found))
        took_s, used = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime
        found = {"recordings": progress.done, "took_s": round(took_s, 1), "peak_mb": round(used.ru_maxrss / 1e3)}
        print(json.dumps({**found, "driver_cpu_ms": round(1e3 * cpu_s / progress.done, 2)}))


if __name__ == "__main__":
    main()
