"""A network in INT8 as ONNX Runtime has it fastest: the same numbers, by convolutions and moves of blocks.

- It has no transposed convolution for bytes. One that makes 2x2 pixels of each is a 1x1 convolution, and moves.
- Of an image with one channel a 3x3 convolution takes nine single bytes a pixel. With 2x2 pixels as four channels it
  has a quarter as many pixels.
- A Concat copies a tensor that has the scale of its output, and looks up each byte of another one.

In `lv-edge` version 7 a third of the time went into these and into changes of layout around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Parts: TypeAlias = tuple[list[onnx.NodeProto], list[onnx.TensorProto]]
"""Nodes, and their constants."""

CHANNELS_LAST, CHANNELS_FIRST, ROWS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2], [0, 2, 1, 3]


def in_blocks(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with other nodes in place of transposed convolutions and of the first one; a copy.

    A convolution keeps its name.

    Args:
        model: with the shape of every tensor.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*graph.value_info, *graph.input, *graph.output]
    }
    readers = Counter(name for node in graph.node for name in node.input)
    nodes: list[onnx.NodeProto] = []
    waiting = list(graph.node)
    while waiting:
        node = waiting.pop(0)
        parts: Parts = [node], []
        if _doubles(node, weights):
            parts = _doubled(node, weights, shapes[node.input[0]])
        elif waiting and readers[node.output[0]] == 1 and _sees_grey(node, waiting[0], weights, shapes):
            parts = _seen_in_squares(node, waiting.pop(0), weights, shapes[node.input[0]])
        nodes += parts[0]
        graph.initializer.extend(parts[1])
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return onnx.shape_inference.infer_shapes(result, strict_mode=True)


def _given(node: onnx.NodeProto) -> dict[str, list[int]]:
    """The attributes that are lists of numbers; one that is not named has its default."""
    return {item.name: list(item.ints) for item in node.attribute if item.ints}


def _doubles(node: onnx.NodeProto, weights: Mapping[str, NDArray[np.float32]]) -> bool:
    """Whether it is a transposed convolution that makes 2x2 pixels of each, none of which overlap."""
    if node.op_type != "ConvTranspose" or len(node.input) != 3 or not set(node.input[1:]) <= weights.keys():
        return False
    given, alone = _given(node), all(item.i == 1 for item in node.attribute if item.name == "group")
    plain = alone and not any(given.get("pads", [])) and not any(given.get("output_padding", []))
    return plain and given.get("strides") == [2, 2] and weights[node.input[1]].shape[2:] == (2, 2)


def _sees_grey(
    node: onnx.NodeProto,
    after: onnx.NodeProto,
    weights: Mapping[str, NDArray[np.float32]],
    shapes: Mapping[str, list[int]],
) -> bool:
    """Whether they are a 3x3 convolution of an image of one channel and an even size, and its ReLU."""
    if (node.op_type, after.op_type) != ("Conv", "Relu") or list(after.input) != list(node.output):
        return False
    if len(node.input) != 3 or not set(node.input[1:]) <= weights.keys():
        return False
    given, shape = _given(node), shapes[node.input[0]]
    whole = given.get("strides", [1, 1]) == given.get("dilations", [1, 1]) == [1, 1] == given.get("pads", [])[:2]
    even = shape[:2] == [1, 1] and not shape[2] % 2 and not shape[3] % 2
    return whole and even and weights[node.input[1]].shape[1:] == (1, 3, 3)


def _doubled(node: onnx.NodeProto, weights: Mapping[str, NDArray[np.float32]], shape: Sequence[int]) -> Parts:
    """A transposed convolution as a 1x1 convolution with four times the channels, a square of each then moved.

    Args:
        shape: of its input.
    """
    image, weight, bias = node.input
    inputs, outputs = weights[weight].shape[:2]
    # In the order (row, column, channel): a row of each square is one block, channels last.
    square = weights[weight].transpose(2, 3, 1, 0).reshape(4 * outputs, inputs, 1, 1)
    constants = _constants(node.name, square, np.tile(weights[bias], 4))
    conv = helper.make_node(
        "Conv", [image, *_names(constants)], [f"{node.name}_squares"], node.name, kernel_shape=[1, 1]
    )
    moves, more = _moved(f"{node.name}_squares", node.output[0], node.name, (shape[2], shape[3], outputs))
    return [conv, *moves], [*constants, *more]


def _seen_in_squares(
    node: onnx.NodeProto, relu: onnx.NodeProto, weights: Mapping[str, NDArray[np.float32]], shape: Sequence[int]
) -> Parts:
    """The first convolution and its ReLU on 2x2 pixels as four channels, the squares of each output then moved.

    Args:
        shape: of its input.
    """
    image, weight, bias = node.input
    outputs, (height, width) = len(weights[weight]), (shape[2] // 2, shape[3] // 2)
    name = node.name
    square = np.zeros((2, 2, outputs, 2, 2, 3, 3), np.float32)
    for row, column, dy, dx in np.ndindex(2, 2, 3, 3):
        # Where in the squares around it the pixel of this output lies that the tap (dy, dx) looks at.
        (y, in_y), (x, in_x) = divmod(row + dy + 1, 2), divmod(column + dx + 1, 2)
        square[row, column, :, in_y, in_x, y, x] = weights[weight][:, 0, dy, dx]
    constants = _constants(name, square.reshape(4 * outputs, 4, 3, 3), np.tile(weights[bias], 4))
    rows = numpy_helper.from_array(np.array([height, 2, width, 2]), f"{name}.pairs")
    four = numpy_helper.from_array(np.array([1, height, width, 4]), f"{name}.four")
    between = [f"{name}_{step}" for step in ("pairs", "moved", "four", "folded", "squares", "positive")]
    nodes = [
        helper.make_node("Reshape", [image, rows.name], [between[0]], f"{name}/pairs"),
        helper.make_node("Transpose", [between[0]], [between[1]], f"{name}/fold", perm=ROWS_FIRST),
        helper.make_node("Reshape", [between[1], four.name], [between[2]], f"{name}/four"),
        helper.make_node("Transpose", [between[2]], [between[3]], f"{name}/folded", perm=CHANNELS_FIRST),
        helper.make_node(
            "Conv", [between[3], *_names(constants)], [between[4]], name, kernel_shape=[3, 3], pads=[1] * 4
        ),
        helper.make_node("Relu", [between[4]], [between[5]], relu.name),
    ]
    moves, more = _moved(between[5], relu.output[0], name, (height, width, outputs))
    return [*nodes, *moves], [*constants, rows, four, *more]


def _constants(name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> list[onnx.TensorProto]:
    named = {f"{name}.weight_of_squares": weight, f"{name}.bias_of_squares": bias}
    return [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in named.items()]


def _names(constants: Sequence[onnx.TensorProto]) -> list[str]:
    return [tensor.name for tensor in constants]


def _moved(source: str, target: str, name: str, size: tuple[int, int, int]) -> Parts:
    """From squares as channels, in the order (row, column, channel), to an image of twice the height and width.

    It is DepthToSpace with the mode DCR. ONNX Runtime moves single bytes there; here it moves the rows of squares.

    Args:
        source, target: the tensors' names.
        name: the nodes' names begin with it.
        size: height and width before, and channels after.
    """
    height, width, channels = size
    rows = numpy_helper.from_array(np.array([height, width, 2, 2 * channels]), f"{name}.rows")
    image = numpy_helper.from_array(np.array([1, 2 * height, 2 * width, channels]), f"{name}.image")
    steps = [f"{name}_{step}" for step in ("last", "rows", "apart", "image")]
    nodes = [
        helper.make_node("Transpose", [source], [steps[0]], f"{name}/last", perm=CHANNELS_LAST),
        helper.make_node("Reshape", [steps[0], rows.name], [steps[1]], f"{name}/rows"),
        helper.make_node("Transpose", [steps[1]], [steps[2]], f"{name}/move", perm=ROWS_FIRST),
        helper.make_node("Reshape", [steps[2], image.name], [steps[3]], f"{name}/image"),
        helper.make_node("Transpose", [steps[3]], [target], f"{name}/first", perm=CHANNELS_FIRST),
    ]
    return nodes, [rows, image]


def share_scales(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give what a Concat joins the scale of its output, in place: then it copies bytes instead of looking each up.

    What is never negative keeps its own: its zero point of 0 is all that is left of the ReLU before it.

    Args:
        model: quantised, with QuantizeLinear and DequantizeLinear pairs.
    """
    nodes = model.graph.node
    zeros = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    maker = {output: node for node in nodes for output in node.output}
    reader = {name: node for node in nodes if node.op_type == "QuantizeLinear" for name in node.input[:1]}
    for concat in (node for node in nodes if node.op_type == "Concat" and node.output[0] in reader):
        scale, zero = reader[concat.output[0]].input[1:3]
        joined = [maker[name] for name in concat.input if name in maker]
        # A move of bytes has the scale of what it moves, by the same name.
        signed = {node.input[1] for node in joined if zeros[node.input[2]].any()} - {scale}
        for node in nodes:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] in signed:
                node.input[1], node.input[2] = scale, zero
    return model
