"""Trained weights as a file: safetensors, with architecture and `ModelSpec` inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from echo_rt.errors import DataError
from echo_rt.model import METADATA_KEY, ModelSpec, models_dir
from echo_rt_network.unet import UNet


def build_network(architecture: Mapping[str, Any], classes: int) -> UNet:
    """The network that ``model`` in conf/train.yaml describes."""
    # Weights of before there were heads and memories say nothing of them.
    return UNet(architecture["widths"], classes, architecture.get("heads", ()), architecture.get("memory", ()))


def weights_path(name: str | Path) -> Path:
    """The file that a path, or the name of a shipped model, stands for."""
    shipped = models_dir() / f"{name}.safetensors"
    return shipped if shipped.is_file() else Path(name)


def save_weights(network: UNet, spec: ModelSpec, path: Path, half: bool = False) -> Path:
    """Weights, architecture and contract in one file, written whole or not at all.

    Args:
        network: whose weights and architecture.
        spec: what is written beside them.
        path: the file.
        half: numbers of 16 bits, to be passed on as the beginning of another training.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    part = path.with_suffix(".part")
    # One entry: several are stored in random order, and the same weights should be the same bytes.
    save_file(
        state, part, metadata={METADATA_KEY: json.dumps({"spec": spec.to_json(), "architecture": network.architecture})}
    )
    os.replace(part, path)
    return path


def load_weights(path: Path) -> tuple[UNet, ModelSpec]:
    """What `save_weights` wrote, in 32 bits.

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
