"""What runs in a process of `Workers`: it opens an engine, and does one job after the other with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from echo_rt import logs
from echo_rt.archive.pools import OutcomeT, TaskT
from echo_rt.commands.ending import ending
from echo_rt.commands.job import Opening, Tell
from echo_rt.errors import EchoRtError
from echo_rt.refused import Died, Refused, short_of_memory

if TYPE_CHECKING:
    from echo_rt.engine import Engine

TELL_S = 0.1
"""Between two messages on how far a recording is."""

END_S = 10.0
"""How long a process may take to remove what it has half written before it is ended."""

LATE_S = 2.0
"""After its time a job is ended by the system, where nobody has done so before."""

READY = "ready"


class Frames(NamedTuple):
    """How far a recording is."""

    done: int
    expected: int | None


@dataclass(frozen=True)
class Bounds:
    """What a job may take; None is no limit.

    Attributes:
        seconds: of wall clock.
        memory_bytes: of a worker and the processes that it began, engine included.
    """

    seconds: float | None = None
    memory_bytes: int | None = None

    def too_long(self, recording: str) -> str:
        """What to say of a recording that took longer."""
        return (
            f"{recording}: expected a result, found that it took longer than {self.seconds:g} s; "
            "it is damaged, or give it more time"
        )

    def too_large(self, recording: str) -> str:
        """What to say of a recording that took more memory."""
        most = "there is" if self.memory_bytes is None else f"{self.memory_bytes / 1e6:,.0f} MB"
        return (
            f"{recording}: expected a result, found that it took more memory than {most}; "
            "it is damaged, or give it more memory"
        )


@dataclass(frozen=True)
class Setup(Generic[TaskT, OutcomeT]):
    """What every process is given at its start. It is pickled.

    Attributes:
        opening: of its engine.
        work: comes from a job to its outcome. What it raises becomes `Refused`, or `Died` where memory was short.
        bounds: of each job.
    """

    opening: Opening
    work: Callable[[TaskT, Engine, Tell], OutcomeT]
    bounds: Bounds


class _Stopped(BaseException):
    """Nobody waits for the result any more."""


def _stop(number: int, frame: FrameType | None) -> None:
    """Where the system ends all processes of a run, each removes what it has half written."""
    signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def serve(talk: Connection, setup: Setup[Any, Any], core: int | None) -> None:
    """What a process does: it opens its engine, then does what it is sent until it is sent None.

    Args:
        talk: to the process that began this one.
        setup: of all workers.
        core: the one processor that it may use; None: all.
    """
    _serve(talk, setup, core)
    # A library that was told to end while it opened has threads which the interpreter's end would not survive.
    ending.leave(0)


def _serve(talk: Connection, setup: Setup[Any, Any], core: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    logs.show()
    threading.Thread(target=_outlive, name="echo-rt parent", daemon=True).start()
    if core is not None:
        os.sched_setaffinity(0, {core})  # before there are threads, which inherit it
    told_s = 0.0

    def tell(number: int, done: int, expected: int | None) -> None:
        nonlocal told_s
        if talk.poll():  # while it is at work nothing else comes
            raise _Stopped
        if (now_s := time.monotonic()) - told_s > TELL_S or done == expected:
            told_s = now_s
            talk.send(Frames(done, expected))

    with suppress(_Stopped, EOFError, ConnectionError):
        try:
            engine = setup.opening.open()
        except Exception as error:  # noqa: BLE001 - said by the process that waits for it
            talk.send(_refusal(error))
            return
        talk.send(READY)
        with engine:
            _hold_memory(setup.bounds.memory_bytes)
            while (job := talk.recv()) is not None:
                talk.send(_done(setup, job, engine, tell))


def _done(setup: Setup[Any, Any], job: Any, engine: Engine, tell: Tell) -> Any:
    """The outcome of a job, whatever it raises."""
    _hold_time(setup.bounds.seconds)
    try:
        return setup.work(job, engine, tell)
    except Exception as error:  # noqa: BLE001 - one recording must not end the others
        if short_of_memory(error):
            return Died(setup.bounds.too_large(job.recording), kind="too much memory")
        return Refused.by(error) if isinstance(error, EchoRtError) else Refused.by_defect(job.recording, error)
    finally:
        _hold_time(None)


def _refusal(error: Exception) -> Refused:
    """Why there is no engine."""
    if isinstance(error, EchoRtError):
        return Refused.by(error)
    from echo_rt.doctor.machine import missing_library

    if isinstance(error, ImportError) and (advice := missing_library(error)) is not None:
        return Refused(advice)
    return Refused.by_defect("the engine", error)


def _outlive() -> None:
    """In a thread: end the process some time after the one that began it, also where a job hangs."""
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        time.sleep(END_S)
        os._exit(1)


def _hold_time(seconds: float | None) -> None:
    """Have the system end the process in the middle of a job, also where nobody is left who watches it."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0.0 if seconds is None else seconds + LATE_S)


def _hold_memory(size: int | None) -> None:
    """Have the system refuse what is beyond a job's memory: it can be taken faster than anybody looks.

    Counted from what the open engine has asked for, so that it never refuses what the bound allows. Where the machine
    as a whole is short of memory, the system ends this process before others.
    """
    if size is None or sys.platform != "linux":
        return
    import resource

    with suppress(OSError, ValueError, StopIteration):
        with open("/proc/self/status") as status:
            here = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
        resource.setrlimit(resource.RLIMIT_DATA, (here + size, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
