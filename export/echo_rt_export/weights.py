"""Trained weights to an FP32 ONNX file or to 16 bits, with figures and what was tuned put in on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from echo_rt.checked import MismatchError, parse_json, shown
from echo_rt.errors import DataError, OutputError
from echo_rt.model import ModelSpec
from echo_rt_network.onnx_file import write_onnx
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights, save_weights

TUNED = ("ef_calibration", "ef_calibration_a2c", "interval")
"""Fields of `Tuning` that `echo-rt tune` gives as they are."""


def export_onnx(weights: Path, target: Path, figures: Path | None = None, tuning: Path | None = None) -> ModelSpec:
    """Write `target` from the safetensors of `echo-rt train`, whole or not at all.

    Args:
        weights: of `echo-rt train`.
        target: the ONNX file.
        figures: what ``echo-rt evaluate --json`` printed; its main figures are kept in the spec.
        tuning: what `echo-rt tune` wrote: offsets, which are added to the biases of the last layer, and `Tuning`.

    Raises:
        DataError: `weights`, `figures` or `tuning` is not such a file.
        OutputError: the file could not be written.
    """
    network, spec = load_weights(weights)
    if tuning is not None:
        spec = put_in(network, spec, tuning)
    if figures is not None:
        spec = replace(spec, origin=replace(spec.origin, figures=_main_figures(figures)))
    write_onnx(network, spec, target)
    return spec


def export_weights(weights: Path, target: Path, tuning: Path | None = None) -> None:
    """Write the safetensors of `echo-rt train` anew in 16 bits: half as large, and good to begin another training with.

    Args:
        weights, tuning: as in `export_onnx`.
        target: the safetensors file.

    Raises:
        DataError: `weights` or `tuning` is not such a file.
        OutputError: the file could not be written.
    """
    network, spec = load_weights(weights)
    if tuning is not None:
        spec = put_in(network, spec, tuning)
    try:
        save_weights(network, spec, target, half=True)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{target}: expected to write the weights, found {error}; free some space or name another file"
        ) from None


def put_in(network: UNet, spec: ModelSpec, path: Path) -> ModelSpec:
    """The spec with what `echo-rt tune` wrote; its offsets are added to the logits that the network gives, in place.

    Raises:
        DataError: the file is another one, or names other classes.
        ModelError: a value of it is out of its range.
    """
    with _json(path, "tune") as found:
        logits = {str(name): float(offset) for name, offset in found["offsets"].items()}
        added = torch.tensor([0.0, *(logits.pop(name) for name in spec.classes[1:])])
        if logits:
            raise KeyError(*logits)
        # By way of the JSON, which checks it.
        raw = json.loads(spec.to_json())
        raw |= {name: found[name] for name in TUNED if name in found}
        raw["quality"] = {**raw["quality"], **found.get("quality", {})}
        spec = ModelSpec.from_json(json.dumps(raw), str(path))
    bias = network.head.bias
    assert bias is not None
    with torch.no_grad():
        bias.add_(added.repeat(len(bias) // len(added)))  # of every pixel of a patch
    return spec


def _main_figures(path: Path) -> dict[str, Any]:
    """Dice of each class, the error of EF and its interval, for each view; EF as the runtime gives it, calibrated where
    the model is."""
    figures: dict[str, Any] = {}
    with _json(path, "evaluate --json") as found:
        for view, of_view in found["views"].items():
            figures[f"{view} Dice"] = {name: round(overlap["dice"], 4) for name, overlap in of_view["classes"].items()}
        for view, of_view in [*found["views"].items(), ("biplane", found["biplane"])]:
            ef = of_view.get("ef_calibrated") or of_view["ef"]
            figures[f"{view} EF"] = {
                name: round(ef[name], 2) for name in ("mae", "bias", "sd", "r") if ef[name] is not None
            }
            if interval := of_view.get("interval"):
                names = ("coverage", "width_points", "spearman")
                figures[f"{view} EF interval"] = {n: round(interval[n], 3) for n in names if interval[n] is not None}
    return figures


@contextmanager
def _json(path: Path, command: str) -> Iterator[dict[str, Any]]:
    """The output of a command of echo-rt; whatever is missing in it is one error."""
    try:
        yield parse_json(path.read_bytes())
    except (OSError, MismatchError, OverflowError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the output of `echo-rt {command}`, found something else ({shown(error)})"
        ) from None
