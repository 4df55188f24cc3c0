"""A model of one convolution, for tests that need a file and not a heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

from echo_rt.model import METADATA_KEY, ModelInput, ModelSpec

SPEC = ModelSpec("toy", "1", ModelInput(64, 48, 40.0, 50.0))


def changed(spec: ModelSpec, **fields: Any) -> ModelSpec:
    """The spec with other fields, each by its name in the JSON, whatever group it is in."""
    return ModelSpec.from_json(json.dumps({**json.loads(spec.to_json()), **fields}))


def toy_model(
    path: Path, spec: ModelSpec | str | None = SPEC, grid: tuple[int, int] = (48, 64), classes: int = 4
) -> Path:
    """A network of one 1x1 convolution with the given spec in its metadata."""
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 1, *grid])
    logits = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, classes, *grid])
    weight = onnx.helper.make_tensor(
        "w", onnx.TensorProto.FLOAT, [classes, 1, 1, 1], [float(i) for i in range(classes)]
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["image", "w"], ["logits"])], "toy", [image], [logits], [weight]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    if spec is not None:
        onnx.helper.set_model_props(
            model, {"other": "x" * 300, METADATA_KEY: spec if isinstance(spec, str) else spec.to_json()}
        )
    path.write_bytes(model.SerializeToString())
    return path
