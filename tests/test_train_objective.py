"""What a network is asked to make small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt_network.unet import UNet
from echo_rt_train.augment import Augment
from echo_rt_train.data import PHASES, DataReport, Sample
from echo_rt_train.images import GridImages, Item, Mix
from echo_rt_train.objective import (
    Objective,
    PhaseBias,
    confidence_loss,
    disagreement,
    disk_volumes,
    inside,
    unsteadiness,
    with_mirror_images,
)

ED, ES, OTHER = (PHASES.index(name) for name in ("ED", "ES", "other"))


def batch(grey: torch.Tensor, covered: torch.Tensor) -> Item:
    count = len(grey)
    known, phase, drawn = torch.ones(count, 4), torch.full((count,), ED), torch.zeros(count, dtype=torch.bool)
    return Item(grey, covered, known, torch.arange(count) % 2, phase, drawn)


def test_unsteadiness_by_hand() -> None:
    true = torch.tensor([[100.0, 100.0, 100.0]])
    assert unsteadiness(true + 10, true).item() == 0, "a constant error is steady"
    assert unsteadiness(torch.tensor([[100.0, 104.0, 98.0]]), true).item() == pytest.approx((0.04 + 0.06) / 2)
    beating = torch.tensor([[100.0, 80.0, 100.0]])
    assert unsteadiness(beating.mean(1, keepdim=True).expand(1, 3), beating).item() > 0.2, (
        "a curve that does not follow is not steady"
    )
    assert unsteadiness(torch.ones(1, 3), torch.zeros(1, 3)).item() == 0, "without a ventricle there is no curve"


def test_the_confidence_learns_the_dice_by_hand() -> None:
    logits = torch.full((1, 4, 1, 4), -50.0)
    logits[0, 1, 0, :2] = 50.0  # cavity in two pixels, one of them right
    logits[0, 0, 0, 2:] = 50.0
    target = torch.zeros(1, 4, 1, 4)
    target[0, 1, 0, 0], target[0, 0, 0, 1:] = 1, 1
    dice = 2 / 3
    expected = -(dice * np.log(1 / 2) + (1 - dice) * np.log(1 / 2))
    assert confidence_loss(torch.zeros(1), logits, target).item() == pytest.approx(expected)
    best = torch.logit(torch.tensor([dice]))
    assert confidence_loss(best, logits, target) < min(confidence_loss(best + d, logits, target) for d in (-0.1, 0.1))


def test_the_objective_hands_the_state_from_frame_to_frame() -> None:
    torch.manual_seed(0)
    network = UNet([4, 8, 16], heads=("view", "confidence"), memory=[0, 3, 5]).eval()
    for cell in network.memory.values():  # a memory begins without a say; give it one
        torch.nn.init.normal_(cell.out.weight, std=3.0)
    objective = Objective(network, lambda logits, target, known: logits[:, 1].mean(), jitter=0.5)
    grey, covered = torch.randn(2, 3, 1, 32, 32), torch.rand(2, 3, 3, 32, 32) / 3
    parts = objective(batch(grey, covered))
    state, expected = None, []
    for t in range(3):
        output = network(grey[:, t], state)
        state = output.state
        expected.append(output.logits[:, 1].mean())
    assert parts["masks"].item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-4)
    assert set(parts) == {"masks", "view", "confidence", "jitter"}


def test_a_mirror_image_is_the_same_item_seen_from_the_other_side() -> None:
    item = batch(torch.randn(2, 1, 1, 4, 6), torch.rand(2, 1, 3, 4, 6))
    both = with_mirror_images(item)
    for name, of in item._asdict().items():
        there, mirrored = getattr(both, name).chunk(2)
        assert torch.equal(there, of)
        assert torch.equal(mirrored, of.flip(-1) if name in ("grey", "covered") else of)


def test_mirror_images_agree_where_their_masks_are_mirror_images() -> None:
    probability = torch.rand(2, 4, 8, 8).softmax(1)
    every = torch.ones(2 * len(probability), 4)
    assert disagreement(torch.cat([probability, probability.flip(-1)]), every).item() == 0
    one, other = torch.zeros(1, 4, 1, 2), torch.zeros(1, 4, 1, 2)
    one[0, 0], other[0, 0] = 1, 1
    other[0, :2, 0, 0] = torch.tensor(
        [0.4, 0.6]
    )  # the left pixel of the mirror image, which is the right one of the image
    apart = (0.6**2 + 0.6**2) / 2
    assert disagreement(torch.cat([one, other]), torch.ones(2, 4)).item() == pytest.approx(apart)
    # Of two images one that nobody traced does not count.
    known = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0]]).repeat(2, 1)
    assert disagreement(torch.cat([one, one, other, one]), known).item() == pytest.approx(apart)


def test_a_network_that_takes_left_for_right_is_told_so() -> None:
    def lopsided(grey: torch.Tensor, state: object) -> object:
        logits = torch.zeros(len(grey), 4, *grey.shape[2:])
        logits[:, 1, :, 0] = 3.0
        return type("Output", (), {"logits": logits, "heads": {}, "state": None})

    even = UNet([4, 8], heads=()).eval()
    for parameter in even.parameters():
        torch.nn.init.zeros_(parameter)
    item = batch(torch.randn(2, 1, 1, 8, 8), torch.zeros(2, 1, 3, 8, 8))
    nothing = lambda logits, target, known: logits.sum() * 0  # noqa: E731
    told = Objective(even, nothing, mirror=2.0)
    assert told(item)["mirror"].item() == 0
    told.network.forward = lopsided  # type: ignore[assignment]
    apart = torch.tensor([np.exp(3), 1, 1, 1]) / (np.exp(3) + 3) - 0.25
    # In two of the eight columns, each against one that says nothing.
    assert told(item)["mirror"].item() == pytest.approx(2.0 * 2 / 8 * float(apart.square().sum()), rel=1e-5)


def term(
    bias: PhaseBias,
    found: torch.Tensor,
    phase: list[int],
    drawn: list[bool] | None = None,
    view: list[int] | None = None,
) -> torch.Tensor:
    count, nothing = len(found), torch.empty(0)
    where = torch.tensor(view or [0] * count), torch.tensor(phase), torch.tensor(drawn or [False] * count)
    return bias(found, torch.full((count,), 200.0), Item(nothing, nothing, nothing, *where))


def volumes(*errors: float) -> torch.Tensor:
    return (200 * (1 + torch.tensor(errors))).requires_grad_()


@pytest.mark.parametrize("blur_px", [1.0, 2.0, 3.0])
def test_the_area_is_that_inside_the_border_however_blurred_it_is(blur_px: float) -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    away = torch.hypot(x - 31.7, y - 32.2) - 12.0
    probability = torch.sigmoid(-away / blur_px)[None].requires_grad_()
    found = inside(probability).sum()
    assert found.item() == pytest.approx(np.pi * 12**2, rel=0.015)
    found.backward()
    assert probability.grad is not None
    says = probability.grad[0] / probability.grad.sum()
    assert says[away.abs() < blur_px].sum() > 0.8, "the border has the say, not the middle"


def spheroid(
    half_length: float, half_width: float, angle: float, at: tuple[float, float] = (40.0, 46.0)
) -> torch.Tensor:
    """(1, 80, 90) share of each pixel that an ellipse covers."""
    fine = (torch.arange(80 * 8) + 0.5) / 8 - 0.5, (torch.arange(90 * 8) + 0.5) / 8 - 0.5
    y, x = torch.meshgrid(fine[0] - at[0], fine[1] - at[1], indexing="ij")
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    covered = ((u / half_length) ** 2 + (v / half_width) ** 2 < 1).float()
    return torch.nn.functional.avg_pool2d(covered[None, None], 8)[0]


@settings(max_examples=30, deadline=None)
@given(st.floats(18, 30), st.floats(8, 14), st.floats(-3.2, 3.2))
def test_the_volume_by_disks_is_that_of_a_spheroid_whichever_way_it_lies(half_length, half_width, angle) -> None:
    mask = spheroid(half_length, half_width, angle)
    for volume in disk_volumes(mask, mask):
        assert volume.item() == pytest.approx(4 / 3 * np.pi * half_length * half_width**2, rel=0.02)


def test_a_cavity_of_the_right_area_that_is_too_short_has_too_large_a_volume() -> None:
    true, short = spheroid(25, 10, 0.4), spheroid(25 / 1.1, 10 * 1.1, 0.4)
    assert short.sum().item() == pytest.approx(true.sum().item(), rel=0.01)
    found, volume = disk_volumes(short, true)
    assert (found / volume).item() == pytest.approx(1.1, rel=0.01)


def test_a_picture_without_a_ventricle_has_no_volume_and_does_no_harm() -> None:
    nothing, blank = torch.zeros(2, 80, 90), torch.zeros(2, 80, 90, requires_grad=True)
    found, volume = disk_volumes(blank, nothing)
    assert found.tolist() == volume.tolist() == [0, 0]
    found.sum().backward()
    assert torch.isfinite(blank.grad).all()  # type: ignore[arg-type]


def test_errors_that_cancel_within_a_phase_are_no_bias() -> None:
    assert term(PhaseBias(), volumes(0.1, -0.1, 0.2, -0.2), [ED, ED, ES, ES]).item() == pytest.approx(0, abs=1e-9)


def test_a_cavity_too_small_at_ed_and_too_large_at_es_is_pushed_apart() -> None:
    bias = PhaseBias()
    for _ in range(300):
        found = volumes(-0.02, -0.04, 0.03, 0.4)
        last = term(bias, found, [ED, ED, ES, OTHER])
    assert last.item() == pytest.approx(0.03**2 + 0.03**2, rel=0.02)
    last.backward()
    ed, same, es, other = found.grad.tolist()  # type: ignore[union-attr]
    assert ed == same < 0 < es, "descent makes the one larger and the other smaller"
    assert other == 0, "what is of neither phase has no say"


def test_what_is_chance_in_one_batch_hardly_counts() -> None:
    bias = PhaseBias()
    for _ in range(50):
        term(bias, volumes(0.0), [ED])
    assert term(bias, volumes(0.2), [ED]).item() == pytest.approx((1 - PhaseBias.KEPT) * 0.2 * 0.2, rel=1e-4)


@pytest.mark.parametrize("apart", [{"drawn": [False, True]}, {"view": [0, 1]}])
def test_views_and_origins_do_not_pay_for_each_other(apart) -> None:
    bias = PhaseBias()
    for _ in range(300):
        last = term(bias, volumes(0.03, -0.03), [ED, ED], **apart)
    assert last.item() == pytest.approx(2 * 0.03**2, rel=0.02)


def test_a_ventricle_that_is_missed_counts_by_half_and_a_picture_without_one_not_at_all() -> None:
    bias, nothing = PhaseBias(), torch.empty(0)
    for _ in range(300):
        last = term(bias, torch.tensor([0.0]), [ES])
    assert last.item() == pytest.approx(PhaseBias.MOST**2, rel=0.02)
    blank = Item(nothing, nothing, nothing, torch.tensor([0]), torch.tensor([ES]), torch.tensor([False]))
    assert PhaseBias()(torch.tensor([50.0]), torch.tensor([0.0]), blank).item() == 0
    assert not bias.state_dict(), "no part of the weights"


def test_a_group_that_is_not_in_a_batch_keeps_its_mean() -> None:
    bias = PhaseBias()
    for _ in range(100):
        term(bias, volumes(0.05), [ED])
    for _ in range(20):
        assert term(bias, volumes(0.0), [ES]).item() == 0
    assert term(bias, volumes(0.05), [ED]).item() == pytest.approx(0.05**2, rel=0.01)


def sample(phase: str, known_place: int) -> Sample:
    image, mask = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    image[:, known_place], mask[20:40, 20:40] = 200, 1
    return Sample(f"p{known_place}", "train", "4CH", phase, f"p{known_place}", lambda: (image, mask))


def test_an_item_names_its_phase_and_whether_it_is_mixed_in() -> None:
    mixed = [Mix([sample("ES", 3)], 1.0)]
    images = GridImages([sample("ED", 1), sample("ES", 2)], mixed, (32, 32), Augment(), 0, DataReport("toy"))
    items = [images[place] for place in range(len(images))]
    assert [(int(item.phase), bool(item.drawn)) for item in items] == [(ED, False), (ES, False), (ES, True), (ES, True)]
    blank = GridImages([sample("ED", 1)], [], (32, 32), Augment(no_heart=1.0), 0, DataReport("toy"))
    assert int(blank[0].phase) == OTHER, "without a heart there is no phase"


def test_where_some_are_spared_those_that_are_not_have_no_phase() -> None:
    augment = Augment.of({"shift": 0.5, "ease": 0.5})
    images = GridImages([sample("ED", place) for place in range(40)], [], (32, 32), augment, 0, DataReport("toy"))
    place = {ED: [], OTHER: []}  # type: ignore[var-annotated]
    for item in (images[place] for place in range(len(images))):
        place[int(item.phase)].append(float(item.covered[0, 0].sum()))
    assert 10 < len(place[ED]) < 30
    assert min(place[ED]) == pytest.approx(100, rel=1e-3), "all of the square of 20 pixels, on half the grid"
    assert min(place[OTHER]) < 90, "out of the picture in part"
