from __future__ import annotations

import copy
import dataclasses
import threading
import time
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt.engine import DEVICES, choose, open_engine, probe
from echo_rt.engine import postprocess as postprocessing
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.engine.openvino import OpenVinoEngine
from echo_rt.engine.postprocess import postprocess, reference
from echo_rt.engine.preprocess import reference as preprocess_reference
from echo_rt.errors import (
    DeviceError,
    EngineClosedError,
    FrameError,
    MissingExtraError,
    ModelError,
    NoDeviceError,
    ParameterError,
)
from echo_rt.model import CLASSES, ModelSpec, model_path, models, read_spec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.segmentation import GridMap, Segmentation
from support.toy import toy_model

native = pytest.mark.skipif(postprocessing._native is None, reason="the native kernels were not built: no C++ compiler")


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.gpu if name in ("tensorrt", "cuda") else ()) for name in DEVICES]
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
    grey = preprocess_reference(
        image, GridMap.letterbox(image.shape[:2], (spec.height, spec.width)), spec.mean, spec.std
    )
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
    with open_engine("lv-edge-temporal", device) as engine:
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
    with open_engine("lv-edge-temporal", device) as one, open_engine("lv-edge", device) as other:
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
    assert engine.segment(image_of(50, 50)).labels.shape == (engine.spec.height, engine.spec.width)


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


def test_two_engines_and_another_thread_give_the_same(engine) -> None:
    image = image_of(200, 300)
    expected = engine.segment(image).probability
    found: list[np.ndarray] = []
    with open_engine(device=engine.device) as other:
        threads = [
            threading.Thread(target=lambda e=e: found.append(e.segment(image).probability)) for e in (engine, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 2
    for probability in found:
        np.testing.assert_array_equal(probability, expected)


def test_every_device_says_what_it_is(device) -> None:
    assert len(probe(device).splitlines()) == 1


def test_auto_takes_the_first_device_that_can_be_used_and_says_why(monkeypatch) -> None:
    def absent() -> str:
        raise NoDeviceError("expected a flux capacitor, found none")

    monkeypatch.setattr(
        "echo_rt.engine.DEVICES", {"flux": dataclasses.replace(DEVICES["cpu"], probe=absent), **DEVICES}
    )
    device, why = choose()
    assert device != "flux"
    assert why.startswith(f"{device}: ")
    assert "flux: expected a flux capacitor, found none" in why
    with open_engine() as engine:
        assert engine.device == device


def test_without_any_device_each_reason_is_given(monkeypatch) -> None:
    def absent() -> str:
        raise NoDeviceError("expected a flux capacitor, found none")

    monkeypatch.setattr("echo_rt.engine.DEVICES", {"flux": dataclasses.replace(DEVICES["cpu"], probe=absent)})
    with pytest.raises(DeviceError, match=r"found none \(flux: expected a flux capacitor"):
        open_engine()


def test_the_processor_runs_int8_where_the_gate_passed_and_else_fp32(tmp_path: Path, monkeypatch) -> None:
    with open_engine("lv-edge", "cpu") as engine:
        assert engine.spec.precision == "int8"
        assert engine.description.startswith("lv-edge.int8.onnx on ONNX Runtime")
    for name, ok in (("good", True), ("bad", False)):
        spec = ModelSpec(
            name, "1", 64, 48, 90.0, 55.0, precision="int8", parity={"ok": True} if ok else {"failed": ["Dice"]}
        )
        toy_model(tmp_path / f"{name}.int8.onnx", spec=spec)
        toy_model(tmp_path / f"{name}.fp32.onnx", spec=dataclasses.replace(spec, precision="fp32", parity={}))
    monkeypatch.setattr("echo_rt.model.spec.models_dir", lambda: tmp_path)
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
    path.write_bytes(path.read_bytes().replace(b"Conv", b"Cony"))
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        open_engine(path)


def test_softmax_and_labels_by_hand() -> None:
    logits = np.zeros((4, 1, 2), np.float32)
    logits[2, 0, 0] = np.log(3)
    logits[0, 0, 1] = 800  # would overflow without the usual shift
    probability, labels, tally = postprocess(logits)
    np.testing.assert_allclose(probability[:, 0, 0], [1 / 6, 1 / 6, 1 / 2, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(probability[:, 0, 1], [1, 0, 0, 0], atol=1e-6)
    assert labels.tolist() == [[2, 0]]
    np.testing.assert_allclose(tally[0], [1, 0, 1, 0])
    np.testing.assert_allclose(tally[1], [7 / 6, 1 / 6, 1 / 2, 1 / 6], atol=1e-6)
    np.testing.assert_allclose(tally[2], [1, 0, 1 / 2, 0], atol=1e-6)


@native
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 70),
    scale=st.sampled_from([0.0, 1.0, 30.0, 500.0]),
)
def test_the_native_postprocess_is_the_reference(seed: int, height: int, width: int, scale: float) -> None:
    logits = (np.random.default_rng(seed).normal(size=(4, height, width)) * scale).astype(np.float32)
    fast, slow = postprocess(logits), reference(logits)
    np.testing.assert_allclose(fast[0], slow[0], atol=1e-6)
    np.testing.assert_array_equal(fast[1], slow[1])
    np.testing.assert_allclose(fast[2], slow[2], rtol=1e-5, atol=1e-4)


@native
@given(
    seed=st.integers(0, 2**32 - 1),
    grid=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    image=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_the_native_mask_is_the_reference(seed: int, grid: tuple[int, int], image: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.normal(size=(*grid, 4)), (0, 0), 2).reshape(*grid, 4).transpose(2, 0, 1)
    probability, labels, _ = reference(np.ascontiguousarray(20 * smooth, np.float32))
    at = GridMap.letterbox(image, grid)
    segmentation = Segmentation(probability, labels, at)
    fast, slow = segmentation.mask(), segmentation.reference_mask()
    assert fast.shape == slow.shape == image
    # OpenCV places pixels to 1/32 of the grid's, the kernel places them where they are.
    assert (fast != slow).sum() <= max(3, 0.06 * fast.size)
    full = interpolated(probability, at)
    second, first = np.sort(full, axis=0)[-2:]
    certain = first - second > 1e-5
    np.testing.assert_array_equal(fast[certain], full.argmax(0)[certain])
    np.testing.assert_array_equal(segmentation.mask(2), fast == 2)


def interpolated(probability: np.ndarray, at: GridMap) -> np.ndarray:
    """Bilinear, in double precision, (classes, height, width) of the image; beyond the rim the grid's last pixel goes
    on."""
    full = probability.astype(np.float64)
    for axis, shift in ((1, at.y0), (2, at.x0)):
        last = at.grid[axis - 1] - 1
        place = np.clip((np.arange(at.image[axis - 1]) - shift) / at.scale, 0, last)
        low = np.floor(place).astype(int)
        share = (place - low).reshape(-1, 1) if axis == 1 else place - low
        full = (1 - share) * full.take(low, axis) + share * full.take(np.minimum(low + 1, last), axis)
    return full


def test_the_mask_at_image_size_has_its_border_where_the_probabilities_have_it() -> None:
    from echo_rt.segmentation import Segmentation

    # Cavity right of a border at grid position 3.75: a nearest-neighbour mask would put it at 3.5.
    ramp = np.clip(np.arange(8) - 3.75 + 0.5, 0, 1).astype(np.float32)
    cavity = np.tile(ramp, (8, 1))
    probability = np.stack([1 - cavity, cavity, 0 * cavity, 0 * cavity])
    found = Segmentation(probability, probability.argmax(0).astype(np.uint8), GridMap.letterbox((80, 80), (8, 8))).mask(
        1
    )
    border = 80 - found[40].sum()
    assert border == pytest.approx((3.75 + 0.5) * 10, abs=1)
