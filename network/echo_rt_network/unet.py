"""The network: a plain U-Net of 3x3 convolutions, which quantise well, with heads and a memory where they are
wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from echo_rt.errors import ParameterError
from echo_rt.model import HEADS, VIEWS

HEAD_WIDTH = 32
"""Channels of a head: enough for three views, and a thousandth of the multiply-adds of the rest."""


class Output(NamedTuple):
    """What the network says of N images.

    Attributes:
        logits: (N, classes, h, w).
        heads: by the names in `echo_rt.model.HEADS`: ``view`` (N, views) logits; ``confidence`` (N, 1), the logit of
            the Dice of the cavity that is to be expected.
        state: by name (N, hidden, h', w'), to be given with the next image of the same clip; empty without a memory.
    """

    logits: Tensor
    heads: dict[str, Tensor]
    state: dict[str, Tensor]


class ConvBlock(nn.Sequential):
    """Twice: 3x3 convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        layers: list[nn.Module] = []
        for channels in (channels_in, channels_out):
            layers += [
                nn.Conv2d(channels, channels_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)


class Head(nn.Sequential):
    """Image features to a few numbers: 1x1 convolution, batch norm, ReLU, mean over the image, linear."""

    def __init__(self, channels_in: int, numbers: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, HEAD_WIDTH, 1, bias=False),
            nn.BatchNorm2d(HEAD_WIDTH),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(HEAD_WIDTH, numbers),
        )


class ConvGRU(nn.Module):
    """Convolutional gated recurrent unit (Ballas et al., ICLR 2016, arXiv 1511.06432), added to the features it stands
    on.

    What it adds starts at nothing, so that a trained network can be given a memory and is at first the same.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(channels + hidden, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(channels + hidden, hidden, 3, padding=1)
        self.out = nn.Conv2d(hidden, channels, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, channels, h, w) and the state (N, hidden, h, w) before; returns both after."""
        update, reset = torch.chunk(torch.sigmoid(self.gates(torch.cat([features, hidden], dim=1))), 2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([features, reset * hidden], dim=1)))
        hidden = hidden + update * (candidate - hidden)
        return features + self.out(hidden), hidden


class UNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015, arXiv 1505.04597) with batch norm and same-size convolutions.

    Args:
        widths: channels of each level, from the image's own size down; each level is half as large as the one above.
        classes: output channels.
        heads: some of `echo_rt.model.HEADS`. They read the bottleneck.
        memory: hidden channels of a ConvGRU on the way up at each level, in the order of `widths`, the last being the
            bottleneck; 0 is none, and so is an empty list. With a memory the network is causal and streams: its state
            goes in and out with every image.
        patch: pixels at the side of a square that the first level takes as channels of one pixel. With 2 no layer runs
            at the image's own size, where a processor spends most time for the fewest multiply-adds.

    Attributes:
        architecture: what it was made of, but for the classes.
        head_gradient: share of the heads' gradient that reaches the bottleneck. At 0 they teach it nothing: the masks
            are the same with and without.

    Raises:
        ParameterError: a head is unknown, or there are more or fewer memories than levels.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128, 256),
        classes: int = 4,
        heads: Sequence[str] = (),
        memory: Sequence[int] = (),
        patch: int = 1,
    ) -> None:
        super().__init__()
        widths, memory = list(widths), list(memory)
        self.head_gradient, self.patch = 0.0, patch
        self.architecture: dict[str, Any] = {"widths": widths, "heads": list(heads), "memory": memory, "patch": patch}
        if unknown := sorted(set(heads) - set(HEADS)):
            raise ParameterError(f"model.heads: expected some of {', '.join(HEADS)}, found {', '.join(unknown)}")
        if memory and len(memory) != len(widths):
            raise ParameterError(
                f"model.memory: expected none or as many as the {len(widths)} levels of model.widths, "
                f"found {len(memory)}"
            )
        self.encoder = nn.ModuleList([ConvBlock(a, b) for a, b in pairwise([patch**2, *widths])])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths)])
        self.decoder = nn.ModuleList([ConvBlock(2 * a, a) for a in widths[:-1]])
        self.head = nn.Conv2d(widths[0], classes * patch**2, 1)
        numbers = {"view": len(VIEWS), "confidence": 1}
        self.heads = nn.ModuleDict({name: Head(widths[-1], numbers[name]) for name in heads})
        self.memory = nn.ModuleDict(
            {f"memory_{i}": ConvGRU(widths[i], hidden) for i, hidden in enumerate(memory) if hidden}
        )

    @property
    def state_names(self) -> tuple[str, ...]:
        """Of the tensors in `Output.state`."""
        return tuple(self.memory)

    def forward(self, image: Tensor, state: Mapping[str, Tensor] | None = None) -> Output:
        """Normalised grey (N, 1, h, w), h and w multiples of patch * 2**(levels - 1), and the state after the image
        before; None at the first."""
        skips: list[Tensor] = []
        x = in_patches(image, self.patch) if self.patch > 1 else image
        for level, block in enumerate(self.encoder):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        after: dict[str, Tensor] = {}
        heads = {name: head(self._for_heads(x)) for name, head in self.heads.items()}
        x = self._remember(len(self.decoder), x, state, after)
        for level in reversed(range(len(self.decoder))):
            x = self.decoder[level](torch.cat([skips.pop(), self.up[level](x)], dim=1))
            x = self._remember(level, x, state, after)
        x = self.head(x)
        x = out_of_patches(x, self.patch) if self.patch > 1 else x
        return Output(x, heads, {name: after[name] for name in self.memory})

    def _for_heads(self, x: Tensor) -> Tensor:
        if not (self.training and self.head_gradient):
            return x.detach()
        return x.detach() + self.head_gradient * (x - x.detach())

    def _remember(self, level: int, x: Tensor, state: Mapping[str, Tensor] | None, after: dict[str, Tensor]) -> Tensor:
        name = f"memory_{level}"
        if name not in self.memory:
            return x
        cell = self.memory[name]
        assert isinstance(cell, ConvGRU)
        hidden = state[name] if state else x.new_zeros(x.shape[0], cell.hidden, *x.shape[2:])
        x, after[name] = cell(x, hidden)
        return x


def in_patches(image: Tensor, side: int) -> Tensor:
    """An image (N, 1, h, w) as (N, side**2, h / side, w / side): the pixels of each square, row by row, as channels.

    It is `nn.functional.pixel_unshuffle`, in steps that move blocks, channels last.
    """
    n, _, h, w = image.shape
    rows = image.reshape(n * h // side, side, w // side, side).transpose(1, 2)
    return rows.reshape(n, h // side, w // side, side * side).permute(0, 3, 1, 2)


def out_of_patches(x: Tensor, side: int) -> Tensor:
    """(N, side**2 * classes, h, w), of each pixel of a square all classes, as (N, classes, side * h, side * w)."""
    n, channels, h, w = x.shape
    classes = channels // side**2
    rows = x.permute(0, 2, 3, 1).reshape(n * h, w, side, side * classes).transpose(1, 2)
    return rows.reshape(n, side * h, side * w, classes).permute(0, 3, 1, 2)
