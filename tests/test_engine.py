from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from echo_rt.engine import DEVICES, open_engine, probe
from echo_rt.engine.postprocess import postprocess
from echo_rt.engine.preprocess import reference
from echo_rt.errors import DeviceError, EngineClosedError, FrameError, MissingExtraError, ModelError, ParameterError
from echo_rt.model import models, read_spec
from echo_rt.segmentation import GridMap
from test_model import toy_model

GPU = ("tensorrt", "cuda")
ON_GPU = [pytest.param(device, marks=pytest.mark.gpu) if device in GPU else device for device in DEVICES]


@pytest.fixture(params=ON_GPU)
def engine(request):
    try:
        probe(request.param)
    except (DeviceError, MissingExtraError) as error:
        pytest.skip(str(error))
    with open_engine(device=request.param) as opened:
        yield opened


def image_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def plain_inference(image: np.ndarray) -> np.ndarray:
    """The definition: reference preprocess, the network in FP32, softmax."""
    path = models()[0].path
    spec = read_spec(path)
    grey = reference(image, GridMap.letterbox(image.shape[:2], (spec.height, spec.width)), spec.mean, spec.std)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": grey[None, None]})[0][0]
    exponential = np.exp(logits - logits.max(0))
    return exponential / exponential.sum(0)


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 3), (113, 57, 3), (1, 300), (300, 1, 3), (1, 1)])
def test_every_engine_gives_what_the_definition_gives(engine, shape) -> None:
    image = image_of(*shape)
    found = engine.segment(image)
    expected = plain_inference(image)
    # A file in FP16 is held to what the parity gate allows it; on noise a pixel can lie anywhere between two classes.
    half = engine.spec.precision == "fp16"
    np.testing.assert_allclose(found.probability, expected, atol=0.1 if half else 2e-3)
    assert found.labels.dtype == np.uint8
    assert (found.labels != expected.argmax(0)).mean() < (1e-2 if half else 1e-3)
    assert found.mask().shape == shape[:2]


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
        threads = [threading.Thread(target=lambda e=e: found.append(e.segment(image).probability)) for e in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 2
    for probability in found:
        np.testing.assert_array_equal(probability, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_says_what_it_is_or_in_one_line_why_it_cannot_be_used(device: str) -> None:
    try:
        said = probe(device)
    except (DeviceError, MissingExtraError) as error:
        assert device != "cpu"
        said = str(error)
    assert said
    assert "\n" not in said


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
    probability, labels = postprocess(logits)
    np.testing.assert_allclose(probability[:, 0, 0], [1 / 6, 1 / 6, 1 / 2, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(probability[:, 0, 1], [1, 0, 0, 0], atol=1e-6)
    assert labels.tolist() == [[2, 0]]


def test_the_mask_at_image_size_has_its_border_where_the_probabilities_have_it() -> None:
    from echo_rt.segmentation import Segmentation

    # Cavity right of a border at grid position 3.75: a nearest-neighbour mask would put it at 3.5.
    ramp = np.clip(np.arange(8) - 3.75 + 0.5, 0, 1).astype(np.float32)
    cavity = np.tile(ramp, (8, 1))
    probability = np.stack([1 - cavity, cavity, 0 * cavity, 0 * cavity])
    found = Segmentation(probability, probability.argmax(0).astype(np.uint8), GridMap.letterbox((80, 80), (8, 8))).mask(1)
    border = 80 - found[40].sum()
    assert border == pytest.approx((3.75 + 0.5) * 10, abs=1)
