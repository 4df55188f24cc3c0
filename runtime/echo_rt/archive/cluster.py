"""The way to a Ray cluster, and how its GPUs are shared."""

from __future__ import annotations

import logging
import math
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from echo_rt.errors import DeviceError, MissingExtraError

LOCAL = "local"

STORE_BYTES = 100_000_000
"""Of Ray's object store on this machine: outcomes are small and go without it. Ray takes 75 MB at least."""

WORKER_GPU_BYTES = 2 * 2**30
"""Of a GPU's memory for each worker: CUDA takes about half a gigabyte, TensorRT or ONNX Runtime the rest."""

MOST_SHARES = 8
"""Workers on one GPU, at most: they take turns on it."""


def connect(address: str, cores: int | None) -> Callable[[], None]:
    """Connect this process to a cluster, or start Ray on this machine. Returns what ends that again.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: there is no such cluster.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingExtraError("--ray", "ray") from None
    if ray.is_initialized():
        return lambda: None  # the program that uses this has connected, and goes on after it
    asked: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address == LOCAL:
        asked.update(num_cpus=cores, include_dashboard=False, object_store_memory=STORE_BYTES)
    with _signals_kept():
        try:
            ray.init(address, **asked)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            found = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DeviceError(
                f"--ray {address}: expected a Ray cluster, found: {found}; see `ray status`, or use --ray local"
            ) from None
    _keep_off_standard_output()

    def leave() -> None:
        with _signals_kept():
            ray.shutdown()

    return leave


def _keep_off_standard_output() -> None:
    """Ray prints there what a lost machine last logged, whatever it is told of logs; results go there alone."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, ignore_prefix=False: logging.getLogger("ray").debug("%s", data)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; the command line keeps its own way to end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def gpu_share() -> float:
    """How much of a GPU each worker takes: enough workers to use all processors, as far as the memory goes.

    With `C` processors and `G` GPUs in the cluster, `k` workers share a GPU. `k` is the smallest of `C / G`, rounded
    up; the memory of the smallest GPU over `WORKER_GPU_BYTES`; and `MOST_SHARES`. A worker takes ``1/k`` of a GPU. A
    cluster without GPUs has a share of 0. A GPU of unknown memory is taken for one of 8 GiB.
    """
    import ray

    has = ray.cluster_resources()
    gpus = has.get("GPU", 0.0)
    return 1 / shares(has.get("CPU", 1.0), gpus, _least_memory()) if gpus >= 1 else 0.0


def room(gpus: float) -> int:
    """Workers that the cluster has room for at present, each with a processor and a share of a GPU; one at least."""
    import ray

    has = ray.cluster_resources()
    processors, shared = has.get("CPU", 1.0), has.get("GPU", 0.0) / gpus if gpus else math.inf
    return max(1, int(min(processors, shared) + 1e-6))


def shares(cpus: float, gpus: float, memory_bytes: int | None) -> int:
    """Workers on one GPU, see `gpu_share`."""
    most = 4 if memory_bytes is None else memory_bytes // WORKER_GPU_BYTES
    return int(max(1, min(math.ceil(cpus / gpus), most, MOST_SHARES)))


def _least_memory() -> int | None:
    """Bytes of the smallest GPU's memory, by what the driver of each machine says; None where one says nothing."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # A trace of a GPU: Ray shows a task without any no GPU at all.
    look = ray.remote(num_cpus=0, num_gpus=0.001, max_retries=0)(gpu_memory_bytes)
    asked = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote()
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("GPU")
    ]
    answered, _ = ray.wait(asked, num_returns=len(asked), timeout=60)
    try:
        found = [ray.get(answer) for answer in answered]
    except ray.exceptions.RayError:
        return None
    return min(found) if found and None not in found else None


def gpu_memory_bytes() -> int | None:
    """Memory of this machine's smallest GPU; None where `nvidia-smi` does not say it."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        return min(int(line) for line in said.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
