"""A cache of TensorRT engines for one test, with a stand-in for TensorRT 10.16."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt.build import BuildOptions
from echo_rt.engine.tensorrt.cache import StoredEngine, cached_engine
from support.stand_in_tensorrt import DEVICE, stand_in


def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the engines, which is not made yet."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16"))
    return tmp_path / "cache" / "echo-rt" / "engines"


class Builds:
    """Asks for the engine of a model, and keeps what was said of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, model: Path, options: BuildOptions | None = None, device: CudaDevice = DEVICE) -> StoredEngine:
        return cached_engine(model, options, device=device, say=self.said.append)
