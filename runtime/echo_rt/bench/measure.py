"""What a frame costs, stage by stage, on the devices of this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.ahead import read_ahead
from echo_rt.bench.energy import during
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.sources import open_source

if TYPE_CHECKING:
    from echo_rt.engine import Engine

STAGES = ("preprocess", "network", "postprocess", "monitor", "total", "mask")
"""In the order of a frame. ``total`` is from the frame to the reading; ``mask`` makes the labels at image size."""

WARM_UP = 20
"""Frames that are not counted, while buffers, caches and the processor's clock settle."""

COLD = """
import sys, time
start = time.perf_counter()
import numpy as np
from echo_rt.bench.measure import peak_memory_mb
from echo_rt.engine import open_engine
with open_engine(sys.argv[1], sys.argv[2]) as engine:
    engine.segment(np.zeros((480, 640), np.uint8))
    first = time.perf_counter() - start
    for _ in range(100):
        engine.segment(np.zeros((480, 640), np.uint8))
print(first, peak_memory_mb())
"""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        frames: of each run.
        height, width: of a frame in pixels.
        streams: how many run at once, in turn.
        pace_hz: frames a second when paced, as live sees them.
    """

    frames: int = 600
    height: int = 600
    width: int = 800
    streams: tuple[int, ...] = (1, 2, 4)
    pace_hz: float = 60.0

    @classmethod
    def quick(cls) -> Plan:
        """All of it, in less than a minute."""
        return cls(frames=120, streams=(1, 2))


def summary(times_ms: NDArray[np.float64]) -> dict[str, float]:
    """Percentiles and the like in milliseconds.

    ``jitter`` is the mean change from one frame to the next, ``iqr`` the width of the middle half.
    """
    p25, p50, p75, p95, p99 = np.percentile(times_ms, (25, 50, 75, 95, 99))
    jitter = float(np.abs(np.diff(times_ms)).mean()) if len(times_ms) > 1 else 0.0
    found = {"p50": p50, "p95": p95, "p99": p99, "max": times_ms.max(), "mean": times_ms.mean(), "iqr": p75 - p25}
    found["jitter"] = jitter
    return {**{name: round(float(ms), 4) for name, ms in found.items()}, "frames": len(times_ms)}


def heart_frames(plan: Plan, fps: float) -> list[Frame]:
    """Two seconds of a simulated heart, drawn beforehand and repeated while the time goes on."""
    options = PhantomOptions.of(ef=55, hr=75, fps=fps, seconds=2, seed=7, height=plan.height, width=plan.width)
    with Phantom(options) as phantom:
        drawn = [frame.image for frame in phantom]
    total = plan.frames + WARM_UP
    return [Frame(drawn[k % len(drawn)], k / fps, k, phantom.spacing_mm) for k in range(total)]


def measure(model: str, device: str, plan: Plan) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """All that `echo-rt bench` says of one engine, and the milliseconds of every whole frame without a pace.

    Args:
        model: as `open_engine` takes it.
        device: one of its devices.
        plan: how much.

    Raises:
        EchoRtError: the engine cannot be opened.
    """
    cold_s, memory_mb = cold_start(model, device)
    start = time.perf_counter()
    with open_engine(model, device) as engine:
        engine.segment(np.zeros((plan.height, plan.width), np.uint8))
        warm_s = time.perf_counter() - start
        frames = heart_frames(plan, 50.0)
        flat, energy = during(lambda: run(engine, frames), len(frames))
        paced = run(engine, heart_frames(plan, plan.pace_hz), plan.pace_hz)
        found: dict[str, Any] = {
            "device": device,
            "model": engine.spec.name,
            "precision": engine.spec.precision,
            "description": engine.description,
            "cold_start_s": round(cold_s, 3),
            "open_again_s": round(warm_s, 3),
            "memory_mb": memory_mb,
            "stages": {stage: summary(flat[stage]) for stage in STAGES},
            "frames_a_second": round(1e3 / float(flat["total"].mean()), 1),
            "paced": {"hz": plan.pace_hz, "age_ms": summary(paced["age"]), "total": summary(paced["total"])},
            "end_to_end": end_to_end(engine, plan),
            "energy": energy,
        }
    found["streams"] = {str(count): streams(model, device, plan, count) for count in plan.streams}
    return found, flat["total"]


def run(engine: Engine, frames: list[Frame], pace_hz: float | None = None) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each stage for every frame after the first `WARM_UP`.

    ``age`` is from when a frame was due until its reading was out. Masks are made where there is no pace.
    """
    times: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "age")}
    due = _Due(frames, pace_hz)
    for frame, reading in follow(due, engine, Monitor(engine.spec)):
        done = time.perf_counter()
        if frame.index < WARM_UP:
            continue
        times["age"].append(1e3 * (done - due.at_s))
        for stage in STAGES[:-1]:
            times[stage].append(reading.time_ms[stage])
        if pace_hz is None:
            start = time.perf_counter()
            reading.segmentation.mask()
            times["mask"].append(1e3 * (time.perf_counter() - start))
    return {stage: np.array(of) for stage, of in times.items() if of}


class _Due:
    """Hands over each frame when it is due, without a pace at once; `at_s` is when the last one was due."""

    def __init__(self, frames: list[Frame], pace_hz: float | None) -> None:
        self._frames, self._pace_hz = frames, pace_hz
        self.at_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        start = time.perf_counter()
        for count, frame in enumerate(self._frames):
            self.at_s = time.perf_counter()
            if self._pace_hz is not None:
                due = start + count / self._pace_hz
                if (wait_s := due - self.at_s) > 0:
                    time.sleep(wait_s)
                # A frame that comes late, because the one before took too long, was due then all the same.
                self.at_s = due
            yield frame


def end_to_end(engine: Engine, plan: Plan) -> dict[str, Any]:
    """Figures of a recording on disk, from opening to the last reading: decoded ahead, nothing written.

    ``waited`` is how long the engine waited for a frame, ``decode_ms`` how long one takes to decode.
    """
    from echo_rt.phantom.write import write

    with TemporaryDirectory(prefix="echo-rt-bench-") as folder:
        path = Path(folder) / "clip.mp4"
        options = PhantomOptions.of(
            ef=55, hr=75, fps=50, seconds=max(1.0, plan.frames / 50), seed=7, height=plan.height, width=plan.width
        )
        with Phantom(options) as phantom:
            write(phantom, path, masks=False)
        start = time.perf_counter()
        with open_source(str(path)) as source, read_ahead(source) as frames:
            waited = [reading.time_ms["decode"] for _, reading in follow(frames, engine, Monitor(engine.spec))]
        took_s = time.perf_counter() - start
        with open_source(str(path)) as source:
            start = time.perf_counter()
            count = sum(1 for _ in source)
            decode_ms = 1e3 * (time.perf_counter() - start) / count
    return {
        "decode_ms": round(decode_ms, 3),
        "frames_a_second": round(len(waited) / took_s, 1),
        "waited": summary(np.array(waited[1:])),
    }


def streams(model: str, device: str, plan: Plan, count: int) -> dict[str, Any]:
    """Figures of `count` feeds at once without a pace, each with an engine and a thread of its own."""
    frames = heart_frames(plan, 50.0)
    found: list[NDArray[np.float64]] = []
    ready = threading.Barrier(count + 1)
    failed: list[BaseException] = []

    def follow_one() -> None:
        try:
            with open_engine(model, device) as engine:
                run(engine, frames[: WARM_UP + 2])
                ready.wait()
                found.append(run(engine, frames)["total"])
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            failed.append(error)
            ready.abort()

    threads = [threading.Thread(target=follow_one, name=f"stream {k}") for k in range(count)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):  # one of them failed
        ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    took_s = time.perf_counter() - start
    return {"frames_a_second": round(count * len(frames) / took_s, 1), "total": summary(np.concatenate(found))}


def cold_start(model: str, device: str) -> tuple[float, float | None]:
    """What a new process takes to its first segmentation, in seconds, and the most memory it held in a hundred more.

    Python's own start is not counted. The memory is in MB, None where the system does not say.

    Raises:
        DeviceError: the process failed; its last line says why.
    """
    from echo_rt.errors import DeviceError

    done = subprocess.run([sys.executable, "-c", COLD, model, device], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DeviceError(
            f"device {device}: expected a new process to open {model}, found: {last}; run  echo-rt doctor"
        )
    first_s, memory_mb = done.stdout.split()[-2:]
    return float(first_s), None if memory_mb == "None" else float(memory_mb)


def peak_memory_mb() -> float | None:
    """The most memory that this process has held so far; None where the system does not say."""
    # Linux's getrusage begins with what the parent held when the process was made, and so does not say it.
    with suppress(OSError), open("/proc/self/status") as status:
        return next(round(int(line.split()[1]) / 1024, 1) for line in status if line.startswith("VmHWM:"))
    try:
        import resource
    except ImportError:  # Windows
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3), 1)
