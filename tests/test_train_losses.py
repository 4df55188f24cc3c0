"""Each loss against its formula by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from echo_rt.errors import ParameterError
from echo_rt_train import losses


def two_pixels() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two pixels, one of background and one of foreground; the network says 1/4 and 3/4 of both."""
    logits = torch.tensor([[0.0, np.log(3.0)]]).reshape(1, 2, 1, 1).expand(1, 2, 2, 1).float()
    target = torch.tensor([[[1.0], [0.0]], [[0.0], [1.0]]])[None]
    return logits, target, torch.ones(1, 2)


def test_cross_entropy_by_hand() -> None:
    assert losses.cross_entropy(*two_pixels()).item() == pytest.approx(-(np.log(1 / 4) + np.log(3 / 4)) / 2)


def test_binary_cross_entropy_by_hand() -> None:
    assert losses.bce(*two_pixels()).item() == pytest.approx(
        -(np.log(1 / 4) + np.log(3 / 4)) / 2
    )  # sigmoid(log 3) is 3/4


def test_dice_by_hand() -> None:
    both, sums = 3 / 4, 2 * (3 / 4) ** 2 + 1
    assert losses.Dice()(*two_pixels()).item() == pytest.approx(1 - (2 * both + 1) / (sums + 1))


def test_focal_tversky_by_hand_and_is_not_dice() -> None:
    hit, false_positive, false_negative = 3 / 4, 3 / 4, 1 / 4
    index = (hit + 1) / (hit + 0.3 * false_positive + 0.7 * false_negative + 1)
    assert losses.FocalTversky()(*two_pixels()).item() == pytest.approx((1 - index) ** 0.75, rel=1e-5)
    as_dice = losses.FocalTversky(0.5, 0.5, 1.0)(*two_pixels()).item()
    assert as_dice != pytest.approx(losses.FocalTversky()(*two_pixels()).item(), rel=0.05)


def test_a_sum_of_losses_is_their_weighted_sum() -> None:
    total = losses.build({"cross_entropy": 2.0, "dice": 0.5, "bce": 0.0}, {})
    expected = 2 * losses.cross_entropy(*two_pixels()) + 0.5 * losses.Dice()(*two_pixels())
    assert total(*two_pixels()).item() == pytest.approx(expected.item())
    with pytest.raises(ParameterError, match="expected cross_entropy, bce, dice, focal_tversky, found hinge"):
        losses.build({"hinge": 1.0}, {})
    with pytest.raises(ParameterError, match="at least one weight"):
        losses.build({"dice": 0.0}, {})


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "dice", "focal_tversky"])
def test_a_class_that_nobody_traced_teaches_nothing(name: str) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 6, generator=rng)
    cavity = torch.rand(2, 1, 6, 6, generator=rng).round()
    target = losses.soft_targets(torch.cat([cavity, torch.zeros(2, 2, 6, 6)], dim=1))
    known = torch.tensor([[1.0, 1, 0, 0]] * 2)
    loss = losses.build({name: 1.0}, {})
    # Moving probability between background and the untraced classes changes nothing for cross-entropy and the overlaps.
    other = logits.clone()
    other[:, 2] += 1.0
    rest = torch.logsumexp(logits[:, [0, 2, 3]], 1) - torch.logsumexp(
        torch.stack([logits[:, 0], other[:, 2], logits[:, 3]], 1), 1
    )
    other[:, [0, 2, 3]] += rest[:, None]
    assert loss(logits, target, known).item() == pytest.approx(loss(other, target, known).item(), rel=1e-5)
    moved = logits.clone().requires_grad_()
    loss(moved, target, known).backward()
    assert moved.grad is not None
    assert torch.isfinite(moved.grad).all()
    assert moved.grad[:, 1].abs().max() > 0


def test_soft_targets_add_up_to_one() -> None:
    covered = torch.rand(2, 3, 4, 4) / 3
    torch.testing.assert_close(losses.soft_targets(covered).sum(1), torch.ones(2, 4, 4))
