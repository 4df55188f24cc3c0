"""Jobs for a pool of workers that take no time, each with one thing to do, and an engine that computes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from echo_rt.commands.worker import Bounds
from echo_rt.commands.workers import Workers
from echo_rt.errors import NoDeviceError, SourceError


class Light(NamedTuple):
    """A job: `recording` is the name of what it does, see `Work`."""

    number: int
    recording: str


@dataclass(frozen=True)
class LightOpening:
    """Opens no engine. Each time leaves a file in `seen`; where that holds `broken`, the process ends instead."""

    seen: Path | None = None
    deaths: int = 0

    def open(self) -> AbstractContextManager[None]:
        if self.seen is not None:
            (self.seen / str(os.getpid())).touch()
            if 1 < len(list(self.seen.iterdir())) <= 1 + self.deaths:
                os._exit(9)
        return nullcontext()


class NoOpening:
    """Finds no device."""

    def open(self) -> AbstractContextManager[None]:
        raise NoDeviceError("expected a device, found none")


@dataclass(frozen=True)
class Work:
    """Does what a job is named for.

    Args:
        notes: folder in which each job that begins leaves a line, with the process that had it.
    """

    notes: Path

    def __call__(self, job: Light, engine: None, tell: Any) -> str:
        with (self.notes / f"{job.number}.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        what, _, much = job.recording.partition(" ")
        getattr(self, what)(much)
        return f"{job.recording}: done"

    def count(self, much: str) -> None:
        pass

    def sleep(self, seconds: str) -> None:
        time.sleep(float(seconds))

    def die(self, much: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fill(self, mb: str) -> None:
        """Take memory by and by, and hold it."""
        held = []
        for _ in range(int(mb) // 50):
            held.append(bytearray(os.urandom(1) * 50_000_000))
            time.sleep(0.1)
        time.sleep(60)

    def ask(self, mb: str) -> None:
        """Ask for memory at once."""
        bytearray(int(mb) * 1_000_000)

    def begin(self, where: str) -> None:
        """Begin a process, and hang."""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        Path(where).write_text(str(child.pid))
        time.sleep(600)

    def refuse(self, much: str) -> None:
        raise SourceError("this one is refused")

    def err(self, much: str) -> None:
        raise RuntimeError("nobody meant this")


def pool(count: int, notes: Path, bounds: Bounds | None = None, opening: Any = None) -> Workers[Light, str]:
    """Light workers."""
    return Workers(count, opening or LightOpening(), Work(notes), bounds or Bounds(), pin=False)


def maker(notes: Path, bounds: Bounds | None = None) -> partial[Workers[Light, str]]:
    """Makes one light worker, wherever it is called."""
    return partial(pool, 1, notes, bounds)
