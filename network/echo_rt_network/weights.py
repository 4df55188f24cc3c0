"""Trained weights as a file: safetensors, with architecture and `ModelSpec` inside."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from echo_rt.checked import AtMost, Between, MismatchError, Verbatim, parse_json, record
from echo_rt.errors import DataError, first_line
from echo_rt.model import HEADS, METADATA_KEY, ModelSpec, models_dir
from echo_rt_network.unet import UNet

Channels = Annotated[int, Between(1, 4096)]
Hidden = Annotated[int, Between(0, 4096)]

LEVELS = 12

QUOTED = 200
"""Characters of torch's error that are worth repeating."""


@dataclass(frozen=True)
class _Architecture:
    """See `UNet`."""

    widths: tuple[Channels, ...]
    heads: Annotated[tuple[str, ...], AtMost(len(HEADS))] = ()
    memory: tuple[Hidden, ...] = ()
    patch: Annotated[int, Between(1, 8)] = 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.widths) <= LEVELS:
            raise MismatchError(f"expected 1 to {LEVELS} levels as architecture.widths, found {len(self.widths)}")


@dataclass(frozen=True)
class _Stored:
    """What stands beside the weights: a spec as JSON in itself, and the architecture."""

    spec: Verbatim
    architecture: _Architecture


def build_network(architecture: Mapping[str, Any], classes: int) -> UNet:
    """The network that ``model`` in conf/train.yaml describes."""
    # Weights of before there were heads, memories and patches say nothing of them.
    heads, memory, patch = (
        architecture.get(name, default) for name, default in (("heads", ()), ("memory", ()), ("patch", 1))
    )
    return UNet(architecture["widths"], classes, heads, memory, patch)


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
        if not path.is_file():  # a pipe would block
            raise FileNotFoundError(errno.ENOENT, "no such file")
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, ValueError, SafetensorError) as error:
        found = getattr(error, "strerror", None) or first_line(error)
        raise DataError(f"{path}: expected weights of echo-rt (safetensors), found none: {found}") from None
    if METADATA_KEY not in metadata:
        raise DataError(f"{path}: expected weights that `echo-rt train` wrote, found another safetensors file")
    try:
        stored_as = record(_Stored, parse_json(metadata[METADATA_KEY]))
    except MismatchError as error:
        raise DataError(f"{path}: its description: {error}; train it again") from None
    spec = ModelSpec.from_json(stored_as.spec, str(path))
    return _filled(stored_as.architecture, spec, state, path), spec


def _filled(architecture: _Architecture, spec: ModelSpec, state: dict[str, Tensor], path: Path) -> UNet:
    """The network with these weights. It takes no memory of its own: what it says of itself may be far larger."""
    try:
        with torch.device("meta"):
            network = build_network(asdict(architecture), len(spec.classes))
        network.load_state_dict({name: _in_32_bits(tensor) for name, tensor in state.items()}, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        found = " ".join(str(error).split())[:QUOTED]
        raise DataError(f"{path}: expected weights of its architecture, found others ({found})") from None
    if (spec.heads, spec.state) != (architecture.heads, network.state_names):
        expected, found = f"{spec.heads} and {spec.state}", f"{architecture.heads} and {network.state_names}"
        raise DataError(f"{path}: expected the heads and the state of its spec, {expected}, found {found}")
    if lost := [name for name, tensor in network.state_dict().items() if not torch.isfinite(tensor).all()]:
        raise DataError(f"{path}: expected finite weights, found others in {lost[0]}; train it again")
    return network.eval()


def _in_32_bits(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
