"""Which part of an image a network's answer rests on: input gradient, integrated gradients, Grad-CAM.

A segmentation network gives a figure for every pixel; what is explained is one number f(x) for a class: the mean of its
logits over a region R, by default the pixels that the network gives to that class (Seg-Grad-CAM: Vinogradova, Dibrov
and Myers, Towards interpretable semantic segmentation via gradient-weighted class activation mapping, AAAI 2020, takes
the sum). R is found once and then held fixed.

Written out here because each is a few lines: Captum would add a library for three formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from echo_rt.errors import ParameterError

STEPS = 128
"""Of the path of integrated gradients. The sum of the attributions is then off by 1 % as a rule and by 3 % at most
(lv-base on CAMUS); twice as many steps halve that and take twice as long. Each sheet states both sums."""

BATCH = 16
"""Points of the path that go through the network at a time."""

Target = Callable[[Tensor], Tensor]
"""From images (N, 1, h, w) to f (N,)."""


def logits_of(output: object) -> Tensor:
    """The logits (N, classes, h, w) of a network's output: the output itself, or the first of several.

    Raises:
        ParameterError: there are none.
    """
    if isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    while isinstance(output, (tuple, list)) and output:
        output = output[0]
    if not isinstance(output, Tensor) or output.ndim != 4:
        raise ParameterError(
            f"expected a network that gives logits (N, classes, h, w), found {type(output).__name__}; give another run"
        )
    return output


def region_of(network: nn.Module, image: Tensor, label: int) -> Tensor:
    """R: the pixels (h, w) bool that the network gives to a class; where it gives none, the 1 % where it comes nearest
    to it."""
    with torch.no_grad():
        logits = logits_of(network(image))[0]
    region = logits.argmax(0) == label
    if region.any():
        return region
    nearness = logits[label] - logits.amax(0)
    return nearness >= torch.quantile(nearness.flatten(), 0.99)


def target_of(network: nn.Module, label: int, region: Tensor) -> Target:
    """f: the mean logit of a class over a region (h, w) bool."""

    def f(images: Tensor) -> Tensor:
        return logits_of(network(images))[:, label][:, region].mean(1)

    return f


def input_gradient(f: Target, image: Tensor) -> Tensor:
    """Saliency: df/dx (Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks, arXiv 1312.6034, 2014).

    Args:
        f: what is explained.
        image: (1, 1, h, w) normalised.

    Returns:
        (h, w), signed: how much f rises for each unit of the normalised image. The paper shows its magnitude.
    """
    x = image.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(f(x).sum(), x)
    return gradient[0, 0]


@dataclass(frozen=True)
class IntegratedGradients:
    """Attributions and what they should add up to.

    Attributes:
        attribution: (h, w), the share of each pixel in f(image) - f(baseline).
        total, difference: the sum of the attributions, and f(image) - f(baseline), to which it is equal but for the
            finite steps.
    """

    attribution: Tensor
    total: float
    difference: float


def integrated_gradients(f: Target, image: Tensor, baseline: Tensor, steps: int = STEPS) -> IntegratedGradients:
    """IG(x) = (x - x') times the mean of df/dx on the way from x' to x (Sundararajan, Taly and Yan, ICML 2017, arXiv
    1703.01365, eq. 1), by the midpoint rule.

    Args:
        f: what is explained.
        image, baseline: x and x', (1, 1, h, w) normalised.
        steps: of the path.
    """
    total = torch.zeros_like(image)
    for start in range(0, steps, BATCH):
        share = (torch.arange(start, min(start + BATCH, steps), device=image.device, dtype=image.dtype) + 0.5) / steps
        x = (baseline + share[:, None, None, None] * (image - baseline)).requires_grad_(True)
        (gradient,) = torch.autograd.grad(f(x).sum(), x)
        total += gradient.sum(0, keepdim=True)
    attribution = ((image - baseline) * total / steps)[0, 0]
    with torch.no_grad():
        difference = float(f(image)[0] - f(baseline)[0])
    return IntegratedGradients(attribution, float(attribution.sum()), difference)


def grad_cam(f: Target, image: Tensor, layer: nn.Module) -> Tensor:
    """Grad-CAM = ReLU(sum over k of a_k A_k), a_k being the mean of df/dA_k over the map (Selvaraju et al., ICCV 2017,
    eq. 1 and 2).

    Args:
        f: what is explained.
        image: (1, 1, h, w) normalised.
        layer: whose output A (1, channels, h', w') is looked at.

    Returns:
        (h', w') on the layer's own grid, not negative.

    Raises:
        ParameterError: the layer takes no part in f, or gives no maps.
    """
    maps: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            maps.append(output)

    handle = layer.register_forward_hook(keep)
    try:
        answer = f(image.detach().clone().requires_grad_(True)).sum()
    finally:
        handle.remove()
    gradient = torch.autograd.grad(answer, maps[-1], allow_unused=True)[0] if maps else None
    if gradient is None:
        raise ParameterError(
            "--layer: expected a layer that gives maps on the way to the logits, found another; "
            "name one such as decoder.0"
        )
    weights = gradient.mean((2, 3), keepdim=True)
    return torch.relu((weights * maps[-1]).sum(1))[0].detach()
