"""How much arithmetic a model is, read from its file."""

from __future__ import annotations

from math import prod
from pathlib import Path

from echo_rt.errors import ModelError
from echo_rt.model.protobuf import fields, messages, text, varints

Shapes = dict[str, list[int]]
Node = tuple[str, list[str], list[str]]
"""Operator, inputs and outputs."""


def multiply_adds(path: Path) -> int:
    """The multiply-adds of one frame: of convolutions, transposed convolutions and matrix products, all but some per
    mille of the whole.

    For each output a convolution has as many as one filter has weights; a transposed one, for each input. The shapes
    stand in the file: `echo-rt export` writes those of every tensor.

    Raises:
        ModelError: it is no ONNX file, or one without shapes.
    """
    try:
        graph = next(content for number, content in messages(memoryview(path.read_bytes())) if number == 7)
        nodes, shapes = _read(graph)
        return sum(_of(kind, inputs, outputs, shapes) for kind, inputs, outputs in nodes)
    except (ValueError, LookupError, StopIteration) as error:
        raise ModelError(
            f"{path}: expected an ONNX file with the shapes of its tensors, found none ({error}); export it again"
        ) from None


def _of(kind: str, inputs: list[str], outputs: list[str], shapes: Shapes) -> int:
    if kind in ("Conv", "ConvTranspose"):
        places = shapes[outputs[0] if kind == "Conv" else inputs[0]]
        return prod(places) * prod(shapes[inputs[1]][1:])
    if kind in ("Gemm", "MatMul"):
        return prod(shapes[outputs[0]]) * (prod(shapes[inputs[1]]) // shapes[outputs[0]][-1])
    return 0


def _read(graph: memoryview) -> tuple[list[Node], Shapes]:
    """The nodes, and the shape of each tensor, of a GraphProto."""
    nodes: list[Node] = []
    shapes: Shapes = {}
    for number, content in messages(graph):
        if number == 1:  # NodeProto of 1: input, 2: output, 4: op_type
            names: dict[int, list[str]] = {1: [], 2: [], 4: []}
            for n, part in messages(content):
                if n in names:
                    names[n].append(text(part))
            nodes.append((names[4][0], names[1], names[2]))
        elif number == 5:  # TensorProto of 1: dims, 8: name
            name = next((text(part) for n, part in messages(content) if n == 8), "")
            shapes[name] = [side for n, dims in fields(content) if n == 1 for side in varints(dims)]
        elif number in (11, 12, 13):  # ValueInfoProto of 1: name, 2: type
            known = dict(messages(content))
            shapes[text(known[1])] = _shape(known[2]) if 2 in known else []
    return nodes, shapes


def _shape(kind: memoryview) -> list[int]:
    """The sides that have a number, of a TypeProto."""
    return [
        side
        for m, tensor in messages(kind) if m == 1  # tensor_type
        for n, shape in messages(tensor) if n == 2  # shape
        for _, dimension in messages(shape)
        for k, side in fields(dimension) if k == 1 and isinstance(side, int)  # dim_value
    ]  # fmt: skip
