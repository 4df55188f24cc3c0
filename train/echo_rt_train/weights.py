"""Trained weights as a file: safetensors, with architecture and `ModelSpec` inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from echo_rt.errors import DataError
from echo_rt.model import METADATA_KEY, ModelSpec
from echo_rt_train.unet import UNet


def build_network(architecture: Mapping[str, Any], classes: int) -> UNet:
    """The network that ``model`` in conf/train.yaml describes."""
    # Weights of before there were heads and memories say nothing of them.
    return UNet(architecture["widths"], classes, architecture.get("heads", ()), architecture.get("memory", ()))


def save_weights(network: nn.Module, spec: ModelSpec, architecture: Mapping[str, Any], path: Path) -> Path:
    """Weights, architecture and contract in one file, written whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    part = path.with_suffix(".part")
    # One entry: several are stored in random order, and the same weights should be the same bytes.
    save_file(state, part, metadata={METADATA_KEY: json.dumps({"spec": spec.to_json(), "architecture": dict(architecture)})})
    os.replace(part, path)
    return path


def load_weights(path: Path) -> tuple[UNet, ModelSpec]:
    """What `save_weights` wrote.

    Raises:
        DataError: the file is not there or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: expected weights of echo-rt (safetensors), found none: {error}") from None
    if METADATA_KEY not in metadata:
        raise DataError(f"{path}: expected weights that `echo-rt train` wrote, found another safetensors file")
    stored_as = json.loads(metadata[METADATA_KEY])
    spec = ModelSpec.from_json(stored_as["spec"], str(path))
    network = build_network(stored_as["architecture"], len(spec.classes))
    network.load_state_dict(state)
    return network.eval(), spec
