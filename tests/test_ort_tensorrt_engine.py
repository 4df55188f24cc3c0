"""The `tensorrt-ort` engine. ONNX Runtime's processor provider stands for TensorRT's; the bindings are the same."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from echo_rt.engine import DEVICES, choose, open_engine
from echo_rt.engine.onnx_runtime import cuda, tensorrt
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.errors import DeviceError, MissingExtraError, NoDeviceError
from echo_rt.model import read_spec
from support.private_cache import private_cache
from support.remembering import temporal_model
from support.stand_in_tensorrt import DEVICE
from support.toy import toy_model

CPU = "CPUExecutionProvider"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch) -> list[Any]:
    """What the session was asked for: the provider with its options, and the session's options."""
    found: list[Any] = []
    real = onnxruntime.InferenceSession

    def session(path: str, options: Any, providers: list[Any]) -> Any:
        found.extend([*providers, options])
        return real(path, onnxruntime.SessionOptions(), providers=[CPU])

    private_cache(tmp_path, monkeypatch)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    monkeypatch.setattr(cuda, "PLACE", "cpu")
    monkeypatch.setattr(tensorrt, "PROVIDER", CPU)
    monkeypatch.setattr(tensorrt, "tensorrt_version", lambda device: "10.9.0")
    return found


def test_a_temporal_model_follows_a_clip_as_the_cpu_engine_does(asked) -> None:
    path = str(temporal_model())
    images = [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in range(3)]
    with tensorrt.OrtTensorRtEngine(path, read_spec(path)) as engine, CpuEngine(path, read_spec(path)) as cpu:
        assert "(tensorrt-ort, STAND-IN GPU, fp32)" in engine.description
        state = expected_state = None
        for image in images:
            found, expected = engine.segment(image, state), cpu.segment(image, expected_state)
            np.testing.assert_allclose(found.probability, expected.probability, atol=1e-5)
            state, expected_state = found.state, expected.state


@pytest.mark.parametrize(("precision", "fp16", "int8"), [("fp32", False, False), ("fp16", True, False)])
def test_the_engine_is_kept_for_its_owner_alone_and_in_the_precision_of_the_file(
    asked, tmp_path: Path, precision: str, fp16: bool, int8: bool
) -> None:
    path = str(toy_model(tmp_path / "m.onnx"))
    spec = read_spec(path)
    object.__setattr__(spec, "precision", precision)
    tensorrt.OrtTensorRtEngine(path, spec).close()
    (_, given), session = asked[:2]
    assert (given["trt_fp16_enable"], given["trt_int8_enable"]) == (fp16, int8)
    folder = Path(given["trt_engine_cache_path"])
    assert folder.is_relative_to(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert session.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"


def test_another_model_gpu_or_release_has_another_folder(asked, tmp_path: Path) -> None:
    one, other = (str(toy_model(tmp_path / f"{name}.onnx")) for name in "ab")
    first = tensorrt.engine_folder(one, DEVICE, "10.9.0")
    assert tensorrt.engine_folder(one, DEVICE, "10.9.0") == first
    Path(other).write_bytes(Path(other).read_bytes() + b"\x32\x00")
    moved = type(DEVICE)(0, "ANOTHER GPU", "8.6", "12.4")
    folders = {first, tensorrt.engine_folder(other, DEVICE, "10.9.0"), tensorrt.engine_folder(one, moved, "10.9.0")}
    assert len(folders | {tensorrt.engine_folder(one, DEVICE, "10.10.0")}) == 4


def test_a_network_that_tensorrt_does_not_take_whole_is_refused(asked, tmp_path: Path, monkeypatch) -> None:
    def refuses(path: str, options: Any, providers: list[Any]) -> None:
        raise RuntimeError("This session contains graph nodes that are assigned to the default CPU EP")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuses)
    path = str(toy_model(tmp_path / "m.onnx"))
    with pytest.raises(DeviceError, match=r"expected TensorRT 10\.9\.0 to take all of it, found: .* default CPU EP"):
        tensorrt.OrtTensorRtEngine(path, read_spec(path))


def test_a_session_that_fell_back_is_refused_with_what_to_install(asked, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tensorrt, "PROVIDER", "TensorrtExecutionProvider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider", CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    path = str(toy_model(tmp_path / "m.onnx"))
    with pytest.raises(DeviceError, match="found that it took CPUExecutionProvider; install the TensorRT that"):
        tensorrt.OrtTensorRtEngine(path, read_spec(path))


def test_the_probe_says_what_is_missing(monkeypatch) -> None:
    def none() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    monkeypatch.setattr(cuda, "find_device", none)
    with pytest.raises(NoDeviceError, match="STAND-IN"):
        open_engine(device="tensorrt-ort")
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    with pytest.raises(DeviceError, match=r"device tensorrt-ort: .* pip install onnxruntime-gpu"):
        tensorrt.probe()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider", CPU])
    with pytest.raises(MissingExtraError, match="a TensorRT engine needs"):
        tensorrt.probe()


def test_auto_does_not_take_it_while_cuda_can_be_used(monkeypatch) -> None:
    assert list(DEVICES).index("cuda") < list(DEVICES).index("tensorrt-ort")
    monkeypatch.setattr(cuda, "find_device", lambda: DEVICE)
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    assert choose()[0] == "cuda"
