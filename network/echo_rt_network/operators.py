"""The ONNX operators that TensorRT 8.5 to 11 reads, of those that a segmentation network is made of.

Source: ``docs/operators.md`` of github.com/onnx/onnx-tensorrt at release 8.5, which reads opsets up to 17. Later
releases have only added to that list (NVIDIA's ONNX opset guide: the parser is backward compatible to opset 9, in
TensorRT 11 too), so that what the oldest of them reads, all of them read.
"""

from __future__ import annotations

OPSET = 17
"""The newest that TensorRT 8.5 reads."""

_RESTRICTIONS: dict[str, str] = {
    "AveragePool": "2D or 3D",
    "DequantizeLinear": "INT8 with a zero point of 0, or UINT8, which processors alone run",
    "MaxPool": "2D or 3D, without its output Indices",
    "QuantizeLinear": "INT8 with a zero point of 0, or UINT8, which processors alone run",
    "Slice": "axes are constant",
    "Squeeze": "axes are constant",
    "Unsqueeze": "axes are constant",
}

SUPPORTED: dict[str, str] = {
    name: _RESTRICTIONS.get(name, "")
    for name in (
        "Abs Add AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv ConvTranspose "
        "DepthToSpace DequantizeLinear Div Elu Exp Expand Flatten Gather Gemm GlobalAveragePool GlobalMaxPool "
        "HardSigmoid HardSwish Identity InstanceNormalization LeakyRelu Log MatMul Max MaxPool Min Mul Neg PRelu Pad "
        "Pow QuantizeLinear Reciprocal ReduceMax ReduceMean ReduceSum Relu Reshape Resize Shape Sigmoid Slice Softmax "
        "Softplus Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where"
    ).split()
}
"""Operator to its restriction, empty where there is none."""
