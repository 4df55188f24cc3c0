"""Losses against soft targets: how much of each grid pixel each class covers. Dice and Tversky are MONAI's.

All take logits and targets (N, C, h, w), class 0 being the background, and `known` (N, C): 1 for the classes that
somebody traced in an image, 0 for those that nobody did (EchoNet-Dynamic has the cavity alone). What the network says
of an untraced class is no error: its probability counts as background, whose pixels may well be of that class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from monai.losses.dice import DiceLoss
from monai.losses.tversky import TverskyLoss
from torch import Tensor, nn

from echo_rt.errors import ParameterError

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def soft_targets(covered: Tensor) -> Tensor:
    """Foreground coverage (N, C - 1, h, w) to all classes (N, C, h, w), background being the rest."""
    return torch.cat([1 - covered.sum(1, keepdim=True), covered], dim=1)


def log_probability(logits: Tensor, known: Tensor) -> Tensor:
    """Log of the softmax, that of the untraced classes added to the background; -inf, taken as 0 by the losses, in
    their own place."""
    seen = known[:, :, None, None] > 0
    whole = logits.log_softmax(1)
    foreground = whole[:, 1:].masked_fill(~seen[:, 1:], 0.0)
    background = torch.logsumexp(
        torch.cat([whole[:, :1], whole[:, 1:].masked_fill(seen[:, 1:], -torch.inf)], dim=1), dim=1, keepdim=True
    )
    return torch.cat([background, foreground], dim=1)


def _probability(logits: Tensor, known: Tensor) -> Tensor:
    """Of the traced foreground classes; 0 for the others, as their targets are, which then add nothing to an
    overlap."""
    probability: Tensor = logits.softmax(1)[:, 1:] * known[:, 1:, None, None]
    return probability


def cross_entropy(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean over pixels of -sum(target log probability), and over the images of which any class was traced."""
    each = -(target * log_probability(logits, known)).sum(1).mean((1, 2))
    traced = (known[:, 1:].sum(1) > 0).to(each.dtype)
    return (each * traced).sum() / traced.sum().clamp(min=1)


def bce(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy with logits of every traced foreground class for itself, mean over its pixels."""
    each = nn.functional.binary_cross_entropy_with_logits(logits[:, 1:], target[:, 1:], reduction="none").mean((2, 3))
    return (each * known[:, 1:]).sum() / known[:, 1:].sum().clamp(min=1)


class Dice:
    """1 - soft Dice with squared denominator, over the batch, mean over the foreground classes (Milletari et al., 3DV
    2016)."""

    def __init__(self, smooth: float = 1.0) -> None:
        self._loss = DiceLoss(
            include_background=True, squared_pred=True, batch=True, smooth_nr=smooth, smooth_dr=smooth
        )

    def __call__(self, logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
        loss: Tensor = self._loss(_probability(logits, known), target[:, 1:] * known[:, 1:, None, None])
        return loss


class FocalTversky:
    """(1 - Tversky index) ** gamma, mean over the foreground classes (Abraham and Khan, ISBI 2019, arXiv 1810.07842).

    Args:
        alpha, beta: weights of false positives and of false negatives; 0.5 and 0.5 with gamma 1 would be Dice.
        gamma: below 1 it keeps the gradient large where the overlap is already good.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, gamma: float = 0.75, smooth: float = 1.0) -> None:
        self.gamma = gamma
        self._loss = TverskyLoss(
            alpha=alpha, beta=beta, batch=True, reduction="none", smooth_nr=smooth, smooth_dr=smooth
        )

    def __call__(self, logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
        each: Tensor = self._loss(_probability(logits, known), target[:, 1:] * known[:, 1:, None, None])
        # The gradient of a power below 1 is infinite at 0, which a class that is not in the batch reaches.
        return each.clamp(min=1e-6).pow(self.gamma).mean()


def build(weights: Mapping[str, float], focal_tversky: Mapping[str, float]) -> Loss:
    """The weighted sum that conf/train.yaml asks for.

    Args:
        weights: of `cross_entropy`, `bce`, `dice`, `focal_tversky`; 0 leaves one out.
        focal_tversky: its parameters.

    Raises:
        ParameterError: a name is unknown, or all weights are 0.
    """
    offered: dict[str, Loss] = {
        "cross_entropy": cross_entropy,
        "bce": bce,
        "dice": Dice(),
        "focal_tversky": FocalTversky(**focal_tversky),
    }
    if unknown := sorted(set(weights) - set(offered)):
        raise ParameterError(f"loss: expected {', '.join(offered)}, found {', '.join(unknown)}")
    parts = [(float(weight), offered[name]) for name, weight in weights.items() if weight]
    if not parts:
        raise ParameterError("loss: expected at least one weight above 0, found none")

    def total(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
        return torch.stack([weight * part(logits, target, known) for weight, part in parts]).sum()

    return total
