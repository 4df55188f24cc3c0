"""What stands beside an engine on disk: all that it depends on, under the seal of the user who built it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from echo_rt.engine.tensorrt.build import BuildOptions, TensorInfo
from echo_rt.engine.tensorrt.private_files import tag

FORMAT = 1
"""Version of the record's layout and of the way engines are built; a higher one makes every engine anew."""


@dataclass(frozen=True)
class Wanted:
    """All that an engine depends on: the model file, with its hexadecimal hash, TensorRT's release, and the GPU."""

    onnx_sha256: str
    precision: str
    options: BuildOptions
    tensorrt: str
    cuda_driver: str
    gpu: str
    compute_capability: str
    format: int = FORMAT

    def differences(self, other: Wanted) -> list[str]:
        """In what an engine that is there differs from the `other` that is wanted, in words."""
        if self.onnx_sha256 != other.onnx_sha256:
            return [f"it is of another model (SHA-256 {self.onnx_sha256[:12]}, not {other.onnx_sha256[:12]})"]
        mine, theirs = ({**vars(wanted.options), **vars(wanted)} for wanted in (self, other))
        names = [name for name in mine if name != "options" and mine[name] != theirs[name]]
        return [f"{name.replace('_', ' ')} was {mine[name]} and is {theirs[name]}" for name in names]

    def digest(self) -> str:
        """16 hexadecimal digits. They leave out TensorRT and the driver: the engine of a new one replaces the old."""
        kept = [self.onnx_sha256, self.gpu, asdict(self.options)]
        return sha256(json.dumps(kept, sort_keys=True).encode())[:16]


@dataclass(frozen=True)
class EngineRecord:
    """What stands in the JSON beside an engine."""

    wanted: Wanted
    engine_sha256: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    built_at: str
    """UTC, ISO 8601."""
    build_s: float

    def to_json(self, key: bytes) -> str:
        """The record with its seal."""
        record = asdict(self)
        return json.dumps(record | {"seal": seal(record, key)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, key: bytes) -> EngineRecord:
        """Read `to_json`; ValueError where it is no such record, or not sealed with this key."""
        raw = json.loads(text)
        found = str(raw.pop("seal", "")) if isinstance(raw, dict) else ""
        if not hmac.compare_digest(found.encode(), seal(raw, key).encode()):
            raise ValueError("its record does not bear the seal of this user on this machine")
        try:
            raw["wanted"] = Wanted(**{**raw["wanted"], "options": BuildOptions(**raw["wanted"]["options"])})
            for side in ("inputs", "outputs"):
                raw[side] = tuple(TensorInfo(t["name"], tuple(t["shape"]), t["dtype"]) for t in raw[side])
            return cls(**raw)
        except (KeyError, TypeError) as error:
            # Sealed by us, so by another version of echo-rt.
            raise ValueError(f"its record has another layout ({error})") from None


def record_path(engine: Path) -> Path:
    """Where the record of an engine file lies."""
    return engine.with_name(engine.name + ".json")


def seal(record: Mapping[str, Any], key: bytes) -> str:
    """The seal of a record that does not have it yet, hexadecimal."""
    return tag(json.dumps(record, sort_keys=True, separators=(",", ":")).encode(), key).hex()


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
