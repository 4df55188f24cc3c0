"""One case at a time, under limits of time and memory: read, refused in one line, or a defect."""

from __future__ import annotations

import importlib
import pkgutil
import random
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol, cast
from unicodedata import category

import av

from echo_rt.errors import EchoRtError

SECONDS, MEGABYTES = 20.0, 1500.0
"""Of CPU, on all threads, and of memory beyond what was there: more is a defect."""

MESSAGE_CHARACTERS = 2000
"""A refusal that is longer quotes too much of a file."""

CLEAN, REFUSED, DEFECT = "clean", "refused", "defect"


@dataclass(frozen=True)
class Case:
    """Something to be opened.

    Attributes:
        name: what was done to it, such as "width=[1]".
        seed: that it was made of; None for one of the corpus.
        path: the file or folder.
    """

    name: str
    seed: int | None
    path: Path


class Outcome(NamedTuple):
    """What came of a case: `CLEAN`, `REFUSED` or `DEFECT`, and the message or the end of the traceback."""

    kind: str
    said: str
    seconds: float
    megabytes: float


class Mutator(Protocol):
    """What a module ``mutate_*.py`` has. It keeps no state from one case to the next."""

    SEEDS: int
    """How many seeds, from 0 on, `make test` tries."""

    def make(self, seed: int, folder: Path) -> Case:
        """A case in an empty folder: the same for the same seed."""

    def corpus(self, folder: Path) -> Iterator[Case]:
        """What once failed, or would be worst: each made when it is asked for."""

    def run(self, case: Case) -> object:
        """Open it and use it as a user would."""


class TooMuchTimeError(BaseException):
    """No `Exception`: a handler for anything must not take it for a fault of the file."""


def mutators() -> dict[str, Mutator]:
    """Every mutator by its name: "models" of mutate_models.py."""
    folder = str(Path(__file__).parent)
    found = sorted(module.name for module in pkgutil.iter_modules([folder]) if module.name.startswith("mutate_"))
    return {
        name.removeprefix("mutate_"): cast(Mutator, importlib.import_module(f"robustness.{name}")) for name in found
    }


def chance(mutator: str, seed: int) -> random.Random:
    """The choices of one case, the same on every machine."""
    return random.Random(f"{mutator} {seed}")


def run_case(function: Callable[[], object], seconds: float = SECONDS, megabytes: float = MEGABYTES) -> Outcome:
    """Call the function in this process, and say what came of it.

    A defect is any exception but those of `EchoRtError`, a refusal that is not one printable line, too much time and
    too much memory. What C code does not let go of, and a signal, are seen by `fuzz` alone.
    """
    begun_s, before = time.process_time(), _memory_mb("VmRSS")
    _forget_peak()
    kind, said = CLEAN, ""
    try:
        with warnings.catch_warnings(), _limits(seconds, megabytes):
            warnings.simplefilter("ignore")  # those are no errors to a user
            function()
    except EchoRtError as error:
        kind, said = _refusal(error)
    except TooMuchTimeError:
        kind, said = DEFECT, f"more than {seconds:g} s of CPU: {_end_of_traceback()}"
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - SystemExit is a defect, too
        kind, said = DEFECT, _end_of_traceback()
    taken_s, taken_mb = time.process_time() - begun_s, max(0.0, _memory_mb("VmHWM") - before)
    if kind != DEFECT and taken_mb > megabytes:
        kind, said = DEFECT, f"{taken_mb:.0f} MB: {said}"
    return Outcome(kind, said, taken_s, taken_mb)


def _refusal(error: EchoRtError) -> tuple[str, str]:
    said: str = str(error)
    if not said or any(category(sign)[0] == "C" or category(sign) in ("Zl", "Zp") for sign in said):
        return DEFECT, f"a refusal that is not one printable line: {said!r}"
    if len(said) > MESSAGE_CHARACTERS:
        return DEFECT, f"a refusal of {len(said)} characters: {said[:200]!r}"
    cause: BaseException | None = error
    while cause is not None:
        # FFmpeg says MemoryError of a number that is too large, too.
        if isinstance(cause, MemoryError) and not isinstance(cause, av.FFmpegError):
            return DEFECT, f"memory ran out before it was refused: {said}"
        cause = cause.__cause__ or cause.__context__
    return REFUSED, said


def _end_of_traceback() -> str:
    return " | ".join(line.strip() for line in traceback.format_exc().splitlines()[-4:])


@contextmanager
def _limits(seconds: float, megabytes: float) -> Iterator[None]:
    """Raise TooMuchTimeError after that much CPU, and MemoryError at far more memory, so that the machine stays up."""

    def too_long(number: int, frame: FrameType | None) -> None:
        raise TooMuchTimeError

    before = signal.signal(signal.SIGPROF, too_long)
    data = resource.getrlimit(resource.RLIMIT_DATA)
    most = round((_memory_mb("VmData") + 3 * megabytes) * 2**20)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    resource.setrlimit(resource.RLIMIT_DATA, (most if data[1] < 0 else min(most, data[1]), data[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_DATA, data)


def _memory_mb(name: str) -> float:
    """A line of /proc/self/status, such as VmRSS; 0 where the system has none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    found: Any = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), 0)
    return int(found) / 1024


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak is that of the process so far, and only more than it is seen
