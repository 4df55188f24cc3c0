"""Processes that do jobs side by side.

Each has an engine of its own. They share no lock of the interpreter, and one that dies of a damaged file takes no other
recording along.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from echo_rt.archive.pools import OutcomeT, TaskT
from echo_rt.commands import processes
from echo_rt.commands.job import Opening, Tell, nobody
from echo_rt.commands.worker import END_S, READY, Bounds, Frames, Setup, serve
from echo_rt.errors import DeviceError, NoDeviceError
from echo_rt.refused import Death, Died, Refused
from echo_rt.sources.limits import limits

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from typing_extensions import Self

    from echo_rt.engine import Engine

LOOK_S = 0.5
"""How long the processes are waited for at a time: some systems let nobody interrupt that. Memory is looked at as
often."""

OPEN_S = 1800.0
"""An engine that is not open by then will never be: TensorRT builds one in minutes."""

RESTARTS = 5
"""Of processes in a row that end without a job, once one had its engine open. Each outcome begins a new row."""

NO_BOUNDS = Bounds()


@dataclass
class _Worker(Generic[TaskT]):
    """A process, and what is known of it.

    Attributes:
        slot: the lowest number that no other process has.
        heard_s: when it last gave a sign of life.
        began_s: when it was given its job.
        ending: why it was ended from here.
        family: itself and what it began, as last seen.
    """

    process: BaseProcess
    talk: Connection
    slot: int
    heard_s: float = field(default_factory=time.monotonic)
    began_s: float = 0.0
    ready: bool = False
    job: TaskT | None = None
    ending: Death | None = None
    family: list[processes.Process] = field(default_factory=list)


class Workers(Generic[TaskT, OutcomeT]):
    """A `Runner` and a `Pool` in several processes. Leaving it ends them, and removes what they have half written.

    Args:
        count: of processes, at most.
        opening: of the engine of each.
        work: what is done with each job; it is pickled. See `Setup`.
        bounds: of each job. A process that is over them is ended, with all that it began, and another one begins.
        pin: give each process one processor of its own, on Linux.
    """

    def __init__(
        self,
        count: int,
        opening: Opening,
        work: Callable[[TaskT, Engine, Tell], OutcomeT],
        bounds: Bounds = NO_BOUNDS,
        pin: bool = False,
    ) -> None:
        self.workers = count
        self._setup = Setup(opening, work, bounds)
        self._cores = sorted(os.sched_getaffinity(0)) if pin and hasattr(os, "sched_getaffinity") else [None]
        self._running: list[_Worker[TaskT]] = []
        self._waiting: deque[TaskT] = deque()
        self._silence_s = limits().silence_s
        self._looked_s = 0.0
        self._restarts: int | None = None  # until a process has its engine open
        self._stopped = False

    def stop(self) -> None:
        """Let `outcomes` end soon, whatever is under way; a signal handler may call it."""
        self._stopped = True

    def submit(self, job: TaskT, /) -> None:
        """Take a job, also while outcomes come."""
        self._waiting.append(job)

    def outcomes(self, tell: Tell = nobody) -> Iterator[tuple[TaskT, OutcomeT | Refused]]:
        """See `Runner` and `Pool`.

        Raises:
            DeviceError: the engine cannot be opened.
        """
        while not self._stopped and self._hand_out():
            self._end_overdue()
            for talk in wait([worker.talk for worker in self._running], LOOK_S):
                worker = next(worker for worker in self._running if worker.talk is talk)
                message = self._hear(worker)
                worker.heard_s = time.monotonic()
                if message is None or worker.job is None:
                    continue
                if isinstance(message, Frames):
                    tell(worker.job.number, *message)
                else:
                    job, worker.job = worker.job, None
                    self._restarts = self._restarts if isinstance(message, Died) else 0
                    self._hand_out()  # whoever takes the outcome may need some time
                    yield job, message

    def _hear(self, worker: _Worker[TaskT]) -> Any:
        """What a process says: `Frames`, or the outcome of its job; None where nothing is to be done."""
        try:
            message = worker.talk.recv()
        except (EOFError, OSError):
            return self._ended(worker)
        if message == READY:
            worker.ready, self._restarts = True, self._restarts or 0
            return None
        if worker.job is None:
            raise NoDeviceError(message.text) if message.no_device else DeviceError(message.text)
        return message

    def _hand_out(self) -> bool:
        """Give what waits to those that are free, of whom there are enough then; whether anybody is at work."""
        busy = sum(worker.job is not None or worker.ending is not None for worker in self._running)
        while len(self._running) < min(self.workers, busy + len(self._waiting)):
            self._running.append(self._start())
        for worker in self._running:
            if worker.ready and worker.job is None and worker.ending is None and self._waiting:
                try:
                    worker.talk.send(self._waiting[0])
                except OSError:  # it has ended, which shows where it is listened to
                    continue
                worker.job, worker.began_s = self._waiting.popleft(), time.monotonic()
                worker.heard_s = worker.began_s
        return bool(self._waiting) or any(worker.job is not None for worker in self._running)

    def _end_overdue(self) -> None:
        """End processes that hang or take too much, which shows where they are listened to."""
        now_s, bounds = time.monotonic(), self._setup.bounds
        if look := bounds != NO_BOUNDS and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
        for worker in self._running:
            if worker.process.pid is None or worker.ending is not None:
                continue
            if look:
                worker.family = processes.family(worker.process.pid)
            if worker.job is not None and now_s - worker.began_s > (bounds.seconds or float("inf")):
                worker.ending = "too long"
            elif look and processes.memory_bytes(worker.family) > (bounds.memory_bytes or float("inf")):
                worker.ending = "too much memory"
            elif now_s - worker.heard_s > (self._silence_s if worker.job is not None else OPEN_S) and not (
                worker.ready and worker.job is None
            ):
                worker.ending = "silent"
            if worker.ending is not None:
                began = processes.family(worker.process.pid)
                worker.process.kill()
                processes.end(began[1:])

    def _start(self) -> _Worker[TaskT]:
        slot = min(set(range(self.workers)) - {worker.slot for worker in self._running})
        context = get_context("spawn")  # a fork would inherit locks, and not the threads that let go of them
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve,
            args=(theirs, self._setup, self._cores[slot % len(self._cores)]),
            name="echo-rt job",
            daemon=True,
        )
        resource_tracker.ensure_running()  # it lets interrupts through again, so it must not begin in here
        with _interrupts_later(), _without_main():
            process.start()
        theirs.close()
        return _Worker(process, ours, slot)

    def _ended(self, worker: _Worker[TaskT]) -> Died | None:
        """What to say of a process that has ended: by itself, by a fault in a library, or from here."""
        self._running.remove(worker)
        worker.process.join(END_S)
        processes.end(worker.family[1:])
        worker.talk.close()
        code = worker.process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"status {code}"
        kind = worker.ending or ("too long" if how == "SIGALRM" else "killed")
        if worker.job is not None:
            return Died(self._words(worker.job.recording, kind, how), kind=kind)
        if worker.ending is None or not worker.ready:
            self._restarts = RESTARTS if self._restarts is None else self._restarts + 1
            if self._restarts >= RESTARTS:
                raise DeviceError(
                    "expected an engine in a process of its own, "
                    f"found that it ended ({worker.ending or how}); see `echo-rt doctor`"
                )
        return None

    def _words(self, recording: str, kind: Death, how: str) -> str:
        if kind == "too long":
            return self._setup.bounds.too_long(recording)
        if kind == "too much memory":
            return self._setup.bounds.too_large(recording)
        if kind == "silent":
            how = f"no sign of life for {self._silence_s:g} s"
        return (
            f"{recording}: expected a result, found that the process which followed it ended ({how}); "
            "the file is damaged, or memory was short"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._running:
            with suppress(OSError):
                worker.talk.send(None)
        until = time.monotonic() + END_S
        for worker in self._running:
            worker.process.join(max(0.0, until - time.monotonic()))
            for end in (worker.process.terminate, worker.process.kill):
                if worker.process.is_alive():
                    end()
                    worker.process.join(1)
            processes.end(worker.family[1:])
            worker.talk.close()
        self._running.clear()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """A process that begins meanwhile leaves Ctrl-C, which reaches it too, to the one that began it; that one hears of
    it afterwards."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """A process that begins meanwhile does not run the program again that began it, which it needs nothing of."""
    main = sys.modules["__main__"]
    hidden = {name: vars(main).pop(name, None) for name in ("__file__", "__spec__")}
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update({name: value for name, value in hidden.items() if value is not None})
