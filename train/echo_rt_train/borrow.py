"""Weights of one U-Net for another that has the same lowest levels: what fits is taken, the rest stays as it was drawn.

A network whose uppermost levels alone are new learns from its first step on with features that are known to be good.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from echo_rt.errors import ParameterError
from echo_rt_network.unet import UNet

_LEVEL = re.compile(r"(encoder|up|decoder)\.(\d+)\.(.+)")


@torch.no_grad()
def borrow(network: UNet, other: UNet) -> None:
    """Fill `network` with the weights of `other`, levels counted from the bottleneck, where there are as many of them
    in both.

    A layer with more channels has those of the other first. Of an output that is taken the additional inputs count for
    nothing at first.

    Raises:
        ParameterError: the bottlenecks differ.
    """
    expected, found = (list(one.architecture["widths"]) for one in (other, network))
    if found[-1] != expected[-1]:
        raise ParameterError(f"borrow: expected model.widths that end as {expected} do, found {found}")
    theirs = other.state_dict()
    for name, own in network.state_dict().items():
        if name == "encoder.0.0.weight" or name.startswith("head."):
            continue  # the image and the classes are no features
        given = theirs.get(_counted_on(name, len(expected) - len(found)))
        if given is not None:
            joined = name.startswith("decoder.") and name.endswith(".0.weight")
            _fill(own, given, joined, up=name.startswith("up."))


def _counted_on(name: str, levels: int) -> str:
    """The name of a weight so many levels further down."""
    level = _LEVEL.fullmatch(name)
    return f"{level[1]}.{int(level[2]) + levels}.{level[3]}" if level else name


def _fill(own: Tensor, given: Tensor, joined: bool, up: bool) -> None:
    """Put `given` into the first channels of `own`, in place.

    Args:
        own, given: weights, or what a batch norm has of each channel.
        joined: the inputs are those of two layers, one after the other.
        up: of a transposed convolution, whose inputs come first.
    """
    if own.dim() < 2:
        if own.dim():
            own[: len(given)] = given[: len(own)]
        return
    if up:
        own, given = own.transpose(0, 1), given.transpose(0, 1)
    outputs = min(len(own), len(given))
    own[:outputs] = 0
    for ours, theirs in zip(_halves(own, joined), _halves(given, joined), strict=True):
        inputs = min(ours.shape[1], theirs.shape[1])
        ours[:outputs, :inputs] = theirs[:outputs, :inputs]


def _halves(weight: Tensor, joined: bool) -> tuple[Tensor, ...]:
    return weight.chunk(2, dim=1) if joined else (weight,)
