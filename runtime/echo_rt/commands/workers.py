"""Processes that follow recordings side by side.

Each has an engine of its own. They share no lock of the interpreter, and one that dies of a damaged file takes no other
recording along.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.commands.ending import ending
from echo_rt.commands.job import Job, Opening, Options, Outcome, Refused, Tell, follow
from echo_rt.errors import DeviceError, EchoRtError, NoDeviceError
from echo_rt.sources.limits import limits

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from typing_extensions import Self

TELL_S = 0.1
"""Between two messages on how far a recording is."""

LOOK_S = 0.5
"""How long the processes are waited for at a time: some systems let nobody interrupt that."""

END_S = 10.0
"""How long a process may take to remove what it has half written before it is ended."""

READY = "ready"


class Frames(NamedTuple):
    """How far a recording is."""

    done: int
    expected: int | None


@dataclass
class _Worker:
    process: BaseProcess
    talk: Connection
    ready: bool = False
    job: Job | None = None
    heard_s: float = 0.0


class Workers:
    """A `Runner` in several processes. Leaving it ends them, and removes what they have half written.

    Args:
        count: of processes, at most.
        opening: of the engine of each.
        options: for every recording.
    """

    def __init__(self, count: int, opening: Opening, options: Options) -> None:
        self._count, self._opening, self._options = count, opening, options
        self._context = get_context("spawn")  # a fork would inherit locks, and not the threads that let go of them
        self._workers: list[_Worker] = []
        self._waiting: deque[Job] = deque()
        self._silence_s = limits().silence_s
        self._stopped = False

    def stop(self) -> None:
        """Let `outcomes` end soon, whatever is under way; a signal handler may call it."""
        self._stopped = True

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def outcomes(self, tell: Tell) -> Iterator[tuple[Job, Outcome]]:
        """See `Runner`.

        Raises:
            DeviceError: the engine cannot be opened.
        """
        while not self._stopped and self._hand_out():
            self._end_silent()
            for talk in wait([worker.talk for worker in self._workers], LOOK_S):
                worker = next(worker for worker in self._workers if worker.talk is talk)
                try:
                    message = worker.talk.recv()
                except (EOFError, ConnectionError):
                    message = self._ended(worker)
                worker.heard_s = time.monotonic()
                if message == READY:
                    worker.ready = True
                elif worker.job is None:
                    raise NoDeviceError(message.text) if message.no_device else DeviceError(message.text)
                elif isinstance(message, Frames):
                    tell(worker.job.number, *message)
                else:
                    job, worker.job = worker.job, None
                    yield job, message

    def _hand_out(self) -> bool:
        """Give what waits to those that are free, of whom there are enough then; whether anybody is at work."""
        busy = sum(worker.job is not None for worker in self._workers)
        while len(self._workers) < min(self._count, busy + len(self._waiting)):
            self._workers.append(self._start())
        for worker in self._workers:
            if worker.ready and worker.job is None and self._waiting:
                worker.job, worker.heard_s = self._waiting.popleft(), time.monotonic()
                with suppress(OSError):  # it has ended, which shows where it is listened to
                    worker.talk.send(worker.job)
        return bool(self._waiting) or any(worker.job is not None for worker in self._workers)

    def _end_silent(self) -> None:
        """End processes that hang, which shows where they are listened to."""
        for worker in self._workers:
            if self._is_silent(worker):
                worker.process.kill()

    def _is_silent(self, worker: _Worker) -> bool:
        return worker.job is not None and time.monotonic() - worker.heard_s > self._silence_s

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve, args=(theirs, self._opening, self._options), name="echo-rt job", daemon=True
        )
        resource_tracker.ensure_running()  # it lets interrupts through again, so it must not begin in here
        with _interrupts_later(), _without_main():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _ended(self, worker: _Worker) -> Refused:
        """What to say of a process that has ended by itself: killed, or by a fault in a library."""
        self._workers.remove(worker)
        worker.process.join(END_S)
        code = worker.process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"status {code}"
        worker.talk.close()
        if self._is_silent(worker):
            how = f"no sign of life for {self._silence_s:g} s"
        if worker.job is None:
            return Refused(
                f"expected an engine in a process of its own, found that it ended ({how}); see `echo-rt doctor`"
            )
        return Refused(
            f"{worker.job.recording}: expected a result, found that the process which followed it ended ({how}); "
            "the file is damaged, or memory was short"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            with suppress(OSError):
                worker.talk.send(None)
        until = time.monotonic() + END_S
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            for end in (worker.process.terminate, worker.process.kill):
                if worker.process.is_alive():
                    end()
                    worker.process.join(1)
            worker.talk.close()
        self._workers.clear()


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


class _Stopped(BaseException):
    """Nobody waits for the result any more."""


def _stop(number: int, frame: FrameType | None) -> None:
    """Where the system ends all processes of a run, each removes what it has half written."""
    signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def serve(talk: Connection, opening: Opening, options: Options) -> None:
    """What a process does: it opens its engine, then follows what it is sent until it is sent None."""
    _serve(talk, opening, options)
    # A library that was told to end while it opened has threads which the interpreter's end would not survive.
    ending.leave(0)


def _serve(talk: Connection, opening: Opening, options: Options) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
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
            engine = opening.open()
        except Exception as error:  # noqa: BLE001 - said by the process that waits for it
            talk.send(_refusal(error))
            return
        talk.send(READY)
        with engine:
            while (job := talk.recv()) is not None:
                talk.send(follow(job, engine, options, tell))


def _refusal(error: Exception) -> Refused:
    """Why there is no engine."""
    if isinstance(error, EchoRtError):
        return Refused.by(error)
    from echo_rt.doctor.machine import missing_library

    if isinstance(error, ImportError) and (advice := missing_library(error)) is not None:
        return Refused(advice)
    return Refused.by_defect("the engine", error)
