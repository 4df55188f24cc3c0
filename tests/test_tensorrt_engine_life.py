"""How the `tensorrt` engine takes and frees what it holds, and fails: on the stand-ins of test_tensorrt_engine.py."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from echo_rt.engine import open_engine
from echo_rt.engine.tensorrt import engine as engine_module
from echo_rt.errors import DeviceError, EngineClosedError, MissingExtraError, ModelError, NoDeviceError, OutputError
from echo_rt.segmentation import Segmentation
from support.stand_in_cuda import LIBRARIES, StandInGpu, Stream
from support.stand_in_opener import IMAGE, TEMPORAL, Opener, assert_alike, on_cpu, opened


@pytest.fixture
def opener(tmp_path: Path, monkeypatch) -> Iterator[Opener]:
    yield from opened(tmp_path, monkeypatch)


@pytest.fixture(params=LIBRARIES)
def gpu(opener: Opener, request) -> StandInGpu:
    return opener.gpu(StandInGpu(library=request.param))


def test_another_size_makes_another_runner_and_frees_the_old_one(opener: Opener, gpu: StandInGpu) -> None:
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
    assert gpu.count("lose") == 0, "something was destroyed without a context"
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


def test_too_little_memory_is_one_line_and_leaves_nothing(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    living = dict(gpu.living)
    gpu.allocations_left = 1
    with pytest.raises(DeviceError, match=r"expected enough memory on the GPU .* found too little \(cuMemAlloc failed"):
        engine.segment(IMAGE)
    assert gpu.living == living, "a half-made runner was left"
    gpu.allocations_left = 99
    assert_alike(engine.segment(IMAGE), on_cpu(opener.model, IMAGE)[0])
    gpu.allocations_left = 0
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

    stream = Stream.by_handle[engine._gpu.network.stream.handle]
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


def test_without_a_device_nothing_of_cuda_is_imported(monkeypatch) -> None:
    def none() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    monkeypatch.setattr(engine_module, "find_device", none)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(NoDeviceError, match="STAND-IN"):
        open_engine(device="tensorrt")
    with pytest.raises(NoDeviceError, match="STAND-IN"):
        engine_module.probe()


def test_a_cache_that_cannot_be_used_is_said_before_anything_is_built(
    opener: Opener, gpu: StandInGpu, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "file" / name)
    with pytest.raises(OutputError, match="expected to write there"):
        opener(gpu)
    assert gpu.living == {}


def test_states_that_nobody_holds_are_used_again(opener: Opener, gpu: StandInGpu) -> None:
    engine, state = opener(gpu, TEMPORAL), None
    sizes = []
    for _ in range(12):
        state = engine.segment(IMAGE, state).state
        sizes.append(len(gpu.living))
    assert sizes[-1] == sizes[3]


def test_without_both_libraries_it_is_said_what_to_install(opener: Opener, monkeypatch) -> None:
    gpu = opener.gpu(StandInGpu(library="cuda-bindings"))

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'cuda'", name="cuda")

    monkeypatch.setattr("echo_rt.engine.tensorrt.context.import_driver", missing)
    with pytest.raises(MissingExtraError, match=r"the device tensorrt needs .* pip install 'echo-rt\[tensorrt\]'"):
        opener(gpu)


def test_a_broken_pycuda_is_an_error_that_names_the_way_without_it(opener: Opener, monkeypatch) -> None:
    gpu = opener.gpu(StandInGpu())

    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pycuda":
                raise ImportError("libcurand.so.9: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "pycuda")
    monkeypatch.delitem(sys.modules, "pycuda.driver")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(DeviceError, match=r"PyCUDA cannot be loaded on STAND-IN GPU .* cuda-bindings do the same"):
        opener(gpu)
