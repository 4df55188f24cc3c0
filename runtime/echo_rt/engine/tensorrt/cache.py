"""TensorRT engines on disk: built once for this machine, kept in the user's cache folder.

An engine is code: TensorRT runs what the file says, with the user's rights. So an engine is loaded only where this user
built it:
- its record, the JSON beside it, bears this user's seal (`echo_rt.engine.tensorrt.private_files`);
- its own SHA-256 is the one in the record. The bytes that were hashed are the bytes that are loaded.

That keeps out engines that were downloaded, copied from another machine or account, exchanged, cut short or damaged. It
does not keep out somebody with the rights of the user or of root. Nor does it judge the ONNX file.

An engine is built again where its model, GPU, driver, TensorRT or options differ.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice, find_device
from echo_rt.engine.tensorrt import build
from echo_rt.engine.tensorrt.private_files import cache_folder, read_sealed, user_key, write_pair, write_sealed
from echo_rt.engine.tensorrt.record import EngineRecord, Wanted, record_path, sha256
from echo_rt.errors import ModelError, output_errors
from echo_rt.logs import note, quiet
from echo_rt.model import read_spec


@dataclass(frozen=True)
class StoredEngine:
    """An engine that this user built, and whether just now; `data` are the bytes that were compared with the record."""

    path: Path
    data: bytes
    record: EngineRecord
    built: bool

    def deserialize(self, device: CudaDevice) -> Any:
        """TensorRT's ``ICudaEngine``; errors as `echo_rt.engine.tensorrt.build.deserialize`."""
        return build.deserialize(self.data, device, self.record.wanted.options.version_compatible)


def cached_engine(
    model: str | os.PathLike[str],
    options: build.BuildOptions | None = None,
    *,
    device: CudaDevice | None = None,
    say: build.Say | None = None,
    progress: build.Progress | None = None,
) -> StoredEngine:
    """The engine of a model for this machine: from the cache, or built now and kept there.

    Args:
        device: None is the first one.
        say: given one line before a build, with its reason; None prints it on standard error.

    Raises:
        NoDeviceError: there is no CUDA device; TensorRT was not imported.
        ModelError: the file is not an echo-rt model, or TensorRT cannot make an engine of it.
        OutputError: the cache folder cannot be used.
        ParameterError, MissingExtraError, DeviceError: as `echo_rt.engine.tensorrt.build.build`.
    """
    model, options, say = Path(model), options or build.BuildOptions(), say or note
    spec, onnx = read_spec(model), model.read_bytes()
    gpu = device or find_device()
    machine = build.tensorrt_version(gpu), gpu.cuda_driver, gpu.name, gpu.compute_capability
    wanted = Wanted(sha256(onnx), spec.precision, options, *machine)
    folder = cache_folder()
    key = user_key(folder)
    path = folder / f"{model.stem}-{wanted.digest()}.engine"
    if isinstance(stored := _read(path, key, wanted), StoredEngine):
        return stored
    # One process builds, the others wait for it and take what it made.
    with _only_one(path, say):
        if isinstance(stored := _read(path, key, wanted), StoredEngine):
            return stored
        reason = stored if path.exists() else "no engine for this machine yet"
        doing = f"building one with TensorRT {wanted.tensorrt} for {gpu.name}, which can take minutes"
        say(f"{model.name}: {reason}: {doing}")
        # The times depend on the GPU and the release, not on the model: all models share them.
        timings = folder / f"timing-{sha256(f'{wanted.gpu} {wanted.tensorrt}'.encode())[:16]}.cache"
        start = time.monotonic()
        built = build.build(onnx, str(model), spec, gpu, options, read_sealed(timings, key), progress)
        took_s, now = round(time.monotonic() - start, 1), datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = EngineRecord(wanted, sha256(built.engine), built.inputs, built.outputs, now, took_s)
        write_pair(path, built.engine, record_path(path), record.to_json(key).encode())
        write_sealed(timings, built.timing_cache, key)
        return StoredEngine(path, built.engine, record, built=True)


@contextmanager
def _only_one(path: Path, say: build.Say) -> Iterator[None]:
    """Hold the engine's lock, which the system opens where its holder dies; its empty file stays."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(path.name + ".lock"), mode=0o600)
    with output_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"{path.name}: another process is building this engine: waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_engine(path: str | os.PathLike[str], wanted: Wanted | None = None) -> StoredEngine:
    """An engine file that lies anywhere, its record beside it; `wanted` is None where it runs on another machine.

    Raises:
        ModelError: there is none, this user did not build it, it is not whole, or it differs from what is wanted.
        OutputError: the cache folder, where the user's key is, cannot be used.
    """
    stored = _read(Path(path), user_key(cache_folder()), wanted)
    if isinstance(stored, str):
        raise ModelError(f"{path}: {stored}; build it again with `echo-rt export tensorrt`")
    return stored


def write_engine(engine: StoredEngine, target: str | os.PathLike[str]) -> StoredEngine:
    """Put a copy of an engine and its record elsewhere: both or, with an OutputError, neither."""
    target = Path(target)
    write_pair(target, engine.data, record_path(target), engine.record.to_json(user_key(cache_folder())).encode())
    return StoredEngine(target, engine.data, engine.record, engine.built)


def _read(path: Path, key: bytes, wanted: Wanted | None) -> StoredEngine | str:
    """The engine, or what was expected and found where it may not be loaded."""
    try:
        text, data = record_path(path).read_text(encoding="utf-8"), path.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        return f"expected an engine and its record, found {getattr(error, 'strerror', None) or type(error).__name__}"
    try:
        record = EngineRecord.from_json(text, key)
    except ValueError as error:
        return f"expected an engine that you built here, found that {error}"
    if sha256(data) != record.engine_sha256:
        return "expected the engine of its record, found one that was changed or cut short"
    if wanted is not None and (differences := record.wanted.differences(wanted)):
        return f"expected an engine for this machine and model, found that {', '.join(differences)}"
    return StoredEngine(path, data, record, built=False)


@contextmanager
def build_progress() -> Iterator[build.Progress | None]:
    """A bar for each phase of a build on standard error; None without a terminal, or with --quiet."""
    if quiet() or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        running: dict[str, TaskID] = {}

        def show(phase: str, done: int, steps: int) -> None:
            # Phases overlap, and some end before their last step: each has its own bar, gone when it ends.
            if done < steps:
                if phase not in running:
                    running[phase] = bars.add_task(phase, total=steps)
                bars.update(running[phase], completed=done)
            elif phase in running:
                bars.remove_task(running.pop(phase))

        yield show
