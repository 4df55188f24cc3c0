"""A network is looked at before a library loads it, and tried before it is used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from echo_rt.engine import host, open_engine
from echo_rt.engine.host import NETWORK_MB
from echo_rt.engine.in_time import in_time
from echo_rt.errors import ModelError
from echo_rt.model import check_graph, models
from support.toy import toy_model


def changed(path: Path, *nodes: onnx.NodeProto, **weights: np.ndarray) -> Path:
    """The toy with nodes that make `x` of `image` before its convolution."""
    model = onnx.load(toy_model(path))
    conv = model.graph.node.pop()
    conv.input[0] = "x"
    model.graph.node.extend([*nodes, conv])
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    path.write_bytes(model.SerializeToString())
    return path


def test_the_shipped_models_are_made_of_what_is_allowed() -> None:
    for model in models():
        for path in model.files.values():
            if path.suffix == ".onnx":
                check_graph(path)


def test_an_endless_loop_is_refused_before_it_runs(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["a"], ["b"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("a", TensorProto.FLOAT, None)],
        [value("go_on", TensorProto.BOOL, []), value("b", TensorProto.FLOAT, None)],
    )
    loop = helper.make_node("Loop", ["", "true", "image"], ["x"], body=body)
    with pytest.raises(ModelError, match=r"expected one graph, found another in it, as of a loop"):
        open_engine(changed(tmp_path / "m.onnx", loop, true=np.array(True)), "cpu")


@pytest.mark.parametrize("operator", ["Scan", "If", "RandomNormalLike", "NonZero", "\x1b[31m"])
def test_an_operator_whose_time_is_not_known_is_refused_by_name(operator: str, tmp_path: Path) -> None:
    path = changed(tmp_path / "m.onnx", helper.make_node(operator, ["image"], ["x"]))
    with pytest.raises(ModelError, match="expected operators whose time is known beforehand, found") as refused:
        check_graph(path)
    assert repr(operator)[1:-1] in str(refused.value)


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights", "weights"])
def test_weights_in_another_file_are_refused(location: str, tmp_path: Path) -> None:
    model = onnx.load(toy_model(tmp_path / "m.onnx"))
    tensor = model.graph.initializer[0]
    del tensor.float_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="expected one self-contained file, found weights in another one"):
        check_graph(tmp_path / "m.onnx")


def test_weights_that_the_file_does_not_hold_are_refused(tmp_path: Path) -> None:
    model = onnx.load(toy_model(tmp_path / "m.onnx"))
    model.graph.initializer[0].dims[0] = 2**40
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="weights 'w' that the file holds, found 1099511627776 x 1 x 1 x 1"):
        check_graph(tmp_path / "m.onnx")


@pytest.mark.parametrize(("device", "said"), [
    ("cpu", r"ONNX Runtime .*memory"), ("openvino", "expected tensors of at most 1024 MB together, found 1,02[4-9] MB"),
])  # fmt: skip
def test_a_network_that_takes_more_memory_than_there_is_for_it_is_refused_when_it_is_opened(
    device: str, said: str, tmp_path: Path
) -> None:
    if device == "openvino":
        pytest.importorskip("openvino")
    side = int((NETWORK_MB * 2**20 / 4) ** 0.5) + 1
    grow = helper.make_node("ConstantOfShape", ["shape"], ["big"])
    shrink = helper.make_node("ReduceMax", ["big"], ["most"], axes=[0, 1], keepdims=0)
    path = changed(
        tmp_path / "m.onnx", grow, shrink, helper.make_node("Add", ["image", "most"], ["x"]), shape=np.array([side] * 2)
    )
    with pytest.raises(ModelError, match=said):
        open_engine(path, device)


def test_openvino_takes_no_network_whose_memory_depends_on_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    nodes = [
        helper.make_node("Cast", ["image"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "all"], ["flat"]),
        helper.make_node("Slice", ["flat", "none", "two"], ["sizes"]),
        helper.make_node("ConstantOfShape", ["sizes"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], axes=[0, 1], keepdims=0),
        helper.make_node("Add", ["image", "most"], ["x"]),
    ]
    path = changed(tmp_path / "m.onnx", *nodes, all=np.array([-1]), none=np.array([0]), two=np.array([2]))
    with pytest.raises(ModelError, match="expected tensors of fixed sizes, found others"):
        open_engine(path, "openvino")


def test_a_network_that_takes_too_long_is_stopped_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "TRIAL_S", 0.05)
    nodes = [helper.make_node("Conv", ["image", "a"], ["c0"])]
    nodes += [helper.make_node("Conv", [f"c{n}", "b"], [f"c{n + 1}"], pads=[3] * 4) for n in range(400)]
    last = helper.make_node("Conv", ["c400", "c"], ["x"])
    weights = [np.ones(shape, np.float32) / 1000 for shape in ((32, 1, 1, 1), (32, 32, 7, 7), (1, 32, 1, 1))]
    path = changed(tmp_path / "m.onnx", *nodes, last, **dict(zip("abc", weights, strict=True)))
    with pytest.raises(ModelError, match=r"expected a frame to take less than 0\.05 s"):
        open_engine(path, "cpu", threads=1)


def test_weights_of_nan_are_refused_when_the_model_is_opened(tmp_path: Path) -> None:
    model = onnx.load(toy_model(tmp_path / "m.onnx"))
    model.graph.initializer[0].float_data[0] = np.nan
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="expected finite logits of a blank frame"):
        open_engine(tmp_path / "m.onnx", "cpu")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_is_no_model_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="expected a model file, found none"):
        check_graph(tmp_path / "m.onnx")


def test_work_gives_what_it_gives_raises_what_it_raises_and_is_stopped_where_it_does_not_end() -> None:
    stopped: list[bool] = []
    assert in_time(30.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(30.0, lambda: 1 // 0)
    with pytest.raises(TimeoutError):
        in_time(0.01, lambda: [None for _ in iter(lambda: bool(stopped), True)], lambda: stopped.append(True))
    assert stopped == [True]
