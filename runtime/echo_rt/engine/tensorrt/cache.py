"""TensorRT engines on disk: built once for this machine, kept in the user's cache folder, and loaded only where this
user built them.

An engine is code: TensorRT runs what the file says, with the user's rights. So an engine is taken only with its record
(the JSON beside it), only where the record bears this user's seal (an HMAC-SHA256 under a random key of the cache
folder that its owner alone may read), and only where the engine's own SHA-256 is the one in the record. The bytes that
were hashed are the bytes that are loaded. That keeps out engines that were downloaded, copied from another machine or
account, exchanged, cut short or damaged, wherever they lie. It does not keep out somebody who already has the user's
rights or root's: they could read the key, and would not need it. Nor does it judge the ONNX file: whoever may replace
that decides what is built of it.

An engine also belongs to one model, GPU, driver, TensorRT and set of options; where any of these differs it is built
again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice, find_device
from echo_rt.engine.tensorrt import build as tensorrt_build
from echo_rt.engine.tensorrt.build import BuildOptions, Progress, TensorInfo
from echo_rt.engine.tensorrt.private_files import cache_folder, read_sealed, tag, user_key, write_pair, write_sealed
from echo_rt.errors import ModelError, output_errors
from echo_rt.model import ModelSpec, read_spec

FORMAT = 1
"""Version of the record's layout, and of the way engines are built: a higher one makes every engine anew."""


@dataclass(frozen=True)
class Wanted:
    """All that an engine depends on.

    Attributes:
        onnx_sha256: of the model file, hexadecimal.
        precision: of the model file.
        options: of the build.
        tensorrt: its release.
        cuda_driver: the CUDA release that the driver serves.
        gpu, compute_capability: of the device.
        format: see `FORMAT`.
    """

    onnx_sha256: str
    precision: str
    options: BuildOptions
    tensorrt: str
    cuda_driver: str
    gpu: str
    compute_capability: str
    format: int = FORMAT

    @classmethod
    def here(cls, onnx: bytes, spec: ModelSpec, device: CudaDevice, options: BuildOptions, tensorrt: str) -> Wanted:
        """What an engine of that model on that device would depend on."""
        return cls(
            sha256(onnx), spec.precision, options, tensorrt, device.cuda_driver, device.name, device.compute_capability
        )

    def differences(self, other: Wanted) -> list[str]:
        """In what an engine that is there differs from `other`, which is wanted, in words."""
        if self.onnx_sha256 != other.onnx_sha256:
            return [f"it is of another model (SHA-256 {self.onnx_sha256[:12]}, not {other.onnx_sha256[:12]})"]
        mine, theirs = self._settings(), other._settings()
        return [
            f"{name.replace('_', ' ')} was {mine[name]} and is {theirs[name]}"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def slot(self) -> str:
        """What engines that may exist side by side differ in, as 16 hexadecimal digits. A new TensorRT or driver is not
        part of it, so that its engine replaces the old one."""
        kept = [self.onnx_sha256, self.gpu, asdict(self.options)]
        return sha256(json.dumps(kept, sort_keys=True).encode())[:16]

    def _settings(self) -> dict[str, Any]:
        settings = asdict(self)
        return {**settings.pop("options"), **settings}


@dataclass(frozen=True)
class EngineRecord:
    """What stands in the JSON beside an engine.

    Attributes:
        wanted: what the engine was built from and for.
        engine_sha256: of the engine file, hexadecimal.
        inputs, outputs: in the engine's order.
        built_at: UTC, ISO 8601.
        build_s: how long the build took, in seconds.
    """

    wanted: Wanted
    engine_sha256: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    built_at: str
    build_s: float

    def to_json(self, key: bytes) -> str:
        """The record with its seal."""
        record = asdict(self)
        return json.dumps({**record, "seal": _seal(record, key)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, key: bytes) -> EngineRecord:
        """Read `to_json`.

        Raises:
            ValueError: it is not such a record, or not sealed with this key.
        """
        raw = json.loads(text)
        if not isinstance(raw, dict) or not hmac.compare_digest(
            str(raw.pop("seal", "")).encode(), _seal(raw, key).encode()
        ):
            raise ValueError("its record does not bear the seal of this user on this machine")
        try:
            raw["wanted"] = Wanted(**{**raw["wanted"], "options": BuildOptions(**raw["wanted"]["options"])})
            for side in ("inputs", "outputs"):
                raw[side] = tuple(TensorInfo(t["name"], tuple(t["shape"]), t["dtype"]) for t in raw[side])
            return cls(**raw)
        except (KeyError, TypeError) as error:
            # Sealed by us, so by another version of echo-rt.
            raise ValueError(f"its record has another layout ({error})") from None


@dataclass(frozen=True)
class StoredEngine:
    """An engine that this user built.

    Attributes:
        path: where it lies.
        data: its bytes, the very ones that were compared with the record.
        record: of how it was built.
        built: whether it was built just now.
    """

    path: Path
    data: bytes
    record: EngineRecord
    built: bool

    def deserialize(self, device: CudaDevice) -> Any:
        """TensorRT's ``ICudaEngine``.

        Raises:
            ModelError, MissingExtraError, DeviceError: see `echo_rt.engine.tensorrt.build.deserialize`.
        """
        return tensorrt_build.deserialize(
            self.data, device, host_code_allowed=self.record.wanted.options.version_compatible
        )


def cached_engine(
    model: str | os.PathLike[str],
    options: BuildOptions | None = None,
    *,
    device: CudaDevice | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> StoredEngine:
    """The engine of a model for this machine: from the cache, or built now and kept there.

    Args:
        model: the ONNX file.
        options: of the build.
        device: the GPU; None is the first one.
        say: given one line before a build, with its reason; None prints it on standard error.
        progress: told how far a build is.

    Raises:
        NoDeviceError: there is no CUDA device; TensorRT was not imported.
        ModelError: the file is not an echo-rt model, or TensorRT cannot make an engine of it.
        OutputError: the cache folder cannot be used.
        ParameterError, MissingExtraError, DeviceError: see `echo_rt.engine.tensorrt.build.build`.
    """
    model, options = Path(model), options or BuildOptions()
    spec = read_spec(model)
    onnx = model.read_bytes()
    device = device or find_device()
    wanted = Wanted.here(onnx, spec, device, options, tensorrt_build.tensorrt_version(device))
    folder = cache_folder()
    key = user_key(folder)
    path = folder / f"{model.stem}-{wanted.slot()}.engine"
    if isinstance(stored := _read(path, key, wanted), StoredEngine):
        return stored
    say = say or to_stderr
    # One process builds, the others wait for it and take what it made.
    with _only_one(path, say):
        if isinstance(stored := _read(path, key, wanted), StoredEngine):
            return stored
        reason = stored if path.exists() else "no engine for this machine yet"
        say(
            f"{model.name}: {reason}: building one with TensorRT {wanted.tensorrt} for {device.name}, which can take minutes"
        )
        return _build(model, onnx, spec, device, wanted, path, key, progress)


def _build(
    model: Path,
    onnx: bytes,
    spec: ModelSpec,
    device: CudaDevice,
    wanted: Wanted,
    path: Path,
    key: bytes,
    progress: Progress | None,
) -> StoredEngine:
    """Build the engine and keep it."""
    # The times depend on the GPU and the release, not on the model: all models share them.
    timings = path.with_name(f"timing-{sha256(f'{wanted.gpu} {wanted.tensorrt}'.encode())[:16]}.cache")
    start = time.monotonic()
    built = tensorrt_build.build(onnx, str(model), spec, device, wanted.options, read_sealed(timings, key), progress)
    record = EngineRecord(
        wanted=wanted,
        engine_sha256=sha256(built.engine),
        inputs=built.inputs,
        outputs=built.outputs,
        built_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        build_s=round(time.monotonic() - start, 1),
    )
    write_pair(path, built.engine, record_path(path), record.to_json(key).encode())
    write_sealed(timings, built.timing_cache, key)
    return StoredEngine(path, built.engine, record, built=True)


@contextmanager
def _only_one(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the engine's lock, which the system opens again where its holder dies; its empty file stays."""
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
    """An engine file that lies anywhere, with its record beside it.

    Args:
        path: the engine.
        wanted: what it has to be built from and for; None where it will run on another machine.

    Raises:
        ModelError: there is none, this user did not build it, it is not whole, or it differs from what is wanted.
        OutputError: the cache folder, where the user's key is, cannot be used.
    """
    stored = _read(Path(path), user_key(cache_folder()), wanted)
    if isinstance(stored, str):
        raise ModelError(f"{path}: {stored}; build it again with `echo-rt export tensorrt`")
    return stored


def write_engine(engine: StoredEngine, target: str | os.PathLike[str]) -> StoredEngine:
    """Put a copy of an engine and its record elsewhere: both or, where that fails, neither.

    Raises:
        OutputError: that is refused.
    """
    target = Path(target)
    # Killed half-way, it leaves an engine without its record or with that of another, which nobody loads.
    write_pair(target, engine.data, record_path(target), engine.record.to_json(user_key(cache_folder())).encode())
    return StoredEngine(target, engine.data, engine.record, engine.built)


def record_path(engine: Path) -> Path:
    """Where the record of an engine file lies."""
    return engine.with_name(engine.name + ".json")


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, key: bytes, wanted: Wanted | None) -> StoredEngine | str:
    """The engine, or what was expected and found where it may not be loaded."""
    try:
        text, data = record_path(path).read_text(encoding="utf-8"), path.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        return f"expected an engine and its record, found {_reason(error)}"
    try:
        record = EngineRecord.from_json(text, key)
    except ValueError as error:
        return f"expected an engine that you built here, found that {error}"
    if sha256(data) != record.engine_sha256:
        return "expected the engine of its record, found one that was changed or cut short"
    if wanted is not None and (differences := record.wanted.differences(wanted)):
        return f"expected an engine for this machine and model, found that {', '.join(differences)}"
    return StoredEngine(path, data, record, built=False)


def _seal(record: Mapping[str, Any], key: bytes) -> str:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return tag(canonical.encode(), key).hex()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def to_stderr(line: str) -> None:
    """Say a line to whoever sits before the terminal."""
    print(f"echo-rt: {line}", file=sys.stderr)
