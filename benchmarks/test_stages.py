"""Each stage of a frame and the whole of it, by pytest-benchmark: `make bench` measures, `make test` only runs them
once."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from echo_rt import native, reference
from echo_rt.bench.measure import Plan, heart_frames
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import DEVICES, open_engine, probe
from echo_rt.errors import DeviceError, MissingExtraError
from echo_rt.following import follow
from echo_rt.segmentation import GridMap

pytest.importorskip("pytest_benchmark")

LOOPS = pytest.mark.parametrize("loops", [native, reference], ids=["native", "reference"])


@pytest.fixture(scope="module")
def frames():
    return heart_frames(Plan(frames=60, height=600, width=800), 50.0)


@pytest.mark.benchmark(group="preprocess")
@LOOPS
def test_preprocess(benchmark, frames, loops: ModuleType) -> None:
    place = GridMap.letterbox(frames[0].image.shape[:2], (112, 144))
    preprocess, out = loops.Preprocess(place, 40.0, 50.0), np.empty((112, 144), np.float32)
    benchmark(preprocess, frames[0].image, out)
    assert np.isfinite(out).all()


@pytest.mark.benchmark(group="postprocess")
@LOOPS
def test_postprocess(benchmark, loops: ModuleType) -> None:
    logits = np.random.default_rng(0).normal(size=(4, 112, 144)).astype(np.float32)
    probability, _, _ = benchmark(loops.postprocess, logits)
    np.testing.assert_allclose(probability.sum(0), 1, atol=1e-5)


@pytest.mark.benchmark(group="mask")
@LOOPS
def test_mask(benchmark, frames, loops: ModuleType) -> None:
    with open_engine("lv-edge", "cpu") as engine:
        segmentation = engine.segment(frames[0].image)
    labels = benchmark(loops.enlarge, segmentation.probability, segmentation.map)
    assert set(np.unique(labels)) == {0, 1, 2, 3}


@pytest.mark.benchmark(group="frame")
@pytest.mark.parametrize("device", list(DEVICES))
def test_frame(benchmark, frames, device: str) -> None:
    try:
        probe(device)
    except (DeviceError, MissingExtraError) as error:
        pytest.skip(str(error))
    with open_engine("lv-edge", device) as engine:
        assert benchmark(engine.segment, frames[0].image).labels.shape == (112, 144)


@pytest.mark.benchmark(group="end to end, 80 frames")
def test_end_to_end(benchmark, frames) -> None:
    with open_engine("lv-edge", "cpu") as engine:
        count = benchmark(lambda: sum(1 for _ in follow(frames, engine, Monitor(engine.spec))))
    assert count == len(frames)
