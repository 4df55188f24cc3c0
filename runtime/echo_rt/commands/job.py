"""One recording of `echo-rt file`: what is asked of it, and how it comes to its result."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Union

from echo_rt.errors import EchoRtError
from echo_rt.refused import Refused

if TYPE_CHECKING:
    from typing_extensions import Self

    from echo_rt.engine import Engine
    from echo_rt.measures import Body
    from echo_rt.result import RecordingResult


@dataclass(frozen=True)
class Options:
    """What `process` is asked for each recording, by its own names."""

    out: Path | None = None
    a2c: str | None = None
    ef_method: str = "disks"
    fps: float | None = None
    overlay: bool = True
    roi: str = "auto"
    keep_screen: bool = False
    read_screen: bool = True
    body: Body | None = None
    reports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opening:
    """How an engine is opened, as `open_engine` takes it."""

    model: str | None = None
    device: str = "auto"
    threads: int = 0

    def settled(self) -> Opening:
        """The same, with what ``auto`` takes here: processes that open it each with its own number of threads have the
        same engine, and so the same results. EchoRtError says why there is none."""
        from echo_rt.engine import DEVICES, measured
        from echo_rt.model import model_path

        if self.device != "auto" or self.threads or not (found := measured(self.model)) or found[0].ms is None:
            return self
        best = found[0]
        path = model_path(self.model, (best.precision, *DEVICES[best.device].precisions))
        return Opening(str(path), best.device, best.threads)

    def open(self) -> Engine:
        """The engine, in a process of which it is the work. EchoRtError says why there is none."""
        import cv2

        from echo_rt.engine import open_engine

        # Decoder, network and outputs have threads already. OpenCV's would wait for each other at every picture.
        cv2.setNumThreads(1)
        return open_engine(self.model, self.device, self.threads)


class Job(NamedTuple):
    """A recording, its number among all, and the folder of its results in `Options.out`."""

    number: int
    recording: str
    folder: str


Outcome = Union["RecordingResult", Refused]

Tell = Callable[[int, int, int | None], None]
"""Told the number of a job after every frame, how many frames are done, and how many are expected."""


def nobody(number: int, done: int, expected: int | None) -> None:
    """The `Tell` of whoever shows no progress."""


class Runner(Protocol):
    """Comes from jobs to their outcomes. It is a context manager: leaving it ends what is under way."""

    def submit(self, job: Job) -> None:
        """Take a job, also while outcomes come."""

    def outcomes(self, tell: Tell) -> Iterator[tuple[Job, Outcome]]:
        """Those of all jobs that were submitted, as they come."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Here:
    """A `Runner` in this process, for one recording: what ends the process costs all others."""

    def __init__(self, opening: Opening, options: Options) -> None:
        self._opening, self._options = opening, options
        self._waiting: deque[Job] = deque()
        self._opened = ExitStack()

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def outcomes(self, tell: Tell) -> Iterator[tuple[Job, Outcome]]:
        with self._opening.open() as engine:
            while self._waiting:
                job = self._waiting.popleft()
                yield job, follow(job, engine, self._options, tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def follow(job: Job, engine: Engine, options: Options, tell: Tell) -> Outcome:
    """A recording's result, or why there is none."""
    from echo_rt.pipeline import process

    asked = {field.name: getattr(options, field.name) for field in fields(options)}
    try:
        return process(
            job.recording,
            engine,
            name=job.folder,
            progress=lambda done, expected: tell(job.number, done, expected),
            **asked,
        )
    except EchoRtError as error:
        return Refused.by(error)
    except Exception as error:  # noqa: BLE001 - one recording must not end the others
        return Refused.by_defect(job.recording, error)


@dataclass(frozen=True)
class Follow:
    """What a worker of `echo-rt file` and `echo-rt node` does with a job: `follow` with the options of all."""

    options: Options

    def __call__(self, job: Job, engine: Engine, tell: Tell) -> Outcome:
        return follow(job, engine, self.options, tell)


def usable_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(device: str) -> int:
    """How many recordings side by side help.

    One keeps more than one core busy: network and measuring the first, decoder and outputs another. So two thirds of
    the cores are enough; more only take memory. A GPU has one at a time: more were not measured.
    """
    from echo_rt.engine import choose

    on_processor = (choose()[0] if device == "auto" else device) in ("cpu", "openvino")
    return max(1, -(-2 * usable_cores() // 3)) if on_processor else 1
