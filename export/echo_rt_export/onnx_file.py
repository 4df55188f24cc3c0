"""Weights to one self-contained FP32 ONNX file that carries its `ModelSpec`."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from echo_rt.errors import DataError, OutputError
from echo_rt.model import ModelSpec
from echo_rt_export.model_file import write_model
from echo_rt_export.operators import OPSET
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
    fold_batch_norm(network)
    flat = Flat(network)
    example = torch.zeros(1, 1, spec.height, spec.width)
    with torch.no_grad():
        state = list(network(example).state.values())
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch advises its newer exporter, which starts at opset 18: TensorRT 8, as on JetPack 5, does not read that.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            flat, (example, *map(torch.zeros_like, state)), buffer, opset_version=OPSET, dynamo=False,
            input_names=["image", *spec.state], output_names=["logits", *spec.heads, *(f"{name}_next" for name in spec.state)],
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    write_model(model, spec, target)
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


class Flat(nn.Module):
    """A network whose inputs and outputs are tensors in the order in which a `ModelSpec` names them: image and state
    in; logits, heads and state out."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `echo_rt_network.unet.UNet.forward`."""
        output = self.network(image, dict(zip(self.network.state_names, state, strict=True)))
        return output.logits, *output.heads.values(), *output.state.values()


def fold_batch_norm(network: nn.Module) -> None:
    """Put every batch norm that follows a convolution into that convolution, in place."""
    for parent in network.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        for i in range(len(parent) - 1):
            conv, norm = parent[i], parent[i + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent[i], parent[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()


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
    with torch.no_grad():
        network.head.bias += added


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
