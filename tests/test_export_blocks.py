"""A network for INT8 is made of convolutions and moves of blocks, and says what it said before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from echo_rt.model import ModelInput, ModelSpec
from echo_rt_export.blocks import in_blocks
from echo_rt_export.conversion import _kept_in_fp32
from echo_rt_export.precision import to_int8
from echo_rt_network.model_file import read_model
from echo_rt_network.onnx_file import write_onnx
from echo_rt_network.unet import UNet


def written(folder: Path, height: int, width: int, patch: int = 1) -> tuple[onnx.ModelProto, ModelSpec]:
    """A network of three levels, exported."""
    torch.manual_seed(3)
    network = UNet([4, 8, 16], heads=("view",), patch=patch).eval()
    spec = ModelSpec("toy", "1", ModelInput(width, height, 60.0, 50.0), heads=("view",))
    write_onnx(network, spec, folder / "toy.onnx")
    return read_model(folder / "toy.onnx")


def said(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"image": image}))


def kinds(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 24)])
@pytest.mark.parametrize("patch", [1, 2])
def test_it_says_what_it_said_before(tmp_path: Path, height: int, width: int, patch: int) -> None:
    before, _ = written(tmp_path, height, width, patch)
    after = in_blocks(before)
    image = np.random.default_rng(1).normal(size=(1, 1, height, width)).astype(np.float32)
    for one, other in zip(said(before, image), said(after, image), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert "ConvTranspose" in kinds(before)
    assert "ConvTranspose" not in kinds(after)
    names = [node.name for node in before.graph.node if "Conv" in node.op_type]
    assert [node.name for node in after.graph.node if node.op_type == "Conv"] == names, "what is kept in FP32 by name"
    used = {name for node in after.graph.node for name in node.input}
    assert {tensor.name for tensor in after.graph.initializer} <= used


@pytest.mark.parametrize("change", ["stride", "padding", "size"])
def test_another_transposed_convolution_is_left_alone(change: str) -> None:
    side = 3 if change == "size" else 2
    weight = numpy_helper.from_array(np.ones((2, 2, side, side), np.float32), "w")
    bias = numpy_helper.from_array(np.zeros(2, np.float32), "b")
    node = helper.make_node(
        "ConvTranspose", ["image", "w", "b"], ["logits"], "up",
        strides=[1, 1] if change == "stride" else [2, 2], pads=[1, 1, 1, 1] if change == "padding" else [0, 0, 0, 0],
    )  # fmt: skip
    image, logits = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("image", [1, 2, 8, 8]), ("logits", None))
    )
    graph = helper.make_graph([node], "g", [image], [logits], [weight, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert kinds(in_blocks(model)) == {"ConvTranspose"}


def test_in_int8_every_layer_takes_bytes_and_a_concat_copies_what_was_doubled(tmp_path: Path) -> None:
    before, _ = written(tmp_path, 32, 32)
    rng = np.random.default_rng(2)
    feeds = [{"image": rng.normal(size=(1, 1, 32, 32)).astype(np.float32)} for _ in range(4)]
    small = to_int8(before, feeds)
    maker = {output: node for node in small.graph.node for output in node.output}
    for concat in (node for node in small.graph.node if node.op_type == "Concat"):
        reader = next(node for node in small.graph.node if concat.output[0] in node.input)
        scales = [maker[name].input[1] for name in concat.input]
        assert scales[1] == reader.input[1] != scales[0], "of a skip the zero point is the ReLU before it"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(small.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run = kinds(onnx.load(tmp_path / "optimised.onnx"))
    assert "QLinearConv" in run
    assert not run & {"Conv", "ConvTranspose", "FusedConv", "Relu", "Concat", "MaxPool"}, "none in FP32"
    one, other = said(before, feeds[0]["image"]), said(small, feeds[0]["image"])
    assert np.abs(one[0] - other[0]).max() < 0.1 * np.abs(one[0]).max()
    assert np.abs(one[1] - other[1]).max() < 0.1 * np.abs(one[1]).max()


def test_of_a_network_on_patches_the_layer_before_the_moves_is_the_last(tmp_path: Path) -> None:
    ladder = _kept_in_fp32(*written(tmp_path, 32, 32, patch=2))
    assert all("head/Conv" in step[-1] for step in ladder[1:])
