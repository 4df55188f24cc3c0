"""Trained weights to an FP32 ONNX file or to 16 bits, with figures, EF calibration and offsets put in on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from echo_rt.errors import DataError, OutputError
from echo_rt.model import ModelSpec
from echo_rt_network.onnx_file import write_onnx
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights, save_weights


def export_onnx(
    weights: Path,
    target: Path,
    figures: Path | None = None,
    calibration: Path | None = None,
    offsets: Path | None = None,
) -> ModelSpec:
    """Write `target` from the safetensors of `echo-rt train`, whole or not at all.

    Args:
        weights: of `echo-rt train`.
        target: the ONNX file.
        figures: what ``echo-rt evaluate --json`` printed; its main figures are kept in the spec.
        calibration: what ``echo-rt evaluate --split train --fit-calibration --json`` printed; the runtime will apply
            its line to every EF.
        offsets: what ``echo-rt evaluate --hold-out K/N --fit-offsets --json`` printed; added to the biases of the last
            layer.

    Raises:
        DataError: `weights`, `figures`, `calibration` or `offsets` is not such a file.
        OutputError: the file could not be written.
    """
    network, spec = load_weights(weights)
    if offsets is not None:
        add_offsets(network, spec, offsets)
    if figures is not None:
        spec = replace(spec, figures=_main_figures(figures))
    if calibration is not None:
        spec = replace(spec, ef_calibration=_calibration(calibration))
    write_onnx(network, spec, target)
    return spec


def export_weights(weights: Path, target: Path, offsets: Path | None = None) -> None:
    """Write the safetensors of `echo-rt train` anew in 16 bits: half as large, and good to begin another training with.

    Args:
        weights, offsets: as in `export_onnx`.
        target: the safetensors file.

    Raises:
        DataError: `weights` or `offsets` is not such a file.
        OutputError: the file could not be written.
    """
    network, spec = load_weights(weights)
    if offsets is not None:
        add_offsets(network, spec, offsets)
    try:
        save_weights(network, spec, target, half=True)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{target}: expected to write the weights, found {error}; free some space or name another file"
        ) from None


def add_offsets(network: UNet, spec: ModelSpec, path: Path) -> None:
    """Add the offsets in the output of ``echo-rt evaluate --fit-offsets --json`` to the logits that the network gives,
    in place.

    Raises:
        DataError: the file is another one, or names other classes.
    """
    with _evaluation(path) as found:
        logits = {str(name): float(offset) for name, offset in found["class_offsets"]["logits"].items()}
        added = torch.tensor([0.0, *(logits.pop(name) for name in spec.classes[1:])])
        if logits:
            raise KeyError(*logits)
    bias = network.head.bias
    assert bias is not None
    with torch.no_grad():
        bias.add_(added)


def _main_figures(path: Path) -> dict[str, Any]:
    """Dice of each class and the error of EF, for each view; EF as the runtime gives it, calibrated where the model
    is."""
    figures: dict[str, Any] = {}
    with _evaluation(path) as found:
        for view, of_view in found["views"].items():
            figures[f"{view} Dice"] = {name: round(overlap["dice"], 4) for name, overlap in of_view["classes"].items()}
        for view, of_view in [*found["views"].items(), ("biplane", found["biplane"])]:
            ef = of_view.get("ef_calibrated") or of_view["ef"]
            figures[f"{view} EF"] = {
                name: round(ef[name], 2) for name in ("mae", "bias", "sd", "r") if ef[name] is not None
            }
    return figures


def _calibration(path: Path) -> tuple[float, float]:
    with _evaluation(path) as found:
        return float(found["ef_calibration"]["slope"]), float(found["ef_calibration"]["offset"])


@contextmanager
def _evaluation(path: Path) -> Iterator[dict[str, Any]]:
    """The output of `echo-rt evaluate --json`; whatever is missing in it is one error."""
    try:
        yield json.loads(path.read_text())
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected the output of `echo-rt evaluate --json`, found something else ({error!r})"
        ) from None
