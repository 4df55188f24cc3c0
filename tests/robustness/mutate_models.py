"""Model files whose metadata or network lies."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.frame import Frame
from echo_rt.model import METADATA_KEY, models
from echo_rt.model.protobuf import field, text_field
from robustness.changes import damaged
from robustness.harness import Case, chance
from robustness.json_values import DEEP, HUGE, as_text, mutated
from support.toy import SPEC, toy_model

SEEDS = 60

GRID = (48, 64)


def make(seed: int, folder: Path) -> Case:
    """Metadata of a toy, metadata of the shipped model, the graph, or the bytes of the file."""
    draw = chance("models", seed)
    path = folder / "m.onnx"
    kind = draw.choice(["metadata", "metadata", "metadata", "several", "text", "graph", "graph", "bytes"])
    if kind in ("metadata", "several"):
        name, raw = "", full_spec()
        for _ in range(1 if kind == "metadata" else draw.randrange(2, 6)):
            done, raw = mutated(draw, raw)
            name += f"{done}; "
        toy_model(path, as_text(raw))
    elif kind == "text":
        name, text = damaged(draw, as_text(full_spec()).encode())
        toy_model(path, text.decode("utf-8", "replace"))
    elif kind == "graph":
        name = mutate_graph(draw, path)
    else:
        toy_model(path)
        name, data = damaged(draw, path.read_bytes())
        path.write_bytes(data)
    return Case(f"{kind}: {name}", seed, path)


def run(case: Case) -> object:
    """Read it, run two frames, and look at what is read off them; print what `echo-rt models` prints of it."""
    with contextlib.redirect_stdout(io.StringIO()) as said, open_engine(case.path, "cpu", threads=1) as engine:
        monitor, state = Monitor(engine.spec), None
        for index in range(3):
            image = np.full((90, 120), 60 * index, np.uint8)
            seen = engine.segment(image, state)
            state, reading = seen.state, monitor.update(seen, Frame(image, index / 30, index))
        repr(engine.spec)
        json.loads(engine.spec.to_json())
    assert said.getvalue() == "", said.getvalue()
    return reading


@cache
def full_spec() -> dict[str, Any]:
    """The metadata of the shipped model, for the toy's network: with every field there is."""
    shipped = json.loads(models()[0].spec.to_json())
    interval = {"a4c": 2.7, "a2c": 2.8, "biplane": 2.5, "per_logit": -0.1, "least_points": 3.0, "most_points": 25.0}
    changed = {"width": GRID[1], "height": GRID[0], "heads": [], "interval": shipped["interval"] or interval}
    changed["ef_calibration"] = shipped["ef_calibration"] or [1.0, 0.0]
    changed["ef_calibration_a2c"] = [1.0, 0.5]
    return {**shipped, **changed, "parity": {"ok": True, "kept_in_fp32": ["a"]}}


def network(nodes: list[Any], weights: dict[str, Any], outputs: dict[str, list[int]] | None = None) -> onnx.ModelProto:
    """A model with the toy's spec and these nodes."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, *GRID])
    given = outputs or {"logits": [1, 4, *GRID]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "toy", [image], ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: SPEC.to_json()})
    return model


WEIGHT = {"w": np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)}
CONV = helper.make_node("Conv", ["x", "w"], ["logits"])


def endless_loop() -> onnx.ModelProto:
    """A Loop whose condition stays true."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["a"], ["b"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("a", TensorProto.FLOAT, None)],
        [value("go_on", TensorProto.BOOL, []), value("b", TensorProto.FLOAT, None)],
    )
    return network([helper.make_node("Loop", ["", "true", "image"], ["x"], body=body), CONV], {**WEIGHT, "true": True})


def grown(operator: str, size: int) -> onnx.ModelProto:
    """A tensor made far larger on the way, and small again."""
    back = helper.make_node("Resize", ["big", "", "", "small"], ["x"])
    small = {"small": np.array([1, 1, *GRID], np.int64)}
    if operator == "Resize":
        grow, more = helper.make_node("Resize", ["image", "", "by"], ["big"]), np.array([1, 1, size, size], np.float32)
    elif operator == "Tile":
        grow, more = helper.make_node("Tile", ["image", "by"], ["big"]), np.array([1, 1, size, size], np.int64)
    elif operator == "Pad":
        grow, more = (
            helper.make_node("Pad", ["image", "by"], ["big"]),
            np.array([0, 0, size * 40] * 2 + [0, 0], np.int64),
        )
    else:
        grow = helper.make_node("ConstantOfShape", ["by"], ["big"])
        more = np.array([1, 1, 48 * size, 64 * size], np.int64)
    return network([grow, back, CONV], {**WEIGHT, **small, "by": more})


def promised() -> onnx.ModelProto:
    """Weights of many terabytes, of which the file holds 16 bytes."""
    model = network([helper.make_node("Conv", ["image", "w"], ["logits"])], WEIGHT)
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**31, 2**10, 1, 1])
    return model


def outside(location: str) -> onnx.ModelProto:
    """Weights in another file."""
    model = network([helper.make_node("Conv", ["image", "w"], ["logits"])], WEIGHT)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return model


def function_of_its_own() -> onnx.ModelProto:
    """An operator that the file defines by itself."""
    own = helper.make_function(
        "mine", "Mine", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = network([helper.make_node("Mine", ["image"], ["x"], domain="mine"), CONV], WEIGHT)
    model.functions.append(own)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


def plain(*nodes: Any, **weights: Any) -> onnx.ModelProto:
    """The toy with other nodes before its convolution."""
    return network([*nodes, CONV], {**WEIGHT, **weights})


BOMBS: dict[str, Callable[[], onnx.ModelProto]] = {
    "an endless Loop": endless_loop,
    "Resize to 30 GB": lambda: grown("Resize", 1600),
    "Resize to 800 MB": lambda: grown("Resize", 260),
    "Tile to 30 GB": lambda: grown("Tile", 1600),
    "Pad to 30 GB": lambda: grown("Pad", 2000),
    "a constant of 30 GB": lambda: grown("ConstantOfShape", 1600),
    "weights promised": promised,
    "weights in /etc/passwd": lambda: outside("/etc/passwd"),
    "weights in a folder above": lambda: outside("../../../etc/passwd"),
    "an operator of its own": function_of_its_own,
    "an operator of nobody": lambda: plain(helper.make_node("\x1b[31mGrow", ["image"], ["x"])),
    "an operator of another domain": lambda: plain(helper.make_node("Grow", ["image"], ["x"], domain="com.evil")),
    "random numbers": lambda: plain(helper.make_node("RandomNormalLike", ["image"], ["x"])),
    "a division by 0": lambda: plain(
        helper.make_node("Cast", ["image"], ["i"], to=TensorProto.INT64),
        helper.make_node("Div", ["i", "zero"], ["d"]),
        helper.make_node("Cast", ["d"], ["x"], to=TensorProto.FLOAT),
        zero=np.array(0, np.int64),
    ),
    "an index out of range": lambda: plain(
        helper.make_node("Gather", ["image", "far"], ["x"], axis=1), far=np.array([10**9], np.int64)
    ),
    "another shape at run time": lambda: plain(
        helper.make_node("Reshape", ["image", "to"], ["x"]), to=np.array([1, 1, 7, 7], np.int64)
    ),
    "no nodes": lambda: network([], WEIGHT),
    "a circle": lambda: plain(helper.make_node("Add", ["image", "logits"], ["x"])),
    "NaN weights": lambda: network(
        [helper.make_node("Conv", ["image", "w"], ["logits"])], {"w": np.full((4, 1, 1, 1), np.nan, np.float32)}
    ),
    "infinite weights": lambda: network(
        [helper.make_node("Conv", ["image", "w"], ["logits"])], {"w": np.full((4, 1, 1, 1), np.inf, np.float32)}
    ),
    "20,001 nodes": lambda: plain(
        helper.make_node("Relu", ["image"], ["r0"]),
        *[helper.make_node("Relu", [f"r{n}"], [f"r{n + 1}"]) for n in range(20_000)],
        helper.make_node("Relu", ["r20000"], ["x"]),
    ),
    "a constant text": lambda: plain(
        helper.make_node("Constant", [], ["t"], value_strings=[b"\x1b[2J"]), helper.make_node("Relu", ["t"], ["x"])
    ),
}


def mutate_graph(draw: Random, path: Path) -> str:
    """Change a node, a shape, a weight or a name of the toy's network, or take one of the bombs."""
    if draw.random() < 0.15:
        name = draw.choice(sorted(BOMBS))
        path.write_bytes(BOMBS[name]().SerializeToString())
        return name
    model = onnx.load(toy_model(path))
    graph, done = model.graph, ""
    for _ in range(draw.randrange(1, 4)):
        what = draw.choice(["operator", "dims", "type", "rename", "attribute", "node", "opset", "output", "weights"])
        done += f"{what} "
        tensor, node = graph.initializer[0], graph.node[0]
        if what == "operator":
            node.op_type = draw.choice(
                ["ConvTranspose", "MatMul", "Gemm", "If", "Scan", "Resize", "NonZero", "\x00", "É"]
            )
        elif what == "dims":
            tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice([0, -1, 1, 2, 2**31, 2**40, 2**62])
        elif what == "type":
            tensor.data_type = draw.choice([0, 1, 2, 7, 8, 10, 11, 16, 99])
        elif what == "rename":
            node.input[0] = draw.choice(["", "image", "w", "logits", "\x1b[0m"])
        elif what == "attribute":
            pads = draw.choice([[1] * 4, [2**40] * 4, [-1] * 4, [], [1]])
            node.attribute.append(helper.make_attribute("pads", pads, attr_type=onnx.AttributeProto.INTS))
        elif what == "node":
            operator = draw.choice(["Relu", "Exp", "Softmax", "Transpose", "Flatten", "Size", "Shape", "Constant"])
            graph.node.append(helper.make_node(operator, ["image"], [draw.choice(["more", "logits", "image"])]))
        elif what == "opset":
            model.opset_import[0].version = draw.choice([0, 1, 9, 13, 21, 999])
        elif what == "output":
            shape = graph.output[0].type.tensor_type.shape.dim
            shape[draw.randrange(4)].dim_value = draw.choice([0, 1, 3, 4, 48, 10**6])
        else:
            tensor.raw_data = draw.choice([b"", b"\xff" * 16, b"\x00" * 7, tensor.raw_data * 1000])
            del tensor.float_data[:]
    path.write_bytes(model.SerializeToString())
    return done


METADATA: list[dict[str, Any]] = [
    {"width": [1]}, {"heads": 0}, {"figures": 8}, {"ef_calibration": 1}, {"mean": [0.9]}, {"state": float("inf")},
    {"ef_calibration": [float("nan"), 0]}, {"ef_calibration": [1, float("inf")]}, {"name": "\x1b[31mred"}, {"fit": {}},
    {"figures": {"4CH EF": {"mae": "x"}}}, {"figures": {"4CH EF": 1}}, {"views": [None]}, {"parity": 3}, {"classes": 1},
    {"parity": {"kept_in_fp32": 5}}, {"interval": {"a4c": 1e300}}, {"format": True}, {"name": "[red]x[/red]"},
    {"heads": ["view", "view"]}, {"state": ["image"]}, {"state": ["logits", "logits"]}, {"std": 1e-300},
    {"mean": DEEP}, {"mean": HUGE}, {"version": "\ud800"}, {"width": 2**70}, {"precision": ["fp32"]}, {"citation": 1},
    {"figures": {"4CH EF": {"bias": 1e200, "sd": 1e200}}}, {"training_data": "x" * 10**6}, {"quality": []},
]  # fmt: skip


def corpus(folder: Path) -> Iterator[Case]:
    """Metadata and networks that once gave a traceback, much memory, or no end."""
    for change in METADATA:
        yield Case(ascii(change)[:60], None, toy_model(folder / "m.onnx", as_text({**full_spec(), **change})))
    for name, bomb in BOMBS.items():
        path = folder / "bomb.onnx"
        path.write_bytes(bomb().SerializeToString())
        yield Case(name, None, path)
    (folder / "alone.onnx").write_bytes(field(14, text_field(1, METADATA_KEY) + text_field(2, SPEC.to_json())))
    yield Case("metadata without a network", None, folder / "alone.onnx")
