"""What every engine does, on every device that this machine has."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnxruntime
import pytest

from echo_rt.engine import DEVICES, Device, choose, open_engine, probe
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.engine.openvino import OpenVinoEngine
from echo_rt.errors import (
    DeviceError,
    EngineClosedError,
    FrameError,
    MissingExtraError,
    ModelError,
    NoDeviceError,
    ParameterError,
)
from echo_rt.model import CLASSES, ModelInput, ModelSpec, model_path, models, read_spec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reference.preprocess import preprocess
from echo_rt.segmentation import GridMap
from support.remembering import temporal_model
from support.toy import toy_model


@pytest.fixture(
    params=[pytest.param(name, marks=() if name in ("cpu", "openvino") else pytest.mark.gpu) for name in DEVICES]
)
def device(request) -> str:
    try:
        probe(request.param)
    except (DeviceError, MissingExtraError) as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture
def engine(device):
    with open_engine(device=device) as opened:
        yield opened


def image_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@lru_cache
def heart(*shape: int) -> np.ndarray:
    """A simulated heart, squeezed into an image of that shape."""
    image = Phantom(PhantomOptions.of(ef=55, hr=70, fps=30, seconds=1, seed=2, height=480, width=640)).frame(3).image
    grey = cv2.resize(image if image.ndim == 2 else image[..., 0], (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return grey if len(shape) == 2 else np.stack([grey // 2, grey, np.minimum(grey, 200)], axis=-1)


def plain_inference(image: np.ndarray) -> np.ndarray:
    """The definition: reference preprocess, the FP32 network, softmax."""
    path = models()[0].file("fp32")
    spec = read_spec(path)
    grey = preprocess(image, GridMap.letterbox(image.shape[:2], spec.input.grid), spec.input.mean, spec.input.std)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": grey[None, None]})[0][0]
    exponential = np.exp(logits - logits.max(0))
    return exponential / exponential.sum(0)


SHAPES = [(480, 640), (480, 640, 3), (600, 800, 3), (113, 157, 3), (479, 641)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_engine_draws_what_the_definition_draws_within_the_gate(engine, shape) -> None:
    found, expected = engine.segment(heart(*shape)), plain_inference(heart(*shape)).argmax(0)
    assert found.labels.dtype == np.uint8
    assert found.mask().shape == shape[:2]
    for label in (1, 2, 3):
        one, other = found.labels == label, expected == label
        assert other.sum() > 100
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.98, CLASSES[label]


@pytest.mark.parametrize("shape", [(1, 300), (300, 1, 3), (1, 1), (2, 5000), (31, 7, 3)])
def test_every_engine_takes_an_image_of_any_size(engine, shape) -> None:
    found = engine.segment(image_of(*shape))
    assert found.mask().shape == shape[:2]
    np.testing.assert_allclose(found.probability.sum(0), 1, atol=1e-5)
    assert np.abs(found.probability - plain_inference(image_of(*shape))).mean() < 0.02


@pytest.mark.parametrize("shape", [*SHAPES, (1, 300), (300, 1, 3), (1, 1)])
def test_in_fp32_the_processor_gives_the_numbers_of_the_definition(shape) -> None:
    with open_engine("lv-edge.fp32", "cpu") as engine:
        found = engine.segment(image_of(*shape))
    expected = plain_inference(image_of(*shape))
    np.testing.assert_allclose(found.probability, expected, atol=2e-3)
    assert (found.labels != expected.argmax(0)).mean() < 1e-3


def test_every_engine_hands_on_a_memory_and_forgets_without_it(device) -> None:
    images = [image_of(120, 160), heart(480, 640), heart(480, 640)]
    with open_engine(temporal_model(), device) as engine:
        first = engine.segment(images[0])
        kept = first.state if device == "tensorrt" else copy.deepcopy(first.state)  # on a GPU it is no array
        second = engine.segment(images[1], first.state)
        engine.segment(images[2], second.state)
        assert engine.spec.state
        assert not np.array_equal(second.probability, engine.segment(images[1]).probability), (
            "a memory that changes nothing"
        )
        np.testing.assert_array_equal(engine.segment(images[1], kept).probability, second.probability)
        np.testing.assert_array_equal(engine.segment(images[1], first.state).probability, second.probability)


def test_every_engine_refuses_a_state_of_another_model(device) -> None:
    image = heart(120, 160)
    with open_engine(temporal_model(), device) as one, open_engine("lv-edge", device) as other:
        state = one.segment(image).state
        for engine, foreign in ((other, state), (one, {"hidden": np.zeros((1, 8, 7, 9), np.float32)}), (one, 3)):
            with pytest.raises(
                ParameterError, match="expected the state that this engine gave with the frame before, found"
            ):
                engine.segment(image, foreign)
        one.segment(image, state)


def test_a_crop_that_is_not_contiguous_is_the_same_as_its_copy(engine) -> None:
    view = image_of(600, 800, 3)[40:520:2, 100:700]
    np.testing.assert_array_equal(engine.segment(view).probability, engine.segment(view.copy()).probability)


def test_a_reading_can_be_kept_its_arrays_are_not_written_again(engine) -> None:
    first = engine.segment(image_of(100, 100))
    kept = first.probability.copy()
    engine.segment(np.zeros((100, 100), np.uint8))
    np.testing.assert_array_equal(first.probability, kept)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 5), np.uint8)])
def test_what_is_no_image_is_refused_and_the_engine_goes_on(engine, bad) -> None:
    with pytest.raises(FrameError, match="found"):
        engine.segment(bad)
    assert engine.segment(image_of(50, 50)).labels.shape == engine.spec.input.grid


@pytest.mark.parametrize(("kind", "library"), [(CpuEngine, "onnxruntime"), (OpenVinoEngine, "openvino")])
def test_between_two_frames_the_threads_of_a_network_leave_the_cores_to_others(kind, library) -> None:
    pytest.importorskip(library)
    path = model_path("lv-edge.fp32")
    spent = slept = 0.0
    with kind(str(path), read_spec(path), threads=2) as engine:
        for _ in range(12):
            engine.segment(image_of(50, 50))
            before, start = time.process_time(), time.perf_counter()
            time.sleep(0.02)
            spent, slept = spent + time.process_time() - before, slept + time.perf_counter() - start
    assert spent < 0.5 * slept


def test_a_closed_engine_is_refused_and_closing_twice_does_no_harm(engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineClosedError, match="open a new one"):
        engine.segment(image_of(50, 50))


def test_two_engines_and_threads_that_share_one_give_the_same(engine) -> None:
    image = image_of(200, 300)
    expected = engine.segment(image).probability
    found: list[np.ndarray] = []
    with open_engine(device=engine.device) as other:
        threads = [
            threading.Thread(target=lambda e=e: found.append(e.segment(image).probability))
            for e in (engine, other, engine)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 3
    for probability in found:
        np.testing.assert_array_equal(probability, expected)


def test_every_device_says_what_it_is(device) -> None:
    assert len(probe(device).splitlines()) == 1


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES.keys())
def test_every_line_of_the_devices_names_an_engine_and_its_probe(device: Device) -> None:
    module = importlib.import_module(f"echo_rt.engine.{device.module}")
    kind = getattr(module, device.engine)
    assert callable(module.probe)
    assert DEVICES[kind.device] is device
    for name in ("segment", "close", "__enter__", "__exit__"):
        assert callable(getattr(kind, name))


@pytest.fixture
def flux(monkeypatch) -> Device:
    """A device that this machine lacks."""

    def absent() -> str:
        raise NoDeviceError("expected a flux capacitor, found none")

    module = ModuleType("echo_rt.engine.flux")
    module.probe = absent
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Device("flux", "FluxEngine", ("fp32",))


def test_auto_takes_the_first_device_that_can_be_used_and_says_why(flux: Device, monkeypatch) -> None:
    monkeypatch.setattr("echo_rt.engine.DEVICES", {"flux": flux, **DEVICES})
    device, why = choose()
    assert device != "flux"
    assert why.startswith(f"{device}: ")
    assert "flux: expected a flux capacitor, found none" in why
    with open_engine() as engine:
        assert engine.device == device


def test_without_any_device_each_reason_is_given(flux: Device, monkeypatch) -> None:
    monkeypatch.setattr("echo_rt.engine.DEVICES", {"flux": flux})
    with pytest.raises(DeviceError, match=r"found none \(flux: expected a flux capacitor"):
        open_engine()


def test_the_processor_runs_int8_where_the_gate_passed_and_else_fp32(tmp_path: Path, monkeypatch) -> None:
    with open_engine("lv-edge", "cpu") as engine:
        assert engine.spec.precision == "int8"
        assert engine.description.startswith("lv-edge.int8.onnx on ONNX Runtime")
    for name, ok in (("good", True), ("bad", False)):
        spec = ModelSpec(
            name,
            "1",
            ModelInput(64, 48, 90.0, 55.0),
            precision="int8",
            parity={"ok": True} if ok else {"failed": ["Dice"]},
        )
        toy_model(tmp_path / f"{name}.int8.onnx", spec=spec)
        toy_model(tmp_path / f"{name}.fp32.onnx", spec=dataclasses.replace(spec, precision="fp32", parity={}))
    monkeypatch.setattr("echo_rt.model.shipped.models_dir", lambda: tmp_path)
    assert [model_path(name, ("int8", "fp32")).name for name in ("good", "bad")] == ["good.int8.onnx", "bad.fp32.onnx"]
    assert model_path("bad.int8", ("fp32",)).name == "bad.int8.onnx", "a file that is named is taken as it is"
    with open_engine("bad", "cpu") as engine:
        assert engine.spec.precision == "fp32"


def test_a_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"expected a device of auto, .*cpu"):
        open_engine(device="abacus")


def test_a_network_that_contradicts_its_spec_is_refused_with_both_values(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"its spec says .*48, 64.* the network has .*32, 32"):
        open_engine(toy_model(tmp_path / "m.onnx", grid=(32, 32)))


def test_a_file_whose_network_is_broken_is_refused(tmp_path: Path) -> None:
    path = toy_model(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(b"Conv", b"Gelu"))  # of a later opset
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        open_engine(path)
