"""Recordings that are poison: they kill their worker, hang or take memory, by their names."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.archive.ledger import Task
from echo_rt.archive.places import Place
from echo_rt.archive.work import Finished, Work
from echo_rt.errors import output_errors


@dataclass(frozen=True)
class PoisonWork(Work):
    """As `Work`, but of some recordings, by their names: no file is known that does this to a reader."""

    def __call__(self, task: Task, engine: Any, tell: Any) -> Finished:
        name = Path(task.recording).name
        if "kills" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hangs" in name:
            time.sleep(3600)
        if "swallows" in name:
            held = []
            while True:
                held.append(np.ones(2**24, np.uint8))
        return super().__call__(task, engine, tell)


@dataclass(frozen=True)
class FullPlace(Place):
    """RESULTS on a disk that is full after so many documents."""

    documents: int = 0

    def write(self, name: str, content: bytes, *, new: bool = False) -> None:
        if name.startswith("recordings/") and sum(1 for _ in self.names("recordings")) >= self.documents:
            with output_errors(f"{self.address}/{name}"):
                raise OSError(errno.ENOSPC, "No space left on device")
        super().write(name, content, new=new)


def drive(arguments: list[str]) -> None:
    """The command line with poison in its work; called in a process of its own."""
    import echo_rt.archive.places as places
    import echo_rt.archive.work as work
    from echo_rt.commands.app import main

    work.Work = PoisonWork  # type: ignore[misc]
    if arguments[0] == "--full-after":
        documents = int(arguments[1])
        places.open_place = lambda text: FullPlace(str(text), documents)  # type: ignore[assignment]
        arguments = arguments[2:]
    sys.argv = ["echo-rt", "archive", *arguments]
    main()
