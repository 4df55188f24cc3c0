"""ONNX files of echo-rt: read, checked and written whole or not at all. Without torch, so that a model can be converted
where it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data

from echo_rt.errors import ModelError, OutputError, first_line
from echo_rt.model import METADATA_KEY, ModelSpec, read_spec
from echo_rt_network.operators import OPSET, SUPPORTED


def read_model(path: Path) -> tuple[onnx.ModelProto, ModelSpec]:
    """The checked network of an echo-rt model file, and its contract.

    Raises:
        ModelError: there is no such file, it has no spec, keeps weights in a second file, or is not what `check_model`
            asks for.
    """
    spec = read_spec(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # noqa: BLE001 - protobuf's errors have no public base class
        raise ModelError(
            f"{path}: expected an ONNX file, found one that cannot be read ({first_line(error)}); export it again"
        ) from None
    if outside := [tensor.name for tensor in _tensors(model) if uses_external_data(tensor)]:
        raise ModelError(
            f"{path}: expected one self-contained file, found {len(outside)} tensors in external data, "
            f"the first is {outside[0]}; "
            "save it with onnx.save(onnx.load(PATH), PATH)"
        )
    return check_model(model, str(path)), spec


def check_model(model: onnx.ModelProto, origin: str) -> onnx.ModelProto:
    """The same model with the shape of every tensor, after checks by ONNX's own checker and for what TensorRT 8.5 to 11
    reads.

    Raises:
        ModelError: the network is not valid ONNX, its opset is newer than 17, a shape is not static, or an operator is
            not in the table.
    """
    try:
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(
            f"{origin}: expected a valid ONNX network, found: {first_line(error)}; export the model again"
        ) from None
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset > OPSET:
        raise ModelError(
            f"{origin}: expected an opset up to {OPSET}, the newest of TensorRT 8.5, found {opset}; "
            "export the model again"
        )
    for value in [*model.graph.input, *model.graph.output]:
        shape = value.type.tensor_type.shape.dim
        if not shape or not all(side.dim_value > 0 for side in shape):
            found = [side.dim_value or side.dim_param or "?" for side in shape]
            raise ModelError(f"{origin}: expected static shapes, found {value.name} of {found}; export the model again")
    if refused := sorted(set(_refused(model))):
        raise ModelError(
            f"{origin}: expected operators that TensorRT 8.5 to 11 reads, found {', '.join(refused)}; "
            "change the network"
        )
    return model


def write_model(model: onnx.ModelProto, spec: ModelSpec, target: Path) -> None:
    """Check the model and write it with its contract, whole or not at all.

    Raises:
        ModelError: see `check_model`.
        OutputError: the file could not be written.
    """
    # The converters name domains and leave notes that nothing uses, and strict readers refuse a domain they do not
    # know.
    used = {node.domain for node in model.graph.node}
    imports = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.producer_name, model.producer_version = "echo-rt", spec.version
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    data = check_model(model, str(target)).SerializeToString()
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{target}: expected to write the model, found {error.strerror}; free some space or name another file"
        ) from None


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _refused(model: onnx.ModelProto) -> Iterator[str]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.domain or node.op_type not in SUPPORTED:
            yield f"{node.domain}.{node.op_type}".lstrip(".")
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero_point = constants.get(node.input[2]) if len(node.input) > 2 else None
            # Unsigned numbers are for processors: a file with them says so in the docs, and TensorRT's parser when it
            # is asked to read it.
            if zero_point is None or not (
                zero_point.data_type == onnx.TensorProto.UINT8
                or (zero_point.data_type == onnx.TensorProto.INT8 and not numpy_helper.to_array(zero_point).any())
            ):
                yield f"{node.op_type} without {SUPPORTED[node.op_type]}"
