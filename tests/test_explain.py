"""What `echo-rt explain` shows, against formulas and on networks whose answer is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from echo_rt.errors import DataError, ParameterError
from echo_rt.model import ModelSpec
from echo_rt_train.explain import inside
from echo_rt_train.explain.attribution import (
    grad_cam,
    input_gradient,
    integrated_gradients,
    logits_of,
    region_of,
    target_of,
)
from echo_rt_train.explain.subject import read_images, subject_of
from support.commands import explain
from support.shapes import labels_of

SIDE = 64


class Small(nn.Module):
    """A U-Net's layout in small: encoder.0, encoder.1 at half the size, decoder.0."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([self.block(1, 8), self.block(8, 16)])
        self.decoder = nn.ModuleList([self.block(24, 8)])
        self.head = nn.Conv2d(8, 4, 1)

    @staticmethod
    def block(a: int, b: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        fine = self.encoder[0](image)
        coarse = self.encoder[1](nn.functional.max_pool2d(fine, 4))
        up = nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
        return self.head(self.decoder[0](torch.cat([fine, up], 1)))


def drawn(x: float) -> tuple[np.ndarray, np.ndarray]:
    labels = labels_of((SIDE, SIDE), 28, 10, 4, (x, 38.0))
    noise = np.random.default_rng(int(x)).normal(0, 6, labels.shape)
    return np.clip(np.array([60, 5, 200, 120])[labels] + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Trained for a moment on ventricles that lie left, in the middle and right."""
    torch.manual_seed(0)
    network, pictures = Small(), [drawn(x) for x in (18.0, 25.0, 32.0, 39.0, 46.0)]
    x = torch.stack([torch.from_numpy(image)[None].float() / 64 - 1 for image, _ in pictures])
    y = torch.stack([torch.from_numpy(labels).long() for _, labels in pictures])
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.from_numpy(drawn(22.0)[0])[None, None].float() / 64 - 1


def test_the_input_gradient_is_that_of_finite_differences(network: nn.Module, image: torch.Tensor) -> None:
    double, x = Small().double().eval(), image.double()
    double.load_state_dict(network.state_dict())
    f = target_of(double, 1, region_of(double, x, 1))
    gradient = input_gradient(f, x)
    strongest = torch.topk(gradient.abs().flatten(), 5).indices
    for index in [*strongest.tolist(), 7, SIDE * 30 + 22]:
        step = torch.zeros_like(x).flatten()
        step[index] = 1e-6
        step = step.reshape(x.shape)
        expected = float((f(x + step) - f(x - step)).detach()[0]) / 2e-6
        assert float(gradient.flatten()[index]) == pytest.approx(expected, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("label", [1, 2, 3])
def test_integrated_gradients_add_up_to_the_change_of_the_answer(
    network: nn.Module, image: torch.Tensor, label: int
) -> None:
    f = target_of(network, label, region_of(network, image, label))
    found = integrated_gradients(f, image, torch.full_like(image, -1.0), steps=256)
    assert abs(found.difference) > 0.2
    assert found.total == pytest.approx(found.difference, rel=0.02)
    assert found.attribution.abs().max() > 10 * found.attribution.abs().mean(), "spread evenly"
    assert float(found.attribution.sum()) == pytest.approx(found.total)


def test_integrated_gradients_of_a_linear_answer_are_weight_times_change() -> None:
    weight = torch.arange(12.0).reshape(1, 1, 3, 4) - 5
    x, baseline = torch.full((1, 1, 3, 4), 3.0), torch.full((1, 1, 3, 4), 1.0)
    found = integrated_gradients(lambda images: (images * weight).sum((1, 2, 3)), x, baseline, steps=5)
    torch.testing.assert_close(found.attribution, 2 * weight[0, 0])
    assert found.difference == pytest.approx(2 * float(weight.sum()))


def test_integrated_gradients_of_a_square_are_exact_with_any_number_of_steps() -> None:
    # The midpoint rule has no error where the gradient is linear along the path.
    x, baseline = torch.rand(1, 1, 3, 4), torch.full((1, 1, 3, 4), -1.0)
    found = integrated_gradients(lambda images: (images**2).sum((1, 2, 3)), x, baseline, steps=3)
    torch.testing.assert_close(found.attribution, (x**2 - 1)[0, 0])


def test_pixels_that_are_as_in_the_baseline_get_no_attribution(network: nn.Module, image: torch.Tensor) -> None:
    black = image.clone()
    black[..., :10] = -1.0
    f = target_of(network, 1, region_of(network, black, 1))
    found = integrated_gradients(f, black, torch.full_like(black, -1.0), steps=8).attribution
    assert found[:, :10].abs().max() == 0
    assert found.abs().max() > 0


def test_grad_cam_by_hand() -> None:
    # Two maps, x and -x. f takes 12 times the first pixel of the one, and 1 time the mean of the other: the weights are
    # 12/4 and 1/4.
    layer = nn.Conv2d(1, 2, 1, bias=False)
    layer.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    x = torch.tensor([[1.0, -2.0], [0.0, 4.0]])[None, None]
    how_much = torch.tensor([[[12.0, 0.0], [0.0, 0.0]], [[0.25, 0.25], [0.25, 0.25]]])
    cam = grad_cam(lambda images: (layer(images) * how_much).sum((1, 2, 3)), x, layer)
    torch.testing.assert_close(cam, (3 - 1 / 4) * torch.tensor([[1.0, 0.0], [0.0, 4.0]]))


@pytest.mark.parametrize("x", [18.0, 46.0])
def test_grad_cam_lies_on_the_drawn_ventricle(network: nn.Module, x: float) -> None:
    picture, labels = drawn(x)
    image = torch.from_numpy(picture)[None, None].float() / 64 - 1
    name, layer = inside.layer_of(network, "decoder.0")
    cam = grad_cam(target_of(network, 1, region_of(network, image, 1)), image, layer).numpy()
    assert name == "decoder.0"
    assert cam[labels == 1].mean() > 4 * cam[labels == 0].mean()
    row, column = np.unravel_index(cam.argmax(), cam.shape)
    assert labels[row, column] == 1


def test_a_layer_is_found_by_name_the_bottleneck_without_one_and_a_wrong_name_is_told(
    network: nn.Module, image: torch.Tensor
) -> None:
    assert inside.layer_of(network, None)[0] == "encoder.1"
    assert inside.layer_of(network, "encoder.0.0")[1] is network.encoder[0][0]
    with pytest.raises(
        ParameterError, match=r"expected a layer such as encoder.0, encoder.1, decoder.0, found 'bottom'"
    ):
        inside.layer_of(network, "bottom")
    unused = nn.Conv2d(1, 1, 1)
    with pytest.raises(ParameterError, match="on the way to the logits"):
        grad_cam(target_of(network, 1, region_of(network, image, 1)), image, unused)


def test_first_filters_have_the_batch_norm_multiplied_in(network: nn.Module, image: torch.Tensor) -> None:
    filters = inside.first_filters(network)
    norm = network.encoder[0][1]
    exact = network.encoder[0][1](network.encoder[0][0](image))[0]
    offset = norm.bias - norm.running_mean * norm.weight / torch.sqrt(norm.running_var + norm.eps)
    torch.testing.assert_close(inside.responses(filters, image) + offset[:, None, None], exact, atol=1e-4, rtol=1e-4)


def test_feature_maps_are_those_of_each_level_in_the_order_of_the_data(network: nn.Module, image: torch.Tensor) -> None:
    maps = inside.feature_maps(network, image)
    assert {name: tuple(m.shape) for name, m in maps.items()} == {
        "encoder.0": (8, 64, 64), "encoder.1": (16, 16, 16), "decoder.0": (8, 64, 64),
    }  # fmt: skip
    torch.testing.assert_close(network.head(maps["decoder.0"][None]), network(image))
    assert list(inside.levels(network)) == ["encoder.0", "encoder.1", "decoder.0"]
    assert inside.strongest(torch.stack([torch.zeros(2, 2), torch.eye(2), 3 * torch.eye(2)]), 2) == [2, 1]


def test_a_class_that_is_not_found_is_explained_where_it_comes_nearest() -> None:
    logits = torch.zeros(1, 4, 10, 10)
    logits[:, 0], logits[0, 3, 4, 5] = 5.0, 4.0
    region = region_of(lambda image: logits, torch.zeros(1, 1, 10, 10), 3)  # type: ignore[arg-type]
    assert region.nonzero().tolist() == [[4, 5]]


def test_a_network_with_more_outputs_is_taken_by_its_logits() -> None:
    logits, view = torch.zeros(1, 4, 2, 2), torch.zeros(1, 3)
    assert logits_of((logits, view)) is logits
    assert logits_of({"logits": logits, "view": view}) is logits
    with pytest.raises(ParameterError, match="that gives logits"):
        logits_of(view)


SHEETS = ["feature_maps.png", "filters.png", "grad_cam.png", "integrated_gradients.png", "saliency.png"]


def test_the_command_draws_a_sheet_for_each_method_and_gives_the_network_what_the_runtime_would(
    network: nn.Module, tmp_path: Path, monkeypatch
) -> None:
    spec = ModelSpec(name="small", version="1", width=SIDE, height=SIDE, mean=64.0, std=64.0)
    monkeypatch.setattr("echo_rt_train.explain.command.load_weights", lambda path: (network, spec))
    picture = tmp_path / "heart.png"
    cv2.imwrite(str(picture), drawn(25.0)[0])
    explain([str(tmp_path / "run"), str(picture), "--out", str(tmp_path / "out")])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == SHEETS
    for name in SHEETS:
        sheet = cv2.imread(str(tmp_path / "out" / name))
        assert sheet.shape[1] == 1800
        assert sheet.std() > 10, "an empty sheet"
    (name, image), *rest = read_images(str(picture), 3)
    assert (name, rest) == ("heart", [])
    subject = subject_of(network, spec, name, image)
    np.testing.assert_allclose(subject.x[0, 0].numpy(), drawn(25.0)[0] / 64.0 - 1, atol=1e-4)
    assert (subject.segmentation.labels == drawn(25.0)[1]).mean() > 0.95


def test_frames_of_a_recording_are_taken_evenly(cine: Path) -> None:
    names = [name for name, _ in read_images(str(cine), 3)]
    assert [name.split(",")[0] for name in names] == ["frame 0", "frame 14", "frame 29"]


def test_wrong_options_are_one_line(tmp_path: Path) -> None:
    repository = Path(__file__).resolve().parents[1]
    if (repository / ".git").exists():
        with pytest.raises(ParameterError, match="outside of the repository"):
            explain([str(tmp_path), "x.png", "--out", str(repository / "demo" / "explain")])
    with pytest.raises(DataError, match="expected weights"):
        explain([str(tmp_path), "x.png", "--out", str(tmp_path / "out")])
    with pytest.raises(ParameterError, match="--frames: expected a number from 1 up, found 0"):
        read_images("x.png", 0)
