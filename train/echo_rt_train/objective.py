"""What a network is asked to make small: the masks' loss, and what its heads and its memory should learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echo_rt.model import CLASSES
from echo_rt_train.losses import Loss, soft_targets
from echo_rt_train.unet import Output, UNet

CAVITY = CLASSES.index("lv_cavity")


class Objective(nn.Module):
    """A network and what it is judged by, in one module: several GPUs want one pass forward for each pass back.

    Args:
        network: the one that learns.
        loss: of the masks.
        jitter: weight of the unsteadiness of the cavity's area, see `unsteadiness`; for clips.
    """

    def __init__(self, network: UNet, loss: Loss, jitter: float = 0.0) -> None:
        super().__init__()
        self.network, self.loss, self.jitter = network, loss, jitter

    def forward(self, grey: Tensor, covered: Tensor, known: Tensor, view: Tensor) -> dict[str, Tensor]:
        """The parts of the sum, by name.

        Args:
            grey: (N, T, 1, h, w) normalised. The frames of a clip are shown one after the other, the state handed on.
            covered, known, view: as in `echo_rt_train.images.Item`, N in front.
        """
        parts: dict[str, list[Tensor]] = {}
        areas: list[Tensor] = []
        state: dict[str, Tensor] | None = None
        for t in range(grey.shape[1]):
            output: Output = self.network(grey[:, t].contiguous(memory_format=torch.channels_last), state)
            state = output.state
            logits, target = output.logits.float(), soft_targets(covered[:, t])
            parts.setdefault("masks", []).append(self.loss(logits, target, known))
            if "view" in output.heads:
                parts.setdefault("view", []).append(nn.functional.cross_entropy(output.heads["view"].float(), view))
            if "confidence" in output.heads:
                parts.setdefault("confidence", []).append(confidence_loss(output.heads["confidence"].float()[:, 0], logits, target))
            if self.jitter:
                areas.append(torch.stack([logits.softmax(1)[:, CAVITY].sum((1, 2)), target[:, CAVITY].sum((1, 2))]))
        mean = {name: torch.stack(values).mean() for name, values in parts.items()}
        if len(areas) > 1:
            mean["jitter"] = self.jitter * unsteadiness(*torch.stack(areas, dim=-1))
        return mean


def confidence_loss(confidence: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the Dice that a network expects (N,), as logits, against the soft Dice that its cavity has.

    Where there is no ventricle the Dice is 0, whatever the network draws: there is nothing to be right about.
    """
    found, true = logits.detach().softmax(1)[:, CAVITY], target[:, CAVITY]
    dice = 2 * (found * true).sum((1, 2)) / ((found**2).sum((1, 2)) + (true**2).sum((1, 2))).clamp(min=1e-6)
    return nn.functional.binary_cross_entropy_with_logits(confidence, dice.clamp(0, 1))


def unsteadiness(found: Tensor, true: Tensor) -> Tensor:
    """How much the error of an area changes from frame to frame, as a share of the mean area: 0 for a constant error, and for none.

    A curve that is smooth because it lags behind is no better by this measure: its error changes with the motion.

    Args:
        found, true: (N, T) areas in pixels.
    """
    error = (found - true) / true.mean(1, keepdim=True).clamp(min=1.0)
    # A clip without a ventricle has no curve to be steady.
    there = (true.mean(1) > 1).float()
    return (error.diff(dim=1).abs().mean(1) * there).sum() / there.sum().clamp(min=1)
