"""FP16 and INT8 files, and what is refused."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from echo_rt.engine import open_engine
from echo_rt.errors import DataError, ModelError, OutputError, ParameterError
from echo_rt.model import model_path, models
from echo_rt.model.half import to_fp16
from echo_rt.sources import open_source
from echo_rt_export import conversion, parity
from echo_rt_export.precision import MAX_CALIBRATION_FRAMES, calibration_feeds, to_int8
from echo_rt_network.model_file import check_model, read_model, write_model
from echo_rt_network.weights import load_weights
from support.commands import export
from support.toy import SPEC, toy_model
from support.training import network_with_all, toy_network_file, toy_weights

PHANTOM = "phantom:?ef=50&hr=80&fps=15&seconds=1.5&seed=5"


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Path:
    """A small network with both heads and two memories, in FP32."""
    return toy_network_file(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def converted(full: Path) -> dict[str, Path]:
    """The same network in every precision."""
    model, spec = read_model(full)
    with open_engine(full) as engine:
        feeds = calibration_feeds(model, engine, [PHANTOM])
    files = {"fp32": full}
    for precision, network in (("fp16", to_fp16(model)), ("int8", to_int8(model, feeds))):
        files[precision] = full.with_name(f"toy.{precision}.onnx")
        write_model(network, replace(spec, precision=precision), files[precision])
    return files


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), ("int8", 0.2)])
def test_a_converted_network_says_what_its_source_says_frame_after_frame(
    converted, precision: str, tolerance: float, cine: Path
) -> None:
    states: list = [None, None]
    differences = []
    with open_engine(converted["fp32"]) as one, open_engine(converted[precision]) as other, open_source(cine) as source:
        assert other.spec == replace(one.spec, precision=precision)
        for frame in source:
            found = [engine.segment(frame.image, state) for engine, state in zip((one, other), states, strict=True)]
            states = [segmentation.state for segmentation in found]
            assert {array.dtype for array in states[1].values()} == {np.dtype(np.float32)}
            differences.append(np.abs(found[0].probability - found[1].probability).max())
    assert 0 < max(differences) < tolerance, "it is another network, and nearly the same"


def test_fp16_is_by_types_between_inputs_and_outputs_of_fp32(converted) -> None:
    model = onnx.load(converted["fp16"])
    assert {tensor.data_type for tensor in model.graph.initializer if tensor.data_type != TensorProto.INT64} == {
        TensorProto.FLOAT16
    }
    edges = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in edges} == {TensorProto.FLOAT}
    first = next(node for node in model.graph.node if "image" in node.input)
    assert first.op_type == "Cast"
    inside = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    convolved = [
        inside[node.output[0]] for node in model.graph.node if node.op_type == "Conv" and node.output[0] in inside
    ]
    assert convolved
    assert set(convolved) == {TensorProto.FLOAT16}


def test_a_node_that_is_kept_stays_in_fp32(full: Path) -> None:
    model, _ = read_model(full)
    last = next(node for node in model.graph.node if "logits" in node.output)
    half = to_fp16(model, [last.name])
    types = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert types[last.input[1]] == TensorProto.FLOAT
    assert TensorProto.FLOAT16 in types.values()


@pytest.mark.parametrize("symmetric", [False, True])
def test_int8_has_a_scale_for_each_channel_and_zero_points_where_they_are_free(full: Path, symmetric: bool) -> None:
    fp32, _ = read_model(full)
    with open_engine(full, "cpu") as engine:
        feeds = [{"image": np.random.default_rng(k).normal(size=(1, 1, 32, 32)).astype(np.float32)} for k in range(4)]
        zeros = {name: np.zeros([side.dim_value for side in value.type.tensor_type.shape.dim], np.float32)
                 for value in fp32.graph.input if (name := value.name) in engine.spec.state}  # fmt: skip
    model = to_int8(fp32, [{**feed, **zeros} for feed in feeds], symmetric=symmetric)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    weights = [producers[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
    assert {node.op_type for node in weights} == {"DequantizeLinear"}
    assert all(tensors[node.input[0]].dtype == np.int8 for node in weights)
    assert all(tensors[node.input[1]].shape == tensors[node.input[0]].shape[:1] for node in weights)
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    free = [tensors[node.input[2]] for node in pairs if tensors[node.input[2]].dtype == np.uint8]
    assert bool(free) is not symmetric
    assert not any(tensors[node.input[2]].any() for node in pairs if tensors[node.input[2]].dtype == np.int8)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_file_is_valid_self_contained_and_runs_on_openvino_too(converted, precision: str) -> None:
    pytest.importorskip("openvino")
    model, spec = read_model(converted[precision])
    assert spec.precision == precision
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 17}
    image = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    with open_engine(converted[precision], "cpu") as engine, open_engine(converted[precision], "openvino") as other:
        np.testing.assert_allclose(other.segment(image).probability, engine.segment(image).probability, atol=0.05)


def test_calibration_sees_hearts_with_the_state_before_them_and_no_more_than_it_can_hold(
    full: Path, cine: Path
) -> None:
    model, _ = read_model(full)
    with open_engine(full) as engine:
        feeds = calibration_feeds(model, engine, [str(cine)] * 6)
        assert MAX_CALIBRATION_FRAMES <= len(feeds) <= 2 * MAX_CALIBRATION_FRAMES
        assert set(feeds[0]) == {"image", *engine.spec.state}
    assert not any(feeds[0][name].any() for name in engine.spec.state), "a recording starts without a past"
    assert all(feeds[1][name].any() for name in engine.spec.state)


def edited(path: Path, change) -> Path:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.opset_import.__getitem__(0).__setattr__("version", 18), "opset up to 17.*found 18"),
        (
            lambda m: m.graph.input[0].type.tensor_type.shape.dim[0].__setattr__("dim_param", "n"),
            r"static shapes, found image of \['n', 1",
        ),
        (lambda m: m.graph.node[0].__setattr__("op_type", "Cony"), "valid ONNX network, found: .*Cony"),
        (
            lambda m: m.graph.node.append(onnx.helper.make_node("NonZero", ["image"], ["found"])),
            "TensorRT 8.5 to 11 reads, found NonZero",
        ),
    ],
)
def test_a_network_that_some_runtime_would_not_read_is_refused(change, message: str, tmp_path: Path) -> None:
    path = edited(toy_model(tmp_path / "m.onnx"), change)
    with pytest.raises(ModelError, match=message):
        read_model(path)


@pytest.mark.parametrize("zero_point", [np.int8(3), np.int32(0)])
def test_a_network_quantised_in_another_way_than_anybody_reads_is_refused(converted, zero_point) -> None:
    model = onnx.load(converted["int8"])
    zero_points = {node.input[2] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name in zero_points)
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(zero_point), tensor.name))
    del model.graph.value_info[:]
    with pytest.raises(ModelError, match=r"QuantizeLinear without INT8 with a zero point of 0|valid ONNX network"):
        check_model(model, "m.onnx")


def test_a_file_that_keeps_its_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    model = onnx.load(toy_model(tmp_path / "m.onnx"))
    [weight] = model.graph.initializer
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight), weight.name))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ModelError, match="self-contained file, found 1 tensors in external data, the first is w"):
        read_model(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("source", "precision", "error", "message"),
    [
        (lambda p: toy_model(p), "int4", ParameterError, "precision of fp32, fp16, int8, found 'int4'"),
        (lambda p: toy_model(p, None), "fp16", ModelError, "without an echo-rt spec"),
        (lambda p: toy_model(p, grid=(32, 32)), "fp16", ModelError, "its spec says .* the network has"),
        (lambda p: toy_model(p, replace(SPEC, precision="fp16")), "int8", ParameterError, "as the source, found fp16"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_named_and_nothing_is_written(
    source, precision: str, error, message: str, tmp_path: Path
) -> None:
    path = source(tmp_path / "m.onnx")
    with pytest.raises(error, match=message):
        export(["onnx", str(path), "--precision", precision, "-o", str(tmp_path / "out.onnx")])
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


def test_offsets_are_added_to_the_logits_and_nothing_else_changes(tmp_path: Path) -> None:
    network, weights = network_with_all(), toy_weights(tmp_path)
    (tmp_path / "o.json").write_text(json.dumps({"offsets": {"lv_cavity": 0.0, "lv_wall": -0.1, "left_atrium": 0.4}}))
    export(["onnx", str(weights), "-o", str(tmp_path / "plain.onnx")])
    export(["onnx", str(weights), "-o", str(tmp_path / "moved.onnx"), "--tuning", str(tmp_path / "o.json")])
    export(["weights", str(weights), "-o", str(tmp_path / "moved.safetensors"), "--tuning", str(tmp_path / "o.json")])
    plain, moved = (read_model(tmp_path / f"{name}.onnx") for name in ("plain", "moved"))
    assert plain[1] == moved[1]
    differ = [
        numpy_helper.to_array(b) - numpy_helper.to_array(a)
        for a, b in zip(plain[0].graph.initializer, moved[0].graph.initializer, strict=True)
        if a.raw_data != b.raw_data
    ]
    assert len(differ) == 1
    np.testing.assert_allclose(differ[0], [0, 0, -0.1, 0.4], atol=1e-6)
    again, _ = load_weights(tmp_path / "moved.safetensors")
    np.testing.assert_allclose((again.head.bias - network.head.bias).detach(), [0, 0, -0.1, 0.4], atol=1e-3)


@pytest.mark.parametrize(
    "logits", [{"lv_cavity": 0.1}, {"lv_cavity": 0, "lv_wall": 0, "left_atrium": 0, "right_atrium": 1}]
)
def test_offsets_of_other_classes_are_refused(logits: dict, full: Path, tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text(json.dumps({"offsets": logits}))
    given = [
        "onnx",
        str(full.with_name("w.safetensors")),
        "-o",
        str(tmp_path / "m.onnx"),
        "--tuning",
        str(tmp_path / "o.json"),
    ]
    with pytest.raises(DataError, match="expected the output of `echo-rt tune`"):
        export(given)
    assert not (tmp_path / "m.onnx").exists()
    with pytest.raises(ParameterError, match="expected weights beside --figures or --tuning, found a model"):
        export(["onnx", str(full), *given[2:]])


def test_a_full_disk_leaves_the_file_that_was_there_and_no_part_of_a_new_one(tmp_path: Path, monkeypatch) -> None:
    source, target = toy_model(tmp_path / "m.onnx"), tmp_path / "out.onnx"
    target.write_bytes(b"before")

    def full_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OutputError, match=r"out.onnx: expected to write the model, found No space left on device"):
        export(["onnx", str(source), "-o", str(target)])
    assert target.read_bytes() == b"before"
    assert {file.name for file in tmp_path.iterdir()} == {"m.onnx", "out.onnx"}


def test_what_is_kept_in_fp32_grows_from_nothing_and_always_holds_the_last_layer(full: Path) -> None:
    ladder = conversion._kept_in_fp32(*read_model(full))
    assert ladder[0] == []
    assert all("head/Conv" in step[-1] for step in ladder[1:])
    assert [len(step) for step in ladder] == [0, 1, 2, 3, 6]


def test_the_shipped_model_in_int8_keeps_its_masks(tmp_path: Path, cine: Path) -> None:
    model, spec = read_model(model_path("lv-edge"))
    with open_engine("lv-edge") as reference:
        small = to_int8(
            model, calibration_feeds(model, reference, [str(cine)]), conversion._kept_in_fp32(model, spec)[-1]
        )
        write_model(small, replace(spec, precision="int8"), tmp_path / "m.onnx")
        assert (tmp_path / "m.onnx").stat().st_size < 0.3 * model_path("lv-edge").stat().st_size
        with open_engine(tmp_path / "m.onnx") as candidate:
            assert min(parity.compare(reference, candidate, [PHANTOM]).dice.values()) >= 0.99


def test_a_precision_is_chosen_by_name_and_fp32_is_the_default(converted, monkeypatch) -> None:
    monkeypatch.setattr("echo_rt.model.shipped.models_dir", lambda: converted["fp32"].parent)
    [toy] = models()
    assert toy.files == converted
    assert toy.spec.precision == "fp32"
    assert model_path("toy") == toy.path == converted["fp32"]
    assert model_path("toy.int8") == toy.file("int8") == converted["int8"]
