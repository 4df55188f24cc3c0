"""Losses against soft targets: how much of each grid pixel each class covers."""

from __future__ import annotations

from torch import Tensor


def soft_targets(covered: Tensor) -> Tensor:
    """Foreground coverage (N, C - 1, h, w) to all classes (N, C, h, w), background being the rest."""
    import torch

    return torch.cat([1 - covered.sum(1, keepdim=True), covered], dim=1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over pixels of -sum(target log softmax(logits)); both (N, C, h, w)."""
    return -(target * logits.log_softmax(1)).sum(1).mean()


def dice(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice, summed over the batch, mean over the foreground classes (Milletari et al., 3DV 2016, arXiv 1606.04797)."""
    probability = logits.softmax(1)[:, 1:]
    truth = target[:, 1:]
    over = (0, 2, 3)
    both = (probability * truth).sum(over)
    return 1 - ((2 * both + smooth) / ((probability**2).sum(over) + (truth**2).sum(over) + smooth)).mean()
