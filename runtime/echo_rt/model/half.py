"""Models in FP16, made from their FP32 files.

A shipped model has no FP16 file but a recipe, ``NAME.fp16.json``: the `ModelSpec` of the file to be made. It holds what
the gate of `echo-rt export` found and the nodes that stay in FP32. The conversion rounds the weights, so the same FP32
file and recipe give the same file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.errors import MissingExtraError, ModelError, output_errors
from echo_rt.model.spec import METADATA_KEY, ModelSpec, read_spec
from echo_rt.model.user_cache import cache_folder, written

if TYPE_CHECKING:
    from onnx import ModelProto

RECIPE = ".fp16.json"  # how the name of one ends


def read_recipe(recipe: Path) -> ModelSpec:
    """The `ModelSpec` of the file that the recipe makes; ModelError where it cannot be read, or is no such JSON."""
    try:
        return ModelSpec.from_json(recipe.read_text(encoding="utf-8"), str(recipe))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{recipe}: expected a recipe, found none ({error}); install echo-rt again") from None


def half_file(recipe: Path) -> Path:
    """The FP16 file of a recipe, with the FP32 file beside it: from the user's cache, or made now and kept there.

    Two processes that make it at once make the same file, and the later one replaces the other's.

    Raises:
        MissingExtraError: the onnx package is not installed.
        ModelError: the FP32 file or the recipe is missing or damaged, or they are of two versions.
        OutputError: the cache folder cannot be used.
    """
    spec, name = read_recipe(recipe), recipe.name.removesuffix(RECIPE)
    full = recipe.with_name(f"{name}.fp32.onnx")
    source = read_spec(full)
    if (source.name, source.version) != (spec.name, spec.version):
        expected = f"expected a recipe for {source.name} {source.version}"
        found = f"found one for {spec.name} {spec.version}"
        raise ModelError(f"{recipe}: {expected}, {found}; make it again with  make models-precisions")
    data = full.read_bytes()
    key = hashlib.sha256(data + spec.to_json().encode()).hexdigest()[:16]
    target = cache_folder("models") / key / f"{name}.fp16.onnx"
    if not target.is_file():
        try:
            made = _make(data, spec)
        except ImportError:
            raise MissingExtraError(f"{name}.fp16 (not so {name}.fp32)", "tensorrt") from None
        with output_errors(target):
            target.parent.mkdir(exist_ok=True, mode=0o700)
            os.replace(written(target, made), target)
    return target


def _make(full: bytes, spec: ModelSpec) -> bytes:
    """The FP16 file, of the bytes of the FP32 file and the spec of the file to be made."""
    import onnx

    half = to_fp16(onnx.load_from_string(full), spec.parity.get("kept_in_fp32", ()))
    set_contract(half, spec)
    made: bytes = onnx.shape_inference.infer_shapes(half, check_type=True, strict_mode=True).SerializeToString()
    return made


def to_fp16(model: ModelProto, keep: Sequence[str] = ()) -> ModelProto:
    """Weights and activations as float16 types; inputs and outputs stay float32, with a Cast at each.

    Args:
        model: in FP32; it is left as it is.
        keep: names of nodes that stay in FP32.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy = type(model)()
    copy.CopyFrom(model)
    # The shapes stand there with their FP32 types; they are inferred anew when the file is written.
    del copy.graph.value_info[:]
    half = OnnxModel(convert_float_to_float16(copy, keep_io_types=True, node_block_list=list(keep)))
    half.topological_sort()  # the Casts stand at the end
    converted: ModelProto = half.model
    del converted.graph.value_info[:]
    return converted


def set_contract(model: ModelProto, spec: ModelSpec) -> None:
    """Put the spec into the model, in place, and take out what a converter leaves behind."""
    from onnx import helper

    # The converters name domains that nothing uses, and strict readers refuse a domain they do not know.
    used = {node.domain for node in model.graph.node}
    imports = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.producer_name, model.producer_version = "echo-rt", spec.version
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
