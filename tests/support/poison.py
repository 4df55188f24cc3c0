"""Recordings that are poison: they kill their worker, hang or take memory, by their names."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

from echo_rt.archive.ledger import Task
from echo_rt.archive.work import Finished, Work


@dataclass(frozen=True)
class PoisonWork(Work):
    """As `Work`, but of some recordings, by their names: no file is known that does this to a reader."""

    def __call__(self, task: Task, engine: Any, tell: Any) -> Finished:
        if "kills" in task.recording:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hangs" in task.recording:
            time.sleep(3600)
        return super().__call__(task, engine, tell)
