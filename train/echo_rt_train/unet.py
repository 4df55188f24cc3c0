"""The network: a plain U-Net of 3x3 convolutions, which quantise well."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


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


class UNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015, arXiv 1505.04597) with batch norm and same-size convolutions.

    Args:
        widths: channels of each level, from the image's own size down; each level is half as large as the one above.
        classes: output channels.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128, 256), classes: int = 4) -> None:
        super().__init__()
        widths = list(widths)
        self.encoder = nn.ModuleList([ConvBlock(a, b) for a, b in pairwise([1, *widths])])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths)])
        self.decoder = nn.ModuleList([ConvBlock(2 * a, a) for a in widths[:-1]])
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised grey (N, 1, h, w), h and w multiples of 2**(levels - 1); returns logits (N, classes, h, w)."""
        skips: list[Tensor] = []
        x = image
        for level, block in enumerate(self.encoder):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up, block in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = block(torch.cat([skips.pop(), up(x)], dim=1))
        logits: Tensor = self.head(x)
        return logits
