"""The model repository for Triton, read back with Triton's own message types."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt.cache import cached_engine
from echo_rt.errors import ModelError, OutputError, ParameterError
from echo_rt.model import ModelSpec, models, read_spec
from echo_rt_export.triton import export_triton
from support.commands import export
from support.remembering import temporal_model
from support.stand_in_tensorrt import MARK, stand_in
from support.toy import SPEC, changed, toy_model

# The part of Triton's model_config.proto that we write (github.com/triton-inference-server/common,
# protobuf/model_config.proto): name: (number, type), with * for repeated fields. Parsing refuses every field and every
# enum value that is not here.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "ModelConfig": {
        "name": (1, "string"),
        "backend": (17, "string"),
        "max_batch_size": (4, "int32"),
        "input": (5, "*Tensor"),
        "output": (6, "*Tensor"),
        "sequence_batching": (13, "SequenceBatching"),
        "instance_group": (7, "*InstanceGroup"),
        "default_model_filename": (8, "string"),
        "parameters": (14, "*Parameter"),
    },
    # Of ModelInput and ModelOutput, whose numbers differ; the text format knows names alone.
    "Tensor": {"name": (1, "string"), "data_type": (2, "DataType"), "dims": (3, "*int64")},
    "InstanceGroup": {"kind": (4, "Kind"), "count": (2, "int32")},
    # An entry of map<string, ModelParameter>.
    "Parameter": {"key": (1, "string"), "value": (2, "ParameterValue")},
    "ParameterValue": {"string_value": (1, "string")},
    "SequenceBatching": {
        "oldest": (4, "Oldest"),
        "max_sequence_idle_microseconds": (1, "uint64"),
        "state": (5, "*State"),
    },
    "Oldest": {"max_candidate_sequences": (1, "int32")},
    "State": {
        "input_name": (1, "string"),
        "output_name": (2, "string"),
        "data_type": (3, "DataType"),
        "dims": (4, "*int64"),
        "initial_state": (5, "*InitialState"),
    },
    "InitialState": {
        "data_type": (1, "DataType"),
        "dims": (2, "*int64"),
        "zero_data": (3, "bool"),
        "name": (5, "string"),
    },
}
ENUMS = {
    "DataType": {"TYPE_INVALID": 0, "TYPE_INT8": 6, "TYPE_INT32": 8, "TYPE_INT64": 9, "TYPE_FP16": 10, "TYPE_FP32": 11},
    "Kind": {"KIND_AUTO": 0, "KIND_GPU": 1, "KIND_CPU": 2, "KIND_MODEL": 3},
}


def model_config() -> Any:
    """An empty ModelConfig of the table above."""
    Field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="subset.proto", package="subset", syntax="proto3")
    for name, values in ENUMS.items():
        # The values of protobuf's enums share one scope; ours do not collide.
        enum = file.enum_type.add(name=name)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    for name, members in MESSAGES.items():
        message = file.message_type.add(name=name)
        for label, (number, kind) in members.items():
            plain = kind.removeprefix("*")
            field = message.field.add(name=label, number=number)
            field.label = Field.LABEL_REPEATED if kind.startswith("*") else Field.LABEL_OPTIONAL
            if plain in MESSAGES or plain in ENUMS:
                field.type = Field.TYPE_MESSAGE if plain in MESSAGES else Field.TYPE_ENUM
                field.type_name = f".subset.{plain}"
            else:
                field.type = getattr(Field, f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("subset.ModelConfig"))()


def config_of(folder: Path) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), model_config())


def tensors(entries: Any) -> dict[str, tuple[int, list[int]]]:
    return {entry.name: (entry.data_type, list(entry.dims)) for entry in entries}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch) -> Path:
    """A stand-in engine of the toy model."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16"))
    model = toy_model(tmp_path / "m.onnx")
    return cached_engine(model, device=CudaDevice(0, "STAND-IN GPU", "8.6", "12.4"), say=lambda line: None).path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_repository_has_the_model_in_its_version_folder_and_a_configuration(tmp_path: Path) -> None:
    model = toy_model(tmp_path / "m.onnx")
    export(["triton", str(model), str(tmp_path / "repository"), "--instances", "3", "--model-version", "7"])
    folder = tmp_path / "repository" / "toy"
    assert files(tmp_path / "repository") == {"toy/config.pbtxt", "toy/7/model.onnx"}
    assert (folder / "7" / "model.onnx").read_bytes() == model.read_bytes()
    found = config_of(folder)
    assert (found.name, found.backend, found.default_model_filename) == ("toy", "onnxruntime", "model.onnx")
    assert tensors(found.input) == {"image": (11, [1, 1, 48, 64])}
    assert tensors(found.output) == {"logits": (11, [1, 4, 48, 64])}
    assert [(group.count, group.kind) for group in found.instance_group] == [(3, 1)]
    assert not found.HasField("sequence_batching")


def test_no_batch_axis_is_added_to_shapes_that_have_one(tmp_path: Path) -> None:
    (folder,) = export_triton(toy_model(tmp_path / "m.onnx"), tmp_path / "repository")
    found = config_of(folder)
    assert found.max_batch_size == 0
    assert found.input[0].dims[0] == 1
    assert "max_batch_size: 0" in (folder / "config.pbtxt").read_text()


def test_a_client_finds_the_spec_in_the_configuration(tmp_path: Path) -> None:
    spec = changed(SPEC, licence='a "licence", with ü and \\ and\na line', ef_calibration=(1.05, -2.0))
    (folder,) = export_triton(toy_model(tmp_path / "m.onnx", spec), tmp_path / "repository")
    (parameter,) = config_of(folder).parameters
    assert parameter.key == "echo_rt"
    assert ModelSpec.from_json(parameter.value.string_value) == spec


@pytest.mark.parametrize("shipped", models(), ids=lambda model: model.name)
def test_names_shapes_and_types_of_shipped_models_are_those_of_the_network(shipped, tmp_path: Path) -> None:
    (folder,) = export_triton(shipped.path, tmp_path / "repository", gpu=False)
    found, graph = config_of(folder), onnx.load(shipped.path).graph
    sequence = found.sequence_batching
    given = {**tensors(found.input), **{s.input_name: (s.data_type, list(s.dims)) for s in sequence.state}}
    taken = {**tensors(found.output), **{s.output_name: (s.data_type, list(s.dims)) for s in sequence.state}}
    for found_tensors, values in ((given, graph.input), (taken, graph.output)):
        expected = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
        assert {name: dims for name, (_, dims) in found_tensors.items()} == expected
        assert {kind for kind, _ in found_tensors.values()} == {ENUMS["DataType"]["TYPE_FP32"]}
    assert found.instance_group[0].kind == ENUMS["Kind"]["KIND_CPU"]


def test_the_memory_of_a_temporal_model_stays_in_the_server_and_begins_at_zero(tmp_path: Path) -> None:
    names = read_spec(temporal_model()).state
    (folder,) = export_triton(temporal_model(), tmp_path / "repository")
    found = config_of(folder)
    assert set(names).isdisjoint(tensors(found.input)), "the client sends no state"
    states = found.sequence_batching.state
    assert [(s.input_name, s.output_name) for s in states] == [(name, f"{name}_next") for name in names]
    for state in states:
        (initial,) = state.initial_state
        assert initial.zero_data
        assert (initial.data_type, list(initial.dims)) == (state.data_type, list(state.dims))
    assert found.sequence_batching.oldest.max_candidate_sequences > 1
    assert found.sequence_batching.max_sequence_idle_microseconds == 10_000_000


def test_types_come_from_the_file(tmp_path: Path) -> None:
    path = toy_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, path)
    (folder,) = export_triton(path, tmp_path / "repository")
    found = config_of(folder)
    assert (found.input[0].data_type, found.output[0].data_type) == (10, 10)


def test_an_engine_gets_a_folder_of_its_own_with_its_record(tmp_path: Path, engine: Path) -> None:
    export(["triton", str(tmp_path / "m.onnx"), str(tmp_path / "repository"), "--engine", str(engine), "--cpu"])
    repository = tmp_path / "repository"
    assert files(repository / "toy-tensorrt") == {"config.pbtxt", "1/model.plan", "1/model.plan.json"}
    assert (repository / "toy-tensorrt" / "1" / "model.plan").read_bytes().startswith(MARK)
    found = config_of(repository / "toy-tensorrt")
    assert (found.name, found.backend, found.default_model_filename) == ("toy-tensorrt", "tensorrt", "model.plan")
    assert tensors(found.input) == {"image": (11, [1, 1, 48, 64])}
    assert found.instance_group[0].kind == ENUMS["Kind"]["KIND_GPU"], "an engine has nowhere else to run"
    assert config_of(repository / "toy").instance_group[0].kind == ENUMS["Kind"]["KIND_CPU"]


def test_an_engine_of_another_model_or_of_somebody_else_is_refused_and_nothing_is_written(
    tmp_path: Path, engine: Path
) -> None:
    other = toy_model(tmp_path / "other.onnx", replace(SPEC, version="2"))
    with pytest.raises(ModelError, match=r"expected an engine of .*, found one of another file"):
        export_triton(other, tmp_path / "repository", engine)
    engine.write_bytes(MARK + b"changed")
    with pytest.raises(ModelError, match="changed or cut short"):
        export_triton(tmp_path / "m.onnx", tmp_path / "repository", engine)
    assert not (tmp_path / "repository").exists()


def test_a_model_that_is_there_already_is_not_touched(tmp_path: Path, engine: Path) -> None:
    model = tmp_path / "m.onnx"
    export_triton(model, tmp_path / "repository")
    before = files(tmp_path / "repository")
    with pytest.raises(OutputError, match="expected no model of that name, found one; remove it"):
        export_triton(model, tmp_path / "repository", engine)
    assert files(tmp_path / "repository") == before


@pytest.mark.parametrize("step", ["mkdir", "write_bytes", "write_text", "second rename"])
def test_a_full_disk_leaves_no_half_of_a_model(tmp_path: Path, engine: Path, monkeypatch, step: str) -> None:
    model, calls = tmp_path / "m.onnx", []
    rename = os.rename

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def second_full(*names: Any) -> None:
        calls.append(names)
        full() if len(calls) == 2 else rename(*names)

    if step == "second rename":
        monkeypatch.setattr(os, "rename", second_full)
    else:
        monkeypatch.setattr(Path, step, full)
    with pytest.raises(OutputError, match=r"found:? No space left on device; free some space"):
        export_triton(model, tmp_path / "repository", engine)
    monkeypatch.undo()
    assert not (tmp_path / "repository").exists() or not list((tmp_path / "repository").iterdir())
    assert not list(tmp_path.glob(".repository*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": replace(SPEC, name="../evil")}, "expected a name that can be a folder's"),
        ({"spec": None}, "without an echo-rt spec"),
        ({"grid": (0, 64)}, "expected tensors of fixed shape"),
        ({"grid": (32, 32)}, "its spec says .* the network has"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused_in_one_line(tmp_path: Path, change: dict, message: str) -> None:
    model = toy_model(tmp_path / "m.onnx", **change)
    with pytest.raises(ModelError, match=message) as refusal:
        export_triton(model, tmp_path / "repository")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "repository").exists()


def test_a_model_whose_weights_lie_in_another_file_is_refused(tmp_path: Path) -> None:
    path = toy_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    weights = model.graph.initializer[0]
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights), weights.name))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"expected one self-contained file, found weights in weights\.bin"):
        export_triton(path, tmp_path / "repository")


@pytest.mark.parametrize("option", ["instances", "version"])
def test_numbers_begin_at_one(tmp_path: Path, option: str) -> None:
    with pytest.raises(ParameterError, match=f"expected {option} of at least 1, found 0"):
        export_triton(toy_model(tmp_path / "m.onnx"), tmp_path / "repository", **{option: 0})
