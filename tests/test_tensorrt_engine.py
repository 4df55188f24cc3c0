"""The `tensorrt` engine's life without a GPU: PyCUDA, graphs and network are stand-ins (stand_in_cuda.py), the kernels
are real."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from echo_rt.engine import open_engine
from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.engine.tensorrt import context as cuda_context
from echo_rt.engine.tensorrt import engine as tensorrt
from echo_rt.engine.tensorrt.cache import StoredEngine
from echo_rt.errors import (
    DeviceError,
    EngineClosedError,
    FrameError,
    ModelError,
    NoDeviceError,
    OutputError,
    ParameterError,
)
from echo_rt.model import models, read_spec
from echo_rt.segmentation import Segmentation
from support import emulated
from support.stand_in_cuda import StandInEngine, StandInGpu, names_beyond
from support.stand_in_tensorrt import stand_in
from support.toy import toy_model

DEVICE = CudaDevice(0, "STAND-IN GPU", "8.6", "12.4")
TEMPORAL = next(model for model in models() if model.spec.state).path
IMAGE = np.random.default_rng(2).integers(0, 256, (60, 80), dtype=np.uint8)


class Opener:
    """Opens engines on a stand-in GPU, and closes what a test left open."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.said, self.opened = monkeypatch, list[str](), list[tensorrt.TensorRtEngine]()
        self.model = toy_model(tmp_path / "m.onnx")
        self.gpu(StandInGpu())
        monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16"))
        monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
        (tmp_path / "kernels.fatbin").touch()
        monkeypatch.setattr("echo_rt.engine.tensorrt.plan.kernels.fatbin_path", lambda: tmp_path / "kernels.fatbin")
        monkeypatch.setattr(tensorrt, "fatbin_path", lambda: tmp_path / "kernels.fatbin")

    def gpu(self, gpu: StandInGpu) -> StandInGpu:
        self._patch.setattr(cuda_context, "_retained", {})
        package = ModuleType("pycuda")
        package.driver = gpu.cuda
        self._patch.setitem(sys.modules, "pycuda", package)
        self._patch.setitem(sys.modules, "pycuda.driver", gpu.cuda)
        self._patch.setattr("echo_rt.engine.tensorrt.graph.import_cuda_bindings", lambda: gpu.driver)
        self._patch.setattr(tensorrt, "find_device", lambda: DEVICE)
        return gpu

    def __call__(self, gpu: StandInGpu, model: Path | None = None, **options) -> tensorrt.TensorRtEngine:
        path = model or self.model
        self._patch.setattr(StoredEngine, "deserialize", lambda stored, device: StandInEngine(gpu, str(path)))
        self.opened.append(tensorrt.TensorRtEngine(str(path), read_spec(path), say=self.said.append, **options))
        return self.opened[-1]


@pytest.fixture
def opener(tmp_path: Path, monkeypatch) -> Opener:
    emulated.library()
    opener = Opener(tmp_path, monkeypatch)
    yield opener
    for engine in opener.opened:
        engine.close()


@pytest.fixture
def gpu(opener: Opener) -> StandInGpu:
    return opener.gpu(StandInGpu())


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


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3), (57, 113, 3), (1, 300), (300, 1, 3), (1, 1)])
@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("integrated", [False, True])
def test_a_frame_gives_what_the_cpu_engine_gives(opener: Opener, shape, graph, integrated) -> None:
    engine = opener(opener.gpu(StandInGpu(integrated)), graph=graph)
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    (expected,) = on_cpu(opener.model, image)
    for _ in range(3):
        assert_alike(engine.segment(image), expected)


def test_a_shipped_model_with_heads_and_a_state_follows_a_clip_as_the_cpu_does(opener: Opener, gpu: StandInGpu) -> None:
    images = [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in range(4)]
    expected = on_cpu(TEMPORAL, *images)
    engine = opener(gpu, TEMPORAL)
    state = None
    for image, wanted in zip(images, expected, strict=True):
        found = engine.segment(image, state)
        assert found.view is not None
        assert_alike(found, wanted)
        state = found.state


def test_a_state_stays_as_it_was_for_two_streams_in_turn_and_for_a_second_look(opener: Opener, gpu: StandInGpu) -> None:
    a, b = (
        [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in keys]
        for keys in ((1, 2, 3), (7, 8, 9))
    )
    wanted = list(zip(on_cpu(TEMPORAL, *a), on_cpu(TEMPORAL, *b), strict=True))
    engine = opener(gpu, TEMPORAL)
    states: list = [None, None]
    for k, expected in enumerate(wanted):
        before = list(states)
        for which, images in enumerate((a, b)):
            found = engine.segment(images[k], states[which])
            assert_alike(found, expected[which])
            states[which] = found.state
        for which, images in enumerate((a, b)):
            assert_alike(engine.segment(images[k], before[which]), expected[which])


def test_states_that_nobody_holds_are_used_again(opener: Opener, gpu: StandInGpu) -> None:
    engine, state = opener(gpu, TEMPORAL), None
    sizes = []
    for _ in range(12):
        state = engine.segment(IMAGE, state).state
        sizes.append(len(gpu.living))
    assert sizes[-1] == sizes[3]


def test_a_state_of_another_engine_is_refused(opener: Opener, gpu: StandInGpu) -> None:
    one, other = opener(gpu, TEMPORAL), opener(gpu, TEMPORAL)
    foreign = other.segment(IMAGE).state
    for state in (foreign, {"memory_1": np.zeros(3)}):
        with pytest.raises(ParameterError, match="expected the state that this engine gave"):
            one.segment(IMAGE, state)


def test_one_graph_is_launched_a_frame(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    engine.segment(IMAGE)
    kernels = gpu.count("kernel")
    for _ in range(5):
        engine.segment(IMAGE)
    assert gpu.count("launch graph") == 6
    assert gpu.count("kernel") == kernels, "a step was enqueued beside the graph"
    assert opener.said == [line for line in opener.said if "building" in line]


@pytest.mark.parametrize("capture_fails", ["network", "end"])
def test_where_a_capture_fails_frames_run_step_by_step_and_it_is_said_once(opener: Opener, capture_fails: str) -> None:
    engine = opener(opener.gpu(gpu := StandInGpu(capture_fails=capture_fails)))
    (expected,) = on_cpu(opener.model, IMAGE)
    for image in (IMAGE, IMAGE[:30], IMAGE):
        found = engine.segment(image)
    assert_alike(found, expected)
    assert gpu.count("launch graph") == 0
    assert [line for line in opener.said if "without a CUDA graph" in line] == opener.said[1:]
    assert len(opener.said) == 2


def test_without_cuda_bindings_frames_run_step_by_step(opener: Opener, gpu: StandInGpu, monkeypatch) -> None:
    from echo_rt.errors import MissingExtraError

    def missing() -> None:
        raise MissingExtraError("a CUDA graph", "tensorrt")

    monkeypatch.setattr("echo_rt.engine.tensorrt.graph.import_cuda_bindings", missing)
    engine = opener(gpu)
    assert_alike(engine.segment(IMAGE), on_cpu(opener.model, IMAGE)[0])
    assert "a CUDA graph needs a part that is not installed" in opener.said[-1]


def test_frames_overlap_and_none_is_lost_when_more_are_on_their_way_than_slots(opener: Opener, gpu: StandInGpu) -> None:
    images = [np.random.default_rng(k).integers(0, 256, (30, 40), dtype=np.uint8) for k in range(5)]
    engine = opener(gpu, slots=2)
    engine.segment(images[0])
    launched = gpu.count("launch graph")
    pending = [engine.submit(image) for image in images]
    assert gpu.count("launch graph") == launched + 5
    expected = [on_cpu(opener.model, image)[0] for image in images]
    for waiting, wanted in reversed(list(zip(pending, expected, strict=True))):
        assert_alike(waiting.result(), wanted)
        assert waiting.result() is waiting.result()
        np.testing.assert_array_equal(waiting.result().tally[0], np.bincount(wanted.labels.ravel(), minlength=4))


def test_what_was_given_out_is_not_written_again(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    first = engine.segment(IMAGE)
    kept = first.probability.copy(), first.labels.copy()
    for _ in range(3):
        engine.segment(255 - IMAGE)
    engine.close()
    np.testing.assert_array_equal(first.probability, kept[0])
    np.testing.assert_array_equal(first.labels, kept[1])


def test_another_size_makes_another_plan_and_frees_the_old_one(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    engine.segment(IMAGE)
    before = len(gpu.living)
    waiting = engine.submit(IMAGE)
    for image in (IMAGE[:33], np.dstack([IMAGE] * 3), IMAGE):
        assert_alike(engine.segment(image), on_cpu(opener.model, image)[0])
    assert len(gpu.living) == before
    assert gpu.count("destroy graph") == 6
    assert_alike(waiting.result(), on_cpu(opener.model, IMAGE)[0])


@pytest.mark.parametrize("model", ["toy", "temporal"])
def test_closing_frees_everything_in_order_and_twice_does_no_harm(opener: Opener, gpu: StandInGpu, model: str) -> None:
    engine = opener(gpu, TEMPORAL if model == "temporal" else None)
    waiting = engine.submit(IMAGE)
    engine.close()
    engine.close()
    assert gpu.living == {}
    order = [gpu.happened.index(what) for what in ("destroy graph", "free network", "free engine")]
    assert order == sorted(order)
    assert "free device" in gpu.happened[order[-1] :], "the network's memory was freed before the network"
    assert_alike(waiting.result(), on_cpu(TEMPORAL if model == "temporal" else opener.model, IMAGE)[0])
    with pytest.raises(EngineClosedError, match="open a new one"):
        engine.segment(IMAGE)
    assert getattr(gpu.contexts, "depth", 0) == 0


def test_an_engine_is_used_and_closed_from_other_threads(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    images = [np.random.default_rng(k).integers(0, 256, (30, 40), dtype=np.uint8) for k in range(8)]
    found: dict[int, list[Segmentation]] = {k: [] for k in range(8)}

    def run(k: int) -> None:
        for _ in range(4):
            found[k].append(engine.segment(images[k]))

    in_threads([lambda k=k: run(k) for k in range(8)])
    for k, image in enumerate(images):
        (expected,) = on_cpu(opener.model, image)
        for segmentation in found[k]:
            assert_alike(segmentation, expected)
    in_threads([engine.close] * 3)
    assert gpu.living == {}


def in_threads(work: list[Callable[[], None]]) -> None:
    failed: list[BaseException] = []

    def guarded(step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(step,)) for step in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def test_two_engines_share_one_context_and_nothing_else(opener: Opener, gpu: StandInGpu) -> None:
    one, other = opener(gpu), opener(gpu)
    assert_alike(one.segment(IMAGE), other.segment(IMAGE))
    one.close()
    assert_alike(other.segment(IMAGE), on_cpu(opener.model, IMAGE)[0])
    assert gpu.count("retain") == 1


def test_an_engine_that_is_forgotten_is_freed(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu, TEMPORAL)
    state = engine.segment(IMAGE).state
    opener.opened.clear()
    del engine
    gc.collect()
    assert gpu.living == {}
    del state  # its memory went with the engine


def test_what_is_no_image_is_refused_and_the_engine_goes_on(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    with pytest.raises(FrameError, match="found"):
        engine.segment(np.zeros((4, 4)))
    view = np.repeat(IMAGE, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(engine.segment(view).labels, engine.segment(IMAGE).labels)


def test_too_little_memory_is_one_line_and_leaves_nothing(opener: Opener, gpu: StandInGpu, monkeypatch) -> None:
    engine = opener(gpu)
    living = dict(gpu.living)
    real, left = gpu.cuda.mem_alloc, [1]

    def scarce(nbytes: int):
        left[0] -= 1
        if left[0] < 0:
            raise gpu.cuda.MemoryError("cuMemAlloc failed: out of memory")
        return real(nbytes)

    monkeypatch.setattr(gpu.cuda, "mem_alloc", scarce)
    with pytest.raises(DeviceError, match=r"expected enough memory on the GPU .* out of memory"):
        engine.segment(IMAGE)
    assert gpu.living == living, "a half-made plan was left"
    left[0] = 99
    assert_alike(engine.segment(IMAGE), on_cpu(opener.model, IMAGE)[0])
    left[0] = 0
    with pytest.raises(DeviceError, match="expected enough memory on the GPU to load"):
        opener(gpu)
    engine.close()
    assert gpu.living == {}


def test_an_error_of_the_gpu_reaches_the_one_who_waits_and_everything_is_still_freed(
    opener: Opener, gpu: StandInGpu
) -> None:
    engine = opener(gpu)
    engine.segment(IMAGE)
    waiting = engine.submit(IMAGE)

    def broken() -> None:
        raise gpu.cuda.Error("cuEventSynchronize failed: an illegal memory access was encountered")

    stream = engine._gpu.network.stream
    stream.queue.insert(0, broken)
    with pytest.raises(DeviceError, match="expected to wait for a frame, found that CUDA refuses"):
        waiting.result()
    engine.close()
    assert gpu.living == {}


def test_a_network_of_another_type_than_float_is_refused(opener: Opener, gpu: StandInGpu, monkeypatch) -> None:
    monkeypatch.setattr("echo_rt.engine.tensorrt.build._DTYPES", {"FLOAT": "bfloat16"})
    with pytest.raises(ModelError, match="expected image in float32 or float16, found bfloat16"):
        opener(gpu)
    assert gpu.living == {}


def test_the_stand_in_knows_no_name_that_the_real_libraries_lack() -> None:
    assert names_beyond(StandInGpu()) == set()


def test_without_a_device_nothing_of_cuda_is_imported(monkeypatch) -> None:
    from echo_rt.errors import NoDeviceError as expected

    def none() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    monkeypatch.setattr(tensorrt, "find_device", none)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(expected, match="STAND-IN"):
        open_engine(device="tensorrt")
    with pytest.raises(expected, match="STAND-IN"):
        tensorrt.probe_tensorrt()


def test_a_cache_that_cannot_be_used_is_said_before_anything_is_built(
    opener: Opener, gpu: StandInGpu, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "file" / name)
    with pytest.raises(OutputError, match="expected to write there"):
        opener(gpu)
    assert gpu.living == {}
