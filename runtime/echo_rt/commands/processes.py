"""What a process takes together with those that it began, and how all of them are ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process of this machine, and when it began: the system gives a number again after a while."""

    pid: int
    began: float


def family(pid: int) -> list[Process]:
    """A process, first, and all below it; empty where it has ended.

    Linux says it in /proc. Elsewhere psutil does; without it the process stands alone.
    """
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        number = waiting.pop()
        with suppress(OSError, ValueError):
            found.append(Process(number, _began(number)))
            waiting += _children(number)
    return found


def memory_bytes(processes: Iterable[Process]) -> int:
    """Memory that these hold and cannot give back, without the pages of files; 0 where nobody says it."""
    size = 0
    for process in processes:
        with suppress(OSError, ValueError):
            size += _held_bytes(process.pid)
    return size


def end(processes: Iterable[Process]) -> None:
    """End these at once, but not others that have their numbers since."""
    for process in processes:
        with suppress(OSError, ValueError):
            if _began(process.pid) == process.began:
                os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))


if sys.platform == "linux":

    def _began(pid: int) -> float:
        # The name before it may hold anything; the 22nd field is the start, in ticks.
        return float(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])

    def _children(pid: int) -> list[int]:
        found: list[int] = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):  # the thread has ended, or the kernel keeps no such list
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        return found

    def _held_bytes(pid: int) -> int:
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")

else:

    def _began(pid: int) -> float:
        return float(_told(pid, "create_time"))

    def _children(pid: int) -> list[int]:
        return [child.pid for child in _told(pid, "children") or ()]

    def _held_bytes(pid: int) -> int:
        told = _told(pid, "memory_info")
        return told.rss if told else 0

    def _told(pid: int, what: str):  # type: ignore[no-untyped-def]
        """What psutil says of a process; 0 without it."""
        try:
            import psutil
        except ModuleNotFoundError:
            return 0
        try:
            return getattr(psutil.Process(pid), what)()
        except psutil.Error as error:
            raise OSError(str(error)) from None
