"""The experiments that made the shipped models can be composed, and make what their names promise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module
from torch import nn

import echo_rt_train
from echo_rt_network.unet import UNet
from echo_rt_network.weights import build_network
from echo_rt_train.augment import Augment
from echo_rt_train.loop import grid_size

EXPERIMENTS = sorted(path.stem for path in (Path(echo_rt_train.__file__).parent / "conf" / "experiment").glob("*.yaml"))

LIMITS = {"lv-edge": (2.0, 0.75), "lv-phantom": (2.0, 0.75)}
"""Millions of parameters, and of 1000 multiply-adds a frame."""


def multiply_adds(network: UNet, height: int, width: int) -> int:
    """Of all convolutions for one image."""
    found = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal found
        if isinstance(module, nn.ConvTranspose2d):
            found += inputs[0][0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Conv2d):
            found += output[0].numel() * module.weight[0].numel()

    for module in network.modules():
        module.register_forward_hook(count)
    network.eval()(torch.zeros(1, 1, height, width))
    return found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiment_of_a_shipped_model_makes_a_network_within_its_limits(name: str) -> None:
    with initialize_config_module("echo_rt_train.conf", version_base=None):
        config = compose("train", overrides=[f"+experiment={name}"])
    assert config.name == name
    Augment.of(config.augment)
    network = build_network(config.model, 4)
    parameters, work = (
        sum(p.numel() for p in network.parameters()) / 1e6,
        multiply_adds(network, *grid_size(config)) / 1e9,
    )
    if name in LIMITS:
        assert parameters <= LIMITS[name][0]
        assert work <= LIMITS[name][1]
    assert ("CAMUS" in config.card.training_data) == ("CC BY-NC-SA" in config.card.licence), (
        "the data's terms stand in the card"
    )


def test_multiply_adds_are_counted_as_by_hand() -> None:
    first, second, head = 8 * 8 * 9 * 2, 8 * 8 * 9 * 2 * 2, 8 * 8 * 4 * 2
    assert multiply_adds(UNet([2]), 8, 8) == first + second + head
