"""The `tensorrt` engine on a real GPU. Under compute-sanitizer: docs/tensorrt.md."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from echo_rt.engine.cuda_driver import find_device
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.engine.tensorrt import context
from echo_rt.engine.tensorrt import engine as tensorrt
from echo_rt.errors import DeviceError, MissingExtraError
from echo_rt.model import ShippedModel, models, read_spec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.segmentation import Segmentation

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True, params=["PyCUDA", "cuda-bindings"])
def gpu(tmp_path_factory, request) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "_retained", {})
        if request.param == "cuda-bindings":
            patch.setitem(sys.modules, "pycuda", None)
            patch.setitem(sys.modules, "pycuda.driver", None)
        try:
            tensorrt.probe()
        except (DeviceError, MissingExtraError) as error:
            pytest.skip(str(error))
        if (serves := context.PrimaryContext.of(find_device()).library) != request.param:
            pytest.skip(f"{request.param} is not installed, {serves} serves")
        patch.setattr("platformdirs.user_cache_path", lambda name, appauthor: folder / name)
        yield


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    with Phantom(PhantomOptions.of(seconds=1, fps=15)) as source:
        return [frame.image for frame in source]


def opened(model: ShippedModel, precision: str = "fp16", **options) -> tensorrt.TensorRtEngine:
    path = model.file(precision)
    return tensorrt.TensorRtEngine(str(path), read_spec(path), **options)


def follow(engine, images: list[np.ndarray]) -> list[Segmentation]:
    found: list[Segmentation] = []
    for image in images:
        found.append(engine.segment(image, found[-1].state if found else None))
    return found


def assert_same(a: Segmentation, b: Segmentation) -> None:
    for name in ("probability", "labels"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.view, a.confidence) == (b.view, b.confidence)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_masks_of_simulated_hearts_agree_with_the_cpu_reference(model: ShippedModel, precision: str, images) -> None:
    with CpuEngine(str(model.file("fp32")), model.spec) as cpu, opened(model, precision) as engine:
        for found, expected in zip(follow(engine, images), follow(cpu, images), strict=True):
            for label in range(1, 4):
                a, b = found.labels == label, expected.labels == label
                assert 2 * (a & b).sum() >= 0.98 * (a.sum() + b.sum())
            assert found.view == expected.view
            np.testing.assert_allclose(found.probability.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize(
    "shape", [(480, 640), (480, 640, 3), (113, 57, 3), (1, 300), (300, 1, 3), (1, 1), (1081, 1921)]
)
def test_odd_sizes_agree_with_the_cpu(shape) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with CpuEngine(str(models()[0].file("fp32")), models()[0].spec) as cpu, opened(models()[0], "fp32") as engine:
        found, expected = engine.segment(image), cpu.segment(image)
        np.testing.assert_allclose(found.probability, expected.probability, atol=2e-2)  # TF32
        assert (found.labels != expected.labels).mean() < 1e-2


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_with_and_without_a_graph_it_is_the_same_bit_for_bit(model: ShippedModel, images) -> None:
    said: list[str] = []
    with opened(model, say=said.append) as with_graph, opened(model, graph=False, say=said.append) as without:
        for a, b in zip(follow(with_graph, images), follow(without, images), strict=True):
            assert_same(a, b)
        assert with_graph._gpu.runner is not None
        assert with_graph._gpu.runner.captured, said


def test_frames_that_overlap_and_engines_in_threads_give_the_same_bit_for_bit(images) -> None:
    with opened(models()[0], in_flight=3) as one, opened(models()[0]) as other:
        expected = [one.segment(image) for image in images]
        pending = [one.submit(image) for image in images]
        for waiting, wanted in zip(pending, expected, strict=True):
            assert_same(waiting.result(), wanted)
            np.testing.assert_array_equal(waiting.result().tally[0], np.bincount(wanted.labels.ravel(), minlength=4))
        found: dict[int, list[Segmentation]] = {}
        engines = (one, other, one)
        threads = [
            threading.Thread(target=lambda k=k: found.update({k: [engines[k].segment(i) for i in images]}))
            for k in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for k in range(3):
        for a, b in zip(found[k], expected, strict=True):
            assert_same(a, b)


def test_sizes_in_turn_and_many_engines_leave_the_memory_as_it_was(images) -> None:
    from cuda.bindings import driver

    def used() -> int:
        with opened(models()[0]) as engine:
            for image in (images[0], images[0][::2], np.full((90, 70), 9, np.uint8)):
                engine.segment(image)
            with engine._gpu.primary:
                _, free, total = driver.cuMemGetInfo()
        return total - free

    used()
    first = used()
    for _ in range(5):
        last = used()
    assert last - first < 4 << 20


def test_torch_in_the_same_process_keeps_working(images) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    before = torch.ones(1000, device="cuda")
    with opened(models()[0]) as engine:
        engine.segment(images[0])
    assert float((before + torch.ones(1000, device="cuda")).sum()) == 2000


def test_the_probe_names_gpu_and_release(tmp_path: Path) -> None:
    assert "TensorRT" in tensorrt.probe()
