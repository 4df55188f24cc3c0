"""How much arithmetic a model is, read from its file."""

from __future__ import annotations

from math import prod
from pathlib import Path

from echo_rt.bench.protobuf import fields, varint_at
from echo_rt.errors import ModelError

Shapes = dict[str, list[int]]


def multiply_adds(path: Path) -> int:
    """Of one frame: those of convolutions, transposed convolutions and matrix products, which are all but some per
    mille.

    A convolution has, for each of its outputs, as many as one filter has weights; a transposed one, for each of its
    inputs. The shapes stand in the file: `echo-rt export` writes those of every tensor.

    Raises:
        ModelError: it is no ONNX file, or one without shapes.
    """
    try:
        graph = next(
            found
            for number, found in fields(memoryview(path.read_bytes()))
            if number == 7 and isinstance(found, memoryview)
        )
        nodes, shapes = _read(graph)
        return sum(_of(kind, inputs, outputs, shapes) for kind, inputs, outputs in nodes)
    except (ValueError, KeyError, StopIteration) as error:
        raise ModelError(
            f"{path}: expected an ONNX file with the shapes of its tensors, found none ({error}); export it again"
        ) from None


def _of(kind: str, inputs: list[str], outputs: list[str], shapes: Shapes) -> int:
    if kind == "Conv":
        weight = shapes[inputs[1]]
        return prod(shapes[outputs[0]]) * prod(weight[1:])
    if kind == "ConvTranspose":
        weight = shapes[inputs[1]]
        return prod(shapes[inputs[0]]) * prod(weight[1:])
    if kind in ("Gemm", "MatMul"):
        return prod(shapes[outputs[0]]) * (prod(shapes[inputs[1]]) // shapes[outputs[0]][-1])
    return 0


def _read(graph: memoryview) -> tuple[list[tuple[str, list[str], list[str]]], Shapes]:
    nodes, shapes = [], {}
    for number, content in fields(graph):
        if not isinstance(content, memoryview):
            continue
        if number == 1:  # NodeProto: input, output, op_type
            parts = [
                (n, bytes(text).decode())
                for n, text in fields(content)
                if n in (1, 2, 4) and isinstance(text, memoryview)
            ]
            kind = next(text for n, text in parts if n == 4)
            nodes.append((kind, [text for n, text in parts if n == 1], [text for n, text in parts if n == 2]))
        elif number == 5:  # TensorProto: dims, name
            name, dims = "", []
            for n, found in fields(content):
                if n == 1:
                    dims += [found] if isinstance(found, int) else _packed(found)
                elif n == 8 and isinstance(found, memoryview):
                    name = bytes(found).decode()
            shapes[name] = dims
        elif number in (11, 12, 13):  # ValueInfoProto: name, type
            known = {n: found for n, found in fields(content) if isinstance(found, memoryview)}
            shapes[bytes(known[1]).decode()] = _shape(known[2]) if 2 in known else []
    return nodes, shapes


def _shape(kind: memoryview) -> list[int]:
    dims: list[int] = []
    for number, tensor in fields(kind):
        if number != 1 or not isinstance(tensor, memoryview):
            continue
        for n, shape in fields(tensor):
            if n == 2 and isinstance(shape, memoryview):
                for _, dimension in fields(shape):
                    assert isinstance(dimension, memoryview)
                    dims += [side for m, side in fields(dimension) if m == 1 and isinstance(side, int)]
    return dims


def _packed(numbers: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(numbers):
        number, at = varint_at(numbers, at)
        found.append(number)
    return found
