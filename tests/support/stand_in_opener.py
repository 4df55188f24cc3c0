"""Engines of the device `tensorrt` on a stand-in GPU, and what the `cpu` engine says of the same images."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.engine.tensorrt import context, engine
from echo_rt.engine.tensorrt.cache import StoredEngine
from echo_rt.engine.tensorrt.engine import TensorRtEngine
from echo_rt.model import read_spec
from echo_rt.segmentation import Segmentation
from support import emulated
from support.private_cache import private_cache
from support.remembering import temporal_model
from support.stand_in_cuda import StandInGpu
from support.stand_in_network import StandInEngine
from support.stand_in_tensorrt import DEVICE
from support.toy import toy_model

TEMPORAL = temporal_model()
IMAGE = np.random.default_rng(2).integers(0, 256, (60, 80), dtype=np.uint8)


class Opener:
    """Opens engines on a stand-in GPU, and closes what a test left open."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.said, self.opened = monkeypatch, list[str](), list[TensorRtEngine]()
        self.model = toy_model(tmp_path / "m.onnx")
        self.gpu(StandInGpu())
        private_cache(tmp_path, monkeypatch)
        (tmp_path / "kernels.fatbin").touch()
        monkeypatch.setattr("echo_rt.engine.tensorrt.kernels.fatbin_path", lambda: tmp_path / "kernels.fatbin")
        monkeypatch.setattr(engine, "fatbin_path", lambda: tmp_path / "kernels.fatbin")

    def gpu(self, gpu: StandInGpu) -> StandInGpu:
        self._patch.setattr(context, "_retained", {})
        package = ModuleType("pycuda")
        package.driver = gpu.cuda
        installed = gpu.library == "PyCUDA"
        self._patch.setitem(sys.modules, "pycuda", package if installed else None)
        self._patch.setitem(sys.modules, "pycuda.driver", gpu.cuda if installed else None)
        self._patch.setattr(context, "import_driver", lambda: gpu.driver)
        self._patch.setattr("echo_rt.engine.tensorrt.graph.import_cuda_bindings", lambda: gpu.driver)
        self._patch.setattr(engine, "find_device", lambda: DEVICE)
        return gpu

    def __call__(self, gpu: StandInGpu, model: Path | None = None, **options) -> TensorRtEngine:
        path = model or self.model
        self._patch.setattr(StoredEngine, "deserialize", lambda stored, device: StandInEngine(gpu, str(path)))
        self.opened.append(TensorRtEngine(str(path), read_spec(path), say=self.said.append, **options))
        return self.opened[-1]


def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """An opener for one test, which is skipped where the kernels cannot be compiled for the processor."""
    emulated.library()
    opener = Opener(tmp_path, monkeypatch)
    yield opener
    for each in opener.opened:
        each.close()


def assert_alike(found: Segmentation, expected: Segmentation) -> None:
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-4)
    assert (found.labels != expected.labels).mean() < 1e-3
    assert found.map == expected.map
    assert found.view == expected.view
    assert found.confidence == (None if expected.confidence is None else pytest.approx(expected.confidence, abs=1e-4))


def on_cpu(model: Path, *images: np.ndarray) -> list[Segmentation]:
    with CpuEngine(str(model), read_spec(model)) as engine:
        found: list[Segmentation] = []
        for image in images:
            found.append(engine.segment(image, found[-1].state if found else None))
        return found
