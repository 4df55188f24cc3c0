"""A network takes over what it can of another one, and learns from it picture by picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from echo_rt.errors import ParameterError
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights
from echo_rt_train.borrow import borrow
from echo_rt_train.teacher import OnlookingTeacher
from support.commands import train
from support.training import small


def network(widths: list[int], seed: int, **more: int) -> UNet:
    torch.manual_seed(seed)
    made = UNet(widths, heads=("view",), **more).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return made


def test_what_lies_below_the_new_levels_is_the_same() -> None:
    old, new = network([4, 6, 8, 16], 0), network([10, 8, 16], 1, patch=2)
    borrow(new, old)
    features = torch.rand(2, 6, 16, 16)
    padded = torch.cat([features, torch.rand(2, 4, 16, 16)], dim=1)
    torch.testing.assert_close(new.encoder[1](padded), old.encoder[2](features), msg="new channels count for nothing")
    deep = torch.rand(2, 16, 8, 8)
    torch.testing.assert_close(new.up[1](deep), old.up[2](deep))
    torch.testing.assert_close(new.up[0](torch.rand(2, 8, 8, 8) * 0 + 1)[:, :6], old.up[1](torch.ones(2, 8, 8, 8)))
    skip, below = torch.rand(2, 6, 16, 16), torch.rand(2, 6, 16, 16)
    wider = torch.cat([skip, torch.rand(2, 4, 16, 16), below, torch.rand(2, 4, 16, 16)], dim=1)
    given = old.decoder[1][0](torch.cat([skip, below], dim=1))
    torch.testing.assert_close(new.decoder[0][0](wider)[:, :6], given, msg="each half of what is joined by itself")
    torch.testing.assert_close(new.heads["view"](deep), old.heads["view"](deep))


def test_a_network_of_the_same_widths_is_the_same_but_for_its_ends() -> None:
    old, new = network([4, 8], 0), network([4, 8], 1)
    borrow(new, old)
    differ = {name for name, value in new.state_dict().items() if not torch.equal(value, old.state_dict()[name])}
    assert differ == {"encoder.0.0.weight", "head.weight", "head.bias"}


def test_another_bottleneck_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"expected model.widths that end as \[4, 16\] do, found \[4, 8\]"):
        borrow(network([4, 8], 0), network([4, 16], 1))


def test_an_onlooking_teacher_has_its_share_and_does_not_change(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "t", "epochs=1"))
    weights = tmp_path / "t" / "weights.safetensors"
    given = load_weights(weights)[0]
    teacher = OnlookingTeacher(given, 0.75).train()
    image = torch.randn(2, 1, 32, 32)
    target = torch.zeros(2, 4, 32, 32)
    torch.testing.assert_close(teacher(image, target), 0.75 * given.eval()(image).logits.softmax(1))
    assert all(torch.equal(one, other) for one, other in zip(teacher.network.buffers(), given.buffers(), strict=True))
    with pytest.raises(ParameterError, match="expected 0 to 1, found 2"):
        OnlookingTeacher(given, 2.0)
    wide = ["model.widths=[6,16]", "model.patch=2", f"borrow={weights}", f"teacher.weights={weights}"]
    train(small(data, tmp_path / "s", "epochs=1", *wide))
    learned, spec = load_weights(tmp_path / "s" / "weights.safetensors")
    assert learned.patch == 2
    assert learned(image).logits.shape == (2, len(spec.classes), 32, 32)
