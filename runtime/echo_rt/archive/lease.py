"""One run at a time writes to a folder of results, wherever it is."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.archive.places import Place
from echo_rt.errors import OutputError, output_errors
from echo_rt.outputs.locks import locked
from echo_rt.private import make_folder
from echo_rt.sources.known import ARCHIVE

if TYPE_CHECKING:
    from typing_extensions import Self

RUNNING = "running.json"

REFRESH_S = 60.0
"""How often a run says that it is alive."""

STALE_S = 300.0
"""A run on another machine that was silent for so long has ended: some refreshes may be late."""

SETTLE_S = 1.0
"""After which the last of two runs that began at the same moment has written."""


@dataclass(frozen=True)
class Holder:
    """The run that writes to a folder of results.

    Attributes:
        born: when its process began, in a form that only this host can compare; empty where that is unknown.
        since: when the run began, in UTC.
        seen: when it last said that it is alive, seconds since 1970.
    """

    run: str
    host: str
    pid: int
    born: str
    since: str
    seen: float

    @classmethod
    def of(cls, place: Place) -> Holder | None:
        """Who said last that it writes there; None where nobody did, or what it said makes no sense.

        Raises:
            OSError: it cannot be read.
        """
        try:
            said = json.loads(place.read(RUNNING))
            return cls(**{name: kind(said[name]) for name, kind in _KINDS.items()})
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None

    @property
    def is_alive(self) -> bool:
        """Whether it may still write: not where its process on this host has ended, or it was silent for long."""
        if self.host == socket.gethostname() and not _lives(self.pid, self.born):
            return False
        return time.time() - self.seen < STALE_S


_KINDS = {"run": str, "host": str, "pid": int, "born": str, "since": str, "seen": float}


class Lease:
    """The right of one run to write to a folder of results, from entering until leaving it.

    A run that is killed loses it: at once for runs on the same host, after `STALE_S` for others.

    Args:
        place: the folder.
        run: the name of the run, another one for each.

    Raises:
        OutputError: on entering: another run writes there, or nobody can.
        SourceError: on entering: the store cannot be asked.
    """

    def __init__(self, place: Place, run: str) -> None:
        self._place = place
        self._me = Holder(run, socket.gethostname(), os.getpid(), _born(os.getpid()), _now(), time.time())
        self._lock: int | None = None
        self._ended = threading.Event()
        self._lost: Holder | None = None
        self._refreshing = threading.Thread(target=self._refresh, name="echo-rt lease", daemon=True)

    def __enter__(self) -> Self:
        if (folder := self._place.local) is not None:
            with output_errors(folder):
                make_folder(folder)
                try:
                    self._lock = locked(folder)
                except BlockingIOError:
                    raise self._refusal(Holder.of(self._place)) from None
        try:
            self._take()
        except BaseException:
            self._let_go()
            raise
        self._refreshing.start()
        return self

    def check(self) -> None:
        """Raise OutputError where another run has taken over, because this one was silent for too long."""
        if self._lost is not None:
            raise self._refusal(self._lost)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._refreshing.join(REFRESH_S)
        if self._lost is None:
            with suppress(OSError):
                self._place.delete(RUNNING)
        self._let_go()

    def _take(self) -> None:
        with output_errors(self._place.address):
            before = Holder.of(self._place)
        if before is not None and before.is_alive and (self._lock is None or before.host != self._me.host):
            raise self._refusal(before)
        with output_errors(self._place.address):
            self._say()
            if self._place.local is None:
                self._ended.wait(SETTLE_S)
                if (after := Holder.of(self._place)) is not None and after.run != self._me.run:
                    raise self._refusal(after)
            with suppress(FileExistsError):
                self._place.write(ARCHIVE, json.dumps({"format": 1, "made_by": "echo-rt archive"}).encode(), new=True)

    def _say(self) -> None:
        self._place.write(RUNNING, json.dumps({**asdict(self._me), "seen": time.time()}).encode())

    def _refresh(self) -> None:
        while not self._ended.wait(REFRESH_S):
            with suppress(OSError):  # the next one may reach the store again
                if (holder := Holder.of(self._place)) is not None and holder.run != self._me.run:
                    self._lost = holder
                    return
                self._say()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refusal(self, holder: Holder | None) -> OutputError:
        who = "another one" if holder is None else f"one by process {holder.pid} on {holder.host} since {holder.since}"
        wait = f"wait for it; one that was killed on another machine is forgotten after {STALE_S / 60:.0f} minutes"
        return OutputError(f"{self._place.address}: expected no other run, found {who}; {wait}")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _lives(pid: int, born: str) -> bool:
    """Whether that process of this host is still there, and no other one that got its number."""
    if sys.platform == "win32":
        return True  # asking there by a signal would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return not born or not (now := _born(pid)) or now == born


def _born(pid: int) -> str:
    """When a process of this host began, since the host itself did; empty where the system does not say so simply."""
    try:
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {began}"
    except (OSError, IndexError):
        return ""
