"""Heads and memory of the network, from the definition through the ONNX file to the runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from echo_rt.engine import open_engine
from echo_rt.errors import ModelError, ParameterError
from echo_rt.model import VIEWS
from echo_rt_network.unet import ConvGRU, UNet, in_patches, out_of_patches
from echo_rt_train import losses
from echo_rt_train.augment import Augment, Screen
from echo_rt_train.data import PHASES
from echo_rt_train.images import Item
from echo_rt_train.objective import Objective
from support.training import MEMORY, WIDTHS, network_with_all, toy_network_file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_network_file(tmp_path)


def frames(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (60, 80), dtype=np.uint8) for _ in range(count)]


def test_the_runtime_carries_state_and_heads_as_the_network_defines_them(model: Path) -> None:
    network, engine_state, state = network_with_all(), None, None
    with open_engine(model) as engine:
        assert engine.spec.state == ("memory_1", "memory_2")
        for image in frames(4):
            found = engine.segment(image, engine_state)
            with torch.no_grad():
                output = network(torch.from_numpy(engine._image.copy()), state)
            engine_state, state = found.state, output.state
            np.testing.assert_allclose(found.probability, output.logits.softmax(1)[0], atol=1e-4)
            assert found.view == VIEWS[int(output.heads["view"].argmax())]
            assert found.confidence == pytest.approx(torch.sigmoid(output.heads["confidence"]).item(), abs=1e-4)


def test_the_state_is_the_past_and_the_engine_keeps_none(model: Path) -> None:
    first, second = frames(2)
    with open_engine(model) as engine:
        fresh = engine.segment(second)
        after = engine.segment(second, engine.segment(first).state)
        again = engine.segment(second)
    assert np.abs(fresh.probability - after.probability).max() > 1e-3, "what came before is remembered"
    np.testing.assert_array_equal(fresh.probability, again.probability)


def test_an_engine_that_is_given_back_a_state_does_not_write_into_it(model: Path) -> None:
    first, second = frames(2)
    with open_engine(model) as engine:
        state = engine.segment(first).state
        kept = {name: value.copy() for name, value in state.items()}
        engine.segment(second, state)
    for name, value in kept.items():
        np.testing.assert_array_equal(state[name], value)


def test_a_spec_that_names_a_state_or_head_the_network_lacks_is_refused(tmp_path: Path) -> None:
    from support.toy import SPEC, toy_model

    for change in ({"state": ("memory_4",)}, {"heads": ("view",)}):
        with pytest.raises(ModelError, match="its spec says"):
            open_engine(toy_model(tmp_path / "m.onnx", replace(SPEC, **change)))
    with pytest.raises(ModelError, match="expected heads of view, confidence, found mood"):
        open_engine(toy_model(tmp_path / "m.onnx", replace(SPEC, heads=("mood",))))


def test_a_new_memory_changes_nothing_until_it_has_learned() -> None:
    torch.manual_seed(0)
    plain, image = UNet(WIDTHS).eval(), torch.randn(1, 1, 32, 32)
    remembering = UNet(WIDTHS, memory=MEMORY).eval()
    remembering.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(remembering(image).logits, plain(image).logits)


def test_the_heads_teach_the_masks_nothing() -> None:
    network = UNet(WIDTHS, heads=("view", "confidence"))
    output = network(torch.randn(2, 1, 32, 32))
    torch.stack([head.sum() for head in output.heads.values()]).sum().backward()
    touched = {
        name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0
    }
    assert touched == {"heads"}


def taught(network: UNet, item: Item) -> dict[str, torch.Tensor]:
    """The gradients of all losses of an item, by parameter."""
    network.zero_grad()
    weights = {"cross_entropy": 1.0, "dice": 1.0, "bce": 1.0, "focal_tversky": 1.0}
    objective = Objective(network.train(), losses.build(weights, {}), phase_bias=1.0)
    torch.stack(list(objective(item).values())).sum().backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_picture_without_masks_teaches_the_heads_and_their_share_of_the_encoder_and_no_mask(share: float) -> None:
    torch.manual_seed(0)
    network = UNet(WIDTHS, heads=("view", "confidence"))
    network.head_gradient = share
    nothing, other = torch.zeros(3, 1, 3, 32, 32), torch.full((3,), VIEWS.index("other"))
    known, drawn = torch.tensor([[1.0, 0, 0, 0]] * 3), torch.ones(3, dtype=torch.bool)
    item = Item(torch.randn(3, 1, 1, 32, 32), nothing, known, other, torch.full((3,), PHASES.index("other")), drawn)
    gradients = taught(network, item)
    of = {
        part: [g for name, g in gradients.items() if name.startswith(part)] for part in ("heads.", "head.", "decoder")
    }
    assert all(g.abs().max() > 1e-4 for g in of["heads."])
    assert of["head."]
    assert of["decoder"]
    # The probabilities of all classes are added up to one: what is left is rounding.
    assert all(g.abs().max() < 1e-7 for g in of["head."] + of["decoder"])
    encoder = max(g.abs().max().item() for name, g in gradients.items() if name.startswith("encoder"))
    assert encoder > 1e-4 if share else encoder < 1e-7
    traced = taught(network, item._replace(known=torch.ones(3, 4)))
    assert traced["head.weight"].abs().max() > 1e-3, "the same picture teaches the masks where somebody looked"


def test_the_encoder_gets_the_share_of_the_heads_gradient_that_was_asked_for_and_only_while_it_learns() -> None:
    network, image = UNet(WIDTHS, heads=("view",)), torch.randn(2, 1, 32, 32)
    size = {}
    for share in (1.0, 0.25):
        network.head_gradient = share
        network.zero_grad()
        network.train()(image).heads["view"].square().sum().backward()
        size[share] = torch.stack([p.grad.norm() for p in network.encoder.parameters()])
    torch.testing.assert_close(size[0.25], 0.25 * size[1.0])
    said = network.eval()(image)
    assert not torch.autograd.grad(said.heads["view"].sum(), list(network.encoder.parameters()), allow_unused=True)[0]
    network.head_gradient = 0.0
    torch.testing.assert_close(network(image).heads["view"], said.heads["view"], rtol=0, atol=0)


def test_a_gated_unit_by_hand() -> None:
    cell = ConvGRU(1, 1)
    for conv in (cell.gates, cell.candidate):
        torch.nn.init.zeros_(conv.weight)
    with torch.no_grad():
        cell.gates.bias.copy_(torch.tensor([0.0, 0.0]))  # update gate 1/2
        cell.candidate.bias.fill_(1.0)
        cell.out.weight.fill_(2.0)
    features, hidden = cell(torch.full((1, 1, 1, 1), 5.0), torch.full((1, 1, 1, 1), 0.2))
    expected = 0.2 + 0.5 * (np.tanh(1.0) - 0.2)
    assert hidden.item() == pytest.approx(expected)
    assert features.item() == pytest.approx(5 + 2 * expected)


def test_settings_of_the_network_that_do_not_fit_are_named() -> None:
    with pytest.raises(ParameterError, match="expected none or as many as the 3 levels"):
        UNet(WIDTHS, memory=[1, 2])
    with pytest.raises(ParameterError, match="expected some of view, confidence, found mood"):
        UNet(WIDTHS, heads=("mood",))


def test_a_still_becomes_a_clip_that_drifts_slowly_and_keeps_its_heart() -> None:
    image, covered = np.zeros((1, 64, 64), np.uint8), np.zeros((1, 64, 64, 3), np.uint8)
    image[0, 20:44, 24:40], covered[0, 20:44, 24:40, 0] = 200, 255
    for seed in range(5):
        grey, target = Augment(screen=Screen(noise_grey=3)).clip(image, covered, np.random.default_rng(seed), 12)[:2]
        assert grey.shape == (12, 32, 32)
        assert target.shape == (12, 3, 32, 32)
        areas = target[:, 0].sum((1, 2))
        assert np.abs(np.diff(areas)).max() < 0.05 * areas.mean()
        step = np.abs(np.diff(target[:, 0], axis=0)).sum((1, 2))
        assert 0 < step.max() < 0.1 * areas.mean()


def test_a_network_on_patches_sees_four_pixels_as_one_and_says_all_four() -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 1, 32, 48)
    assert torch.equal(in_patches(image, 2), torch.nn.functional.pixel_unshuffle(image, 2))
    network = UNet(WIDTHS, heads=("view",), patch=2).eval()
    assert network(image).logits.shape == (2, 4, 32, 48)
    assert network.encoder[0](in_patches(image, 2)).shape == (2, WIDTHS[0], 16, 24), "no layer at the image's size"
    numbers = torch.arange(2 * 4 * 6 * 8.0).reshape(2, 4, 6, 8)
    squares = torch.stack([numbers[:, :, y::2, x::2] for y in range(2) for x in range(2)], dim=1).flatten(1, 2)
    assert torch.equal(out_of_patches(squares, 2), numbers)
