"""Which engine, precision and number of threads is the fastest on this machine, measured once and kept.

Only what runs on the processor is compared: a GPU is always taken first. Where nothing can be measured or kept, the
order of `echo_rt.engine.DEVICES` holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.engine.host import default_threads
from echo_rt.errors import EchoRtError
from echo_rt.model import PRECISIONS, Precision, check_graph, model_path, read_spec
from echo_rt.model.user_cache import cache_folder, written

if TYPE_CHECKING:
    from echo_rt.engine import Device, Engine

SWITCH = "ECHO_RT_MEASURE"
"""Environment variable; with 0 nothing is measured."""

ROUNDS, SECONDS, WARM_UP = 20, 0.5, 3
"""Frames of each candidate, how long all of them may take, and how many come before them."""

GAIN = 0.9
"""A candidate replaces the first one where it takes less than this share of its time: less is chance."""

STALE_S = 60.0
"""A measurement that was begun so long ago was cut off."""

LIBRARIES = ("echo-rt", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Candidate:
    """One way to run a model on the processor, and the milliseconds of a blank frame where it was measured."""

    device: str
    precision: Precision
    threads: int
    ms: float | None = None

    @property
    def text(self) -> str:
        """For people."""
        took = "" if self.ms is None else f", {self.ms:.2f} ms"
        return f"{self.device} {self.precision}, {self.threads} thread{'s' * (self.threads != 1)}{took}"


def switched_on() -> bool:
    """Whether anything may be measured, by the environment."""
    return os.environ.get(SWITCH, "") != "0"


def fastest(model: str | os.PathLike[str] | None, devices: Mapping[str, Device]) -> list[Candidate]:
    """All candidates of a model, the one to be taken first; measured now where no earlier measurement is kept.

    Args:
        model: as `echo_rt.engine.open_engine` takes it.
        devices: those on the processor that can be used, the one to be preferred first.

    Returns:
        Candidates without a time where nothing was or could be measured; then they are in the order of `devices`.
    """
    files = candidates(model, devices)
    if len(files) < 2 or not switched_on():
        return list(files)
    with suppress(EchoRtError, OSError):  # nowhere to keep it: measuring at each start would cost more than it gains
        kept = cache_folder("fastest") / f"{_key(files)}.json"
        if (found := _read(kept, files)) is not None:
            return found
        with _alone(kept) as alone:
            if alone:
                found = ordered(measure(files, devices))
                os.replace(written(kept, json.dumps([asdict(one) for one in found], indent=1).encode()), kept)
                return found
    return list(files)


def candidates(model: str | os.PathLike[str] | None, devices: Mapping[str, Device]) -> dict[Candidate, Path]:
    """What may run a model, and its file: of each device every precision whose gate passed, with one thread up to
    `default_threads`."""
    files: dict[Candidate, Path] = {}
    counts = sorted({min(1 << power, default_threads()) for power in range(4)}, reverse=True)
    for name, device in devices.items():
        for precision in device.precisions:
            path = model_path(model, (precision, *device.precisions))
            check_graph(path)
            # A model named with its precision, or by its path, has one file; not every device asks for such a one.
            if (stored := read_spec(path).precision) in device.precisions:
                files.update({Candidate(name, stored, count): path for count in counts})
    return files


def ordered(measured: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, the one to be taken first: the first of them, or the fastest where that one is clearly faster."""
    timed = [one for one in measured if one.ms is not None]
    if not timed:
        return list(measured)
    best = min(timed, key=lambda one: one.ms or 0.0)
    first = timed[0]
    taken = best if (best.ms or 0.0) < GAIN * (first.ms or 0.0) else first
    return [taken, *(one for one in measured if one != taken)]


def measure(files: Mapping[Candidate, Path], devices: Mapping[str, Device]) -> list[Candidate]:
    """The candidates with their times, in turns, so that all see the same load. One that fails has none."""
    times: dict[Candidate, list[float]] = {one: [] for one in files}
    with ExitStack() as opened:
        engines: dict[Candidate, Engine] = {}
        for one, path in files.items():
            with suppress(EchoRtError):
                engine = opened.enter_context(devices[one.device].open(path, read_spec(path), one.threads))
                if (try_out := getattr(engine, "try_out", None)) is not None:
                    try_out()
                engines[one] = engine
            if not engines:  # the first one fails, or does not end: whoever opens it will say so
                return list(files)
        begin = time.perf_counter()
        for turn in range(WARM_UP + ROUNDS):
            if turn > 2 * WARM_UP and time.perf_counter() - begin > SECONDS:
                break
            for one, engine in list(engines.items()):
                try:
                    took = _frame_ms(engine)
                except EchoRtError:
                    times[one].clear()
                    del engines[one]
                    continue
                if turn >= WARM_UP:
                    times[one].append(took)
    # The best three: whatever else the machine does only adds to a time.
    best = {one: statistics.mean(sorted(taken)[:3]) for one, taken in times.items() if taken}
    return [Candidate(one.device, one.precision, one.threads, _rounded(best.get(one))) for one in files]


def _frame_ms(engine: Engine) -> float:
    blank = np.zeros(engine.spec.input.grid, np.uint8)
    start = time.perf_counter()
    engine.segment(blank)
    return 1e3 * (time.perf_counter() - start)


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


def _key(files: Mapping[Candidate, Path]) -> str:
    """Of the files, the processor and the libraries: another of them asks for another measurement."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in dict.fromkeys(files.values())]
    named = [one.text for one in files]
    return hashlib.sha256(json.dumps([digests, named, _processor(), _versions()]).encode()).hexdigest()[:16]


def _processor() -> str:
    with suppress(OSError):
        info = Path("/proc/cpuinfo").read_text(errors="replace")
        lines = re.findall(r"^(?:model name|CPU part|flags|Features)\s*:.*$", info, re.MULTILINE)
        return "\n".join(dict.fromkeys(lines))
    return f"{platform.machine()} {platform.processor()}"


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = dict.fromkeys(LIBRARIES)
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _read(kept: Path, files: Mapping[Candidate, Path]) -> list[Candidate] | None:
    """A measurement that was kept; None where there is none, or it is damaged or of other candidates."""
    try:
        found = [_candidate(one) for one in json.loads(kept.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    known = {(one.device, one.precision, one.threads) for one in files}
    same = {(one.device, one.precision, one.threads) for one in found} == known
    return found if same and len(found) == len(known) else None


def _candidate(stored: dict[str, Any]) -> Candidate:
    ms, precision = stored["ms"], PRECISIONS[PRECISIONS.index(stored["precision"])]
    return Candidate(str(stored["device"]), precision, int(stored["threads"]), ms and float(ms))


@contextmanager
def _alone(kept: Path) -> Iterator[bool]:
    """Whether this process is the only one that measures now: of several, all would be slow, and one is enough."""
    lock = kept.with_suffix(".lock")
    with suppress(OSError):
        if time.time() - lock.stat().st_mtime > STALE_S:
            lock.unlink()
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        lock.unlink(missing_ok=True)
