"""The `cuda` engine. Its use of ONNX Runtime is run on the processor's provider, which takes the same bindings."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from echo_rt.engine import DEVICES, open_engine
from echo_rt.engine.onnx_runtime import cuda
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.errors import DeviceError, EngineClosedError, FrameError, NoDeviceError, ParameterError
from echo_rt.model import model_path, models, read_spec
from support.remembering import temporal_model
from support.stand_in_tensorrt import DEVICE
from support.toy import toy_model


@pytest.fixture
def on_processor(monkeypatch) -> None:
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    monkeypatch.setattr(cuda, "PROVIDER", "CPUExecutionProvider")
    monkeypatch.setattr(cuda, "PLACE", "cpu")
    real = onnxruntime.InferenceSession
    # The processor's provider knows no devices.
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers: real(path, options, providers=["CPUExecutionProvider"]),
    )


@pytest.fixture
def images() -> list[np.ndarray]:
    return [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in range(4)]


def test_a_temporal_model_follows_a_clip_as_the_cpu_engine_does(on_processor, images) -> None:
    path = str(temporal_model())
    with cuda.CudaEngine(path, read_spec(path)) as engine, CpuEngine(path, read_spec(path)) as cpu:
        state = expected_state = None
        for image in images:
            before = state
            found, expected = engine.segment(image, state), cpu.segment(image, expected_state)
            np.testing.assert_allclose(found.probability, expected.probability, atol=1e-5)
            assert (found.view, found.confidence) == (expected.view, pytest.approx(expected.confidence, abs=1e-5))
            again = engine.segment(image, before)
            np.testing.assert_array_equal(again.probability, found.probability, "a state was written again")
            state, expected_state = found.state, expected.state


def test_a_state_of_other_tensors_is_refused_and_the_engine_goes_on(on_processor, images) -> None:
    path = str(temporal_model())
    with cuda.CudaEngine(path, read_spec(path)) as engine:
        state = engine.segment(images[0]).state
        small = {name: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 1), np.float32)) for name in state}
        for foreign in ({name: tensor.numpy() for name, tensor in state.items()}, small, dict(list(state.items())[1:])):
            with pytest.raises(ParameterError, match="expected the state that this engine gave"):
                engine.segment(images[1], foreign)
        assert engine.segment(images[1], state).state.keys() == state.keys()


def test_it_is_closed_from_any_thread_and_twice(on_processor, tmp_path: Path, images) -> None:
    path = str(toy_model(tmp_path / "m.onnx"))
    engine = cuda.CudaEngine(path, read_spec(path))
    with pytest.raises(FrameError):
        engine.segment(np.zeros((3, 3)))
    assert engine.segment(images[0]).labels.dtype == np.uint8
    threads = [threading.Thread(target=engine.close) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(EngineClosedError):
        engine.segment(images[0])


def test_an_onnxruntime_without_cuda_is_refused_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for ask in (cuda.probe, lambda: open_engine(device="cuda")):
        with pytest.raises(
            DeviceError, match=r"found one with CPUExecutionProvider; run .* pip install onnxruntime-gpu"
        ):
            ask()


def test_a_session_that_fell_back_to_the_processor_is_refused(monkeypatch, tmp_path: Path) -> None:
    # What ONNX Runtime does without cuDNN: the provider is listed, a warning printed, and the processor taken.
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    real = onnxruntime.InferenceSession
    fallen = lambda path, options, providers: real(path, options, providers=["CPUExecutionProvider"])  # noqa: E731
    monkeypatch.setattr(onnxruntime, "InferenceSession", fallen)
    path = str(toy_model(tmp_path / "m.onnx"))
    with pytest.raises(DeviceError, match="found that it took CPUExecutionProvider; install the CUDA and cuDNN"):
        cuda.CudaEngine(path, read_spec(path))


def test_without_a_device_it_is_the_device_that_is_missing(monkeypatch) -> None:
    def none() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    monkeypatch.setattr(cuda, "find_device", none)
    with pytest.raises(NoDeviceError, match="STAND-IN"):
        open_engine(device="cuda")


@pytest.mark.parametrize("device", ["tensorrt", "cuda", "tensorrt-ort"])
def test_a_shipped_model_that_is_named_runs_in_fp16_there_and_a_named_file_as_it_is(
    device: str, user_cache: Path
) -> None:
    wanted = DEVICES[device].precisions
    for model in models():
        assert model_path(model.name, wanted) == model.file("fp16")
        assert model_path(f"{model.name}.fp32", wanted) == model.file("fp32")
        assert model_path(model.file("int8"), wanted) == model.file("int8")
    assert model_path(None, wanted) == models()[0].file("fp16")
