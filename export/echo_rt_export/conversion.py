"""From weights or an FP32 file to a file of the precision that was asked for, through the parity gate."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import onnx

from echo_rt.engine import Engine, open_engine
from echo_rt.errors import ModelError, ParameterError
from echo_rt.model import PRECISIONS, ModelSpec, model_path
from echo_rt.model.half import to_fp16
from echo_rt_export.parity import Parity, calibration_recordings, compare, gate_recordings
from echo_rt_export.precision import calibration_feeds, to_int8
from echo_rt_network.model_file import read_model, write_model
from echo_rt_network.run_folder import names_weights, weights_in


def export(
    source: str | Path,
    target: Path,
    precision: str = "fp32",
    *,
    frames: Path | None = None,
    figures: Path | None = None,
    tuning: Path | None = None,
    symmetric: bool = False,
) -> tuple[ModelSpec, Parity | None]:
    """Write `target` in the given precision.

    Args:
        source: weights of `echo-rt train`, the folder of a run, an FP32 .onnx file of echo-rt, or the name of a shipped
            model.
        target: the ONNX file.
        precision: fp32, fp16 or int8.
        frames: a folder of recordings that INT8 is calibrated on and the gate judges by, beside those that are always
            there.
        figures, tuning: as in `echo_rt_export.weights.export_onnx`; for weights alone.
        symmetric: of INT8, see `echo_rt_export.precision.to_int8`.

    Returns:
        The contract inside the file, and what the gate found; None in FP32, which is compared with nothing.

    Raises:
        ParameterError: the precision is unknown, or does not go with the source.
        ModelError, DataError: the source is not as it should be; or the gate was not passed, and the file has no
            ``ok``.
        OutputError: the file could not be written.
    """
    if precision not in PRECISIONS:
        raise ParameterError(f"expected a precision of {', '.join(PRECISIONS)}, found {precision!r}")
    if not names_weights(source):
        if any(given is not None for given in (figures, tuning)):
            raise ParameterError(
                f"{source}: expected weights beside --figures or --tuning, found a model, which has its own"
            )
        return _from_onnx(model_path(source), target, precision, frames, symmetric)
    # Only weights need torch.
    from echo_rt_export.weights import export_onnx

    weights = weights_in(source)
    if precision == "fp32":
        return export_onnx(weights, target, figures, tuning), None
    with tempfile.TemporaryDirectory(prefix="echo-rt-") as folder:
        full = Path(folder) / f"{target.name}.fp32.onnx"
        export_onnx(weights, full, figures, tuning)
        return _from_onnx(full, target, precision, frames, symmetric)


def _from_onnx(
    source: Path, target: Path, precision: str, frames: Path | None, symmetric: bool
) -> tuple[ModelSpec, Parity | None]:
    model, spec = read_model(source)
    if spec.precision != "fp32":
        raise ParameterError(
            f"{source}: expected an fp32 model as the source, found {spec.precision}; name the fp32 file"
        )
    # The engine refuses a network that contradicts its spec, whatever is to be made of it.
    with open_engine(source, "cpu") as reference:
        if precision == "fp32":
            write_model(model, spec, target)
            return spec, None
        return _through_the_gate(model, reference, target, precision, frames, symmetric)


def _through_the_gate(
    model: onnx.ModelProto, reference: Engine, target: Path, precision: str, frames: Path | None, symmetric: bool
) -> tuple[ModelSpec, Parity]:
    """Keep as little in FP32 as the gate lets pass."""
    feeds = calibration_feeds(model, reference, calibration_recordings(frames)) if precision == "int8" else []
    spec = replace(reference.spec, precision=precision)
    recordings = gate_recordings(frames)
    with tempfile.TemporaryDirectory(prefix="echo-rt-") as folder:
        trial = Path(folder) / target.name
        ladder = _kept_in_fp32(model, spec)
        for keep in ladder:
            converted = to_int8(model, feeds, keep, symmetric) if precision == "int8" else to_fp16(model, keep)
            write_model(converted, spec, trial)
            with open_engine(trial, "cpu") as candidate:
                # Most that fail do so on the real recording, which is the first.
                if keep is not ladder[-1] and not compare(reference, candidate, recordings[:1]).ok:
                    continue
                parity = compare(reference, candidate, recordings)
            if parity.ok:
                break
    spec = replace(spec, parity={**parity.for_spec(), "kept_in_fp32": keep})
    write_model(converted, spec, target)
    if not parity.ok:
        raise ModelError(
            f"{target}: expected {precision} to agree with fp32, found {'; '.join(parity.failures)}; "
            "it is written without its ok, for study: use the fp32 file"
        )
    return spec, parity


def _kept_in_fp32(model: onnx.ModelProto, spec: ModelSpec) -> list[list[str]]:
    """What to keep in FP32, the least first.

    Nothing; the last layer, whose output decides between the classes; the first one, which sees the image; all that
    comes before the first reduction, a tenth of the multiply-adds of a U-Net; all layers at the image's own size.
    """
    layers = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose", "Gemm")]
    last = _last_layer(model)
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.value_info
    }
    whole = [node.name for node in layers if shapes.get(node.output[0], [])[2:] == [*spec.input.grid]]
    before: list[str] = []
    for node in model.graph.node:
        if node.op_type == "MaxPool":
            break
        if node in layers:
            before.append(node.name)
    ladder: list[list[str]] = []
    for names in ([], [last], [layers[0].name, last], [*before, last], [*whole, last]):
        if (unique := list(dict.fromkeys(names))) not in ladder:
            ladder.append(unique)
    return ladder


def _last_layer(model: onnx.ModelProto) -> str:
    """The layer that says the logits. What only moves them may follow it."""
    maker = {output: node for node in model.graph.node for output in node.output}
    node = maker["logits"]
    while node.op_type in ("Reshape", "Transpose", "DepthToSpace"):
        node = maker[node.input[0]]
    return str(node.name)
