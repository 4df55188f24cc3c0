"""A model repository for NVIDIA's Triton Inference Server, for those who serve many streams from one GPU.

``REPOSITORY/<name>`` runs the ONNX file on Triton's ONNX Runtime back end; ``REPOSITORY/<name>-tensorrt`` runs an
engine on its TensorRT back end. Preprocessing and all that follows the network stay with the client, who finds the
model's spec in the parameter ``echo_rt`` of the configuration.

Batching: our networks have a fixed batch of one, the shape that passed the parity gate and that engines are fastest at.
So ``max_batch_size`` is 0 (Triton adds no batch axis and joins no requests), and streams run side by side as instances
instead. The memory of a temporal model stays in the server as Triton's implicit state, zero at the start of a sequence:
the client gives each stream a sequence id and marks its first and last frame. Since Triton keeps that state for each
sequence and not in the instance, the strategy ``oldest`` lets all streams share the instances; ``direct`` would bind
each of them to one stream.

The names are those of ``model_config.proto`` of Triton.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from echo_rt.engine.signature import check_signature
from echo_rt.engine.tensorrt.build import TensorInfo
from echo_rt.engine.tensorrt.cache import read_engine
from echo_rt.engine.tensorrt.record import record_path, sha256
from echo_rt.errors import ModelError, OutputError, ParameterError
from echo_rt.model import METADATA_KEY, ModelSpec, read_spec

MAX_SEQUENCES = 64
"""Streams with a memory that the server follows at once; more wait until one ends."""

IDLE_S = 10
"""After so many seconds without a frame a stream's memory is given up: a probe that was put away ends its sequence."""

_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "int8": "TYPE_INT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
}


@dataclass(frozen=True)
class TritonModel:
    """One folder of the repository.

    Attributes:
        name: of the folder.
        backend: ``onnxruntime`` or ``tensorrt``.
        file: the name that this back end looks for.
        content: of that file.
        inputs, outputs: of the network, states among them.
    """

    name: str
    backend: str
    file: str
    content: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def export_triton(
    model: Path, repository: Path, engine: Path | None = None, instances: int = 1, version: int = 1, gpu: bool = True
) -> list[Path]:
    """Write the model's folders into a repository, whole or not at all.

    Args:
        model: an echo-rt ONNX file.
        repository: Triton's model repository; made where it is missing.
        engine: an engine of `model` that `echo-rt export tensorrt` wrote; Triton has to have the TensorRT release and
            the GPU of it.
        instances: how many frames may be in the network at once, on each GPU.
        version: of the model in Triton's sense, the name of the inner folder.
        gpu: whether the ONNX file runs on the GPU rather than on the processor.

    Returns:
        The folders.

    Raises:
        ModelError: the file is not an echo-rt model of fixed shapes, or the engine is not one of it.
        ParameterError: instances or version are less than 1.
        OutputError: the repository cannot be written, or has a model of that name.
    """
    for name, number in (("instances", instances), ("version", version)):
        if number < 1:
            raise ParameterError(f"expected {name} of at least 1, found {number}")
    spec = read_spec(model)
    if not re.fullmatch(r"\w[\w.-]*", spec.name):
        raise ModelError(
            f"{model}: expected a name that can be a folder's, found {spec.name!r}; "
            "train or export it under another name"
        )
    wanted = _models(model, spec, engine)
    try:
        repository.mkdir(parents=True, exist_ok=True)
        # Beside the repository, since a server that polls it would take any folder in it for a model.
        beside = repository.absolute().parent
        with tempfile.TemporaryDirectory(prefix=f".{repository.name}.", suffix=".part", dir=beside) as part:
            for entry in wanted:
                text = config(entry, spec, instances, gpu or entry.backend == "tensorrt")
                inner = _write(Path(part), entry, text, version)
                if engine is not None and entry.backend == "tensorrt":
                    # Triton passes over it; people find there what the engine was built for.
                    shutil.copyfile(record_path(engine), inner / "model.plan.json")
            return _move(Path(part), repository, [entry.name for entry in wanted])
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{repository}: expected to write a model repository, found {error.strerror or error}; "
            "free some space or name another folder"
        ) from None


def _models(model: Path, spec: ModelSpec, engine: Path | None) -> list[TritonModel]:
    """The ONNX file, and the engine where there is one, after the checks that need the files' content."""
    content = model.read_bytes()
    inputs, outputs = network_tensors(str(model), content)
    check_signature(str(model), spec, {t.name: t.shape for t in inputs}, {t.name: t.shape for t in outputs})
    found = [TritonModel(spec.name, "onnxruntime", "model.onnx", content, inputs, outputs)]
    if engine is not None:
        stored = read_engine(engine)
        if stored.record.wanted.onnx_sha256 != sha256(content):
            raise ModelError(
                f"{engine}: expected an engine of {model}, found one of another file; "
                "build it with `echo-rt export tensorrt`"
            )
        name, record = f"{spec.name}-tensorrt", stored.record
        found.append(TritonModel(name, "tensorrt", "model.plan", stored.data, record.inputs, record.outputs))
    return found


def _write(repository: Path, model: TritonModel, text: str, version: int) -> Path:
    """Write one model's folder with its configuration; returns the folder of the version."""
    inner = repository / model.name / str(version)
    inner.mkdir(parents=True)
    (inner / model.file).write_bytes(model.content)
    (inner.parent / "config.pbtxt").write_text(text, encoding="utf-8")
    return inner


def network_tensors(origin: str, content: bytes) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """The inputs and outputs of an ONNX file.

    Raises:
        ModelError: it is not ONNX or not self-contained, or a shape or type in it is not fixed or not one that Triton
            is given here.
    """
    try:
        graph = onnx.load_from_string(content).graph
    except DecodeError:
        raise ModelError(f"{origin}: expected an ONNX file, found something else or a truncated one") from None
    if outside := [
        entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"
    ]:
        raise ModelError(
            f"{origin}: expected one self-contained file, found weights in {outside[0]}; export the model again"
        )
    constants = {tensor.name for tensor in graph.initializer}
    return (
        tuple(_tensor(origin, value) for value in graph.input if value.name not in constants),
        tuple(_tensor(origin, value) for value in graph.output),
    )


def config(model: TritonModel, spec: ModelSpec, instances: int = 1, gpu: bool = True) -> str:
    """The text of config.pbtxt, a ``ModelConfig`` in protobuf's text format."""
    states = {name: f"{name}_next" for name in spec.state}
    lines = [
        f"name: {_quoted(model.name)}",
        f"backend: {_quoted(model.backend)}",
        f"default_model_filename: {_quoted(model.file)}",
        "# A fixed batch of one: the shapes below are whole, and streams run side by side as instances.",
        "max_batch_size: 0",
        *_tensors("input", [tensor for tensor in model.inputs if tensor.name not in states]),
        *_tensors("output", [tensor for tensor in model.outputs if tensor.name not in states.values()]),
        f"instance_group [ {{ count: {instances} kind: {'KIND_GPU' if gpu else 'KIND_CPU'} }} ]",
        f"parameters {{ key: {_quoted(METADATA_KEY)} value: {{ string_value: {_quoted(spec.to_json())} }} }}",
    ]
    if states:
        shapes = {tensor.name: tensor for tensor in model.inputs}
        lines += [
            "# The memory stays in the server, zero at the first frame of a sequence.",
            "sequence_batching {",
            f"  max_sequence_idle_microseconds: {IDLE_S * 1_000_000}",
            f"  oldest {{ max_candidate_sequences: {MAX_SEQUENCES} }}",
        ]
        for name, after in states.items():
            form = _form(shapes[name])
            lines += [
                "  state {",
                f"    input_name: {_quoted(name)} output_name: {_quoted(after)} {form}",
                f"    initial_state {{ name: {_quoted(f'zero {name}')} {form} zero_data: true }}",
                "  }",
            ]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _tensors(side: str, tensors: Sequence[TensorInfo]) -> list[str]:
    return [f"{side} {{ name: {_quoted(tensor.name)} {_form(tensor)} }}" for tensor in tensors]


def _form(tensor: TensorInfo) -> str:
    return f"data_type: {_TYPES[tensor.dtype]} dims: {list(tensor.shape)}"


def _tensor(origin: str, value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    # A dimension without a number is 0 here, whether it has a name or is missing.
    shape = tuple(dimension.dim_value for dimension in tensor.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else "no type"
    if dtype not in _TYPES or not all(shape):
        raise ModelError(
            f"{origin}: expected tensors of fixed shape and a type of {', '.join(_TYPES)}, "
            f"found {value.name} of {list(shape)} {dtype}; "
            "export the model again"
        )
    return TensorInfo(value.name, shape, dtype)


def _quoted(text: str) -> str:
    # JSON's escapes of quotes, backslashes and line ends are those of protobuf's text format too; what is not ASCII
    # stays as it is.
    return json.dumps(text, ensure_ascii=False)


def _move(part: Path, repository: Path, names: Sequence[str]) -> list[Path]:
    targets = [repository / name for name in names]
    if there := [target for target in targets if target.exists()]:
        raise OutputError(
            f"{there[0]}: expected no model of that name, found one; remove it, or name another repository"
        )
    moved: list[Path] = []
    try:
        for target in targets:
            os.rename(part / target.name, target)
            moved.append(target)
    except OSError:
        for target in moved:
            shutil.rmtree(target, ignore_errors=True)
        raise
    return targets
