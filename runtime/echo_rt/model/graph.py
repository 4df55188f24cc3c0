"""What the network in a model file may be made of, looked at before any library loads it."""

from __future__ import annotations

import math
from pathlib import Path

from echo_rt.checked import shown
from echo_rt.errors import ModelError
from echo_rt.model.protobuf import fields, messages, opened, text, varints

OPERATORS = frozenset(
    "Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv "
    "ConvInteger ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu "
    "Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool "
    "GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity "
    "InstanceNormalization LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization "
    "LpPool MatMul MatMulInteger Max MaxPool MaxUnpool Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not Or "
    "PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RNN Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round "
    "ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split "
    "Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor".split()
)
"""Of ONNX's own domain: each takes a time that follows from the sizes of its tensors. `Loop`, `Scan` and `If`, whose
graphs may never end, are not among them, nor what code of somebody else's does."""

NODES = 20_000

_GRAPH, _FUNCTIONS = 7, 25  # fields of ModelProto
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15  # of GraphProto
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7  # of NodeProto
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23  # of AttributeProto
_DIMS, _NAME, _EXTERNAL, _LOCATION = 1, 8, 13, 14  # of TensorProto

_LEAST_BITS = 4  # of a number in the smallest type


def check_graph(path: Path) -> None:
    """Refuse a network that may never end, reads other files, or says that it has more weights than the file holds.

    Raises:
        ModelError: names what was found.
    """
    try:
        found = _unwanted(opened(path))
    except OSError as error:
        raise ModelError(f"{path}: expected a model file, found none ({error.strerror})") from None
    except ValueError:
        raise ModelError(f"{path}: expected an ONNX network, found something else or a truncated one") from None
    if found is not None:
        raise ModelError(f"{path}: expected {found}; export the model again")


def _unwanted(model: memoryview) -> str | None:
    nodes = 0
    for number, content in messages(model):
        if number == _FUNCTIONS:
            return "a network without functions of its own, found one"
        for part, inner in messages(content) if number == _GRAPH else ():
            if part == _NODE:
                nodes += 1
                if nodes > NODES:
                    return f"at most {NODES} nodes, found more"
                found = _unwanted_node(inner)
            elif part == _INITIALIZER:
                found = _unwanted_tensor(inner)
            else:
                found = "plain weights, found sparse ones" if part == _SPARSE_INITIALIZER else None
            if found is not None:
                return found
    return None


def _unwanted_node(node: memoryview) -> str | None:
    operator = domain = ""
    for number, content in messages(node):
        if number == _OPERATOR:
            operator = text(content)
        elif number == _DOMAIN:
            domain = text(content)
        elif number == _ATTRIBUTE and (found := _unwanted_attribute(content)) is not None:
            return found
    if domain in ("", "ai.onnx") and operator in OPERATORS:
        return None
    return f"operators whose time is known beforehand, found {shown(f'{domain}.{operator}'.lstrip('.'))}"


def _unwanted_attribute(attribute: memoryview) -> str | None:
    for number, content in messages(attribute):
        if number in (_SUBGRAPH, _SUBGRAPHS):
            return "one graph, found another in it, as of a loop"
        if number in (_SPARSE, _SPARSES):
            return "plain weights, found sparse ones"
        if number in (_TENSOR, _TENSORS) and (found := _unwanted_tensor(content)) is not None:
            return found
    return None


def _unwanted_tensor(tensor: memoryview) -> str | None:
    name, dims = "", []
    for number, content in fields(tensor):
        if number == _DIMS:
            dims += varints(content)
        elif number == _NAME and isinstance(content, memoryview):
            name = text(content)
        elif number == _EXTERNAL or (number == _LOCATION and content == 1):
            return "one self-contained file, found weights in another one"
    if math.prod(dims) * _LEAST_BITS > 8 * len(tensor):  # a negative one is a large number here
        return f"weights {shown(name)} that the file holds, found {' x '.join(map(str, dims[:8]))} of them promised"
    return None
