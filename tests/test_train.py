from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from echo_rt.engine import open_engine
from echo_rt.errors import DataError
from echo_rt_export.commands import export
from echo_rt_train import losses
from echo_rt_train.augment import Augment, no_heart
from echo_rt_train.commands import evaluate, train
from echo_rt_train.data import COLUMNS, on_grid, read_index, select
from echo_rt_train.evaluate import ef_errors
from echo_rt_train.loop import learning_rate, load_weights
from echo_rt_train.unet import UNet
from shapes import labels_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of three patients whose hearts are drawn: ED and ES in both views."""
    rng = np.random.default_rng(0)
    rows = []
    for patient, split in (("p1", "train"), ("p2", "train"), ("p3", "val")):
        for view, spacing in (("4CH", "0.3"), ("2CH", "")):
            for phase, radius in (("ED", 40), ("ES", 28)):
                labels = labels_of((220, 240), 110, radius, 14, (120.0, 150.0))
                image = np.array([20, 60, 180, 80])[labels] + rng.normal(0, 8, labels.shape)
                name = f"{patient}_{view}_{phase}"
                cv2.imwrite(str(tmp_path / f"{name}.png"), np.clip(image, 0, 255).astype(np.uint8))
                cv2.imwrite(str(tmp_path / f"{name}_gt.png"), labels)
                rows.append([patient, split, view, phase, f"{name}.png", 220, 240, spacing])
    write_index(tmp_path, rows)
    return tmp_path


def write_index(folder: Path, rows: list, columns=COLUMNS) -> None:
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


def small(data: Path, out: Path, *more: str) -> list[str]:
    return [
        f"data.root={data}", f"out={out}", "model.grid=32", "model.width=4", "model.depth=2", "epochs=3", "warmup_epochs=1", "batch=4",
        "precision=fp32", *more,
    ]  # fmt: skip


def test_weights_become_a_model_that_the_runtime_runs_and_that_evaluate_measures(data: Path, tmp_path: Path, capsys) -> None:
    run, model = tmp_path / "run", tmp_path / "m.onnx"
    train(small(data, run))
    export(["onnx", str(run), "-o", str(model)])
    network, spec = load_weights(run / "weights.safetensors")
    image, _ = next(s for s in read_index(data)).read()
    with open_engine(model) as engine:
        assert engine.spec == spec
        found = engine.segment(image)
        with torch.no_grad():
            expected = network(torch.from_numpy(engine._input.copy())).softmax(1)[0].numpy()
    np.testing.assert_allclose(found.probability, expected, atol=1e-4)
    capsys.readouterr()
    evaluate([str(model), "--data", str(data), "--split", "val", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"model", "views", "biplane"}
    assert set(figures["views"]) == {"4CH", "2CH"}
    assert set(figures["views"]["4CH"]["classes"]) == {"lv_cavity", "lv_wall", "left_atrium"}
    assert figures["views"]["4CH"]["images"] == 2


def test_training_learns_and_is_the_same_from_the_same_seed(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(small(data, tmp_path / name, "epochs=4"))
    rows = list(csv.DictReader((tmp_path / "a" / "log.csv").read_text().splitlines()))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == (tmp_path / "b" / "weights.safetensors").read_bytes()


def test_a_training_that_was_cut_and_resumed_ends_with_the_same_weights(data: Path, tmp_path: Path, monkeypatch) -> None:
    from echo_rt_train import loop

    train(small(data, tmp_path / "whole", "epochs=4"))
    real, calls = loop._epoch, []

    def cut(epoch, *arguments):
        calls.append(epoch)
        if epoch == 2:
            raise KeyboardInterrupt
        return real(epoch, *arguments)

    monkeypatch.setattr(loop, "_epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        train(small(data, tmp_path / "cut", "epochs=4"))
    monkeypatch.setattr(loop, "_epoch", real)
    train(small(data, tmp_path / "cut", "epochs=4", "resume=true"))
    assert calls == [0, 1, 2]
    a, b = (load_weights(tmp_path / name / "weights.safetensors")[0].state_dict() for name in ("whole", "cut"))
    for name, tensor in a.items():
        torch.testing.assert_close(tensor, b[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "index.csv").unlink(), "with index.csv, found none"),
        (lambda d: (d / "p2_4CH_ED_gt.png").unlink(), r"files it names are missing, the first is .*p2_4CH_ED_gt.png"),
        (lambda d: (d / "p1_4CH_ED.png").write_bytes(b"no image"), r"p1_4CH_ED.png: expected a readable image"),
        (lambda d: cv2.imwrite(str(d / "p1_4CH_ED_gt.png"), np.zeros((9, 9), np.uint8)), r"image's size \(220, 240\), found \(9, 9\)"),
        (lambda d: cv2.imwrite(str(d / "p1_4CH_ED_gt.png"), np.full((220, 240), 7, np.uint8)), "expected labels 0 to 3, found 7"),
        (lambda d: write_index(d, [], ("patient", "file")), "split, view, phase, height, width, spacing_mm not found"),
        (lambda d: write_index(d, [["p1", s, "4CH", "ED", "p1_4CH_ED.png", 1, 1, ""] for s in ("train", "val")]), "p1 in two"),
    ],
)  # fmt: skip
def test_a_data_folder_that_is_wrong_is_named_before_the_first_epoch(data: Path, tmp_path: Path, spoil, message: str) -> None:
    spoil(data)
    with pytest.raises(DataError, match=message):
        train(small(data, tmp_path / "run"))
    assert not (tmp_path / "run" / "log.csv").exists()


def test_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)]]).reshape(1, 2, 1, 1).expand(1, 2, 2, 1).float()
    target = torch.tensor([[[1.0], [0.0]], [[0.0], [1.0]]])[None]
    # Probabilities 1/4 and 3/4; one pixel is background, one is foreground.
    assert losses.cross_entropy(logits, target).item() == pytest.approx(-(np.log(1 / 4) + np.log(3 / 4)) / 2)
    both, sums = 3 / 4, 2 * (3 / 4) ** 2 + 1
    assert losses.dice(logits, target).item() == pytest.approx(1 - (2 * both + 1) / (sums + 1))


def test_soft_targets_add_up_to_one() -> None:
    covered = torch.rand(2, 3, 4, 4) / 3
    torch.testing.assert_close(losses.soft_targets(covered).sum(1), torch.ones(2, 4, 4))


def test_without_changes_the_training_image_is_what_the_runtime_would_see(data: Path) -> None:
    from echo_rt.engine.preprocess import reference
    from echo_rt.segmentation import GridMap

    sample = read_index(data)[0]
    image, _ = sample.read()
    grey, covered = Augment()(*on_grid(sample, 128), np.random.default_rng(0))
    np.testing.assert_allclose(grey, reference(image, GridMap.letterbox(image.shape, (64, 64)), 0, 1), atol=0.6)  # rounded to a grey level
    assert covered.shape == (3, 64, 64)
    assert covered.sum(0).max() <= 1.01


def test_geometry_moves_image_and_mask_together(data: Path) -> None:
    _, covered = on_grid(read_index(data)[0], 128)
    bright = np.where(covered[..., 0] > 127, 255, 0).astype(np.uint8)
    for seed in range(5):
        move = Augment(rotation_deg=20, log_scale=0.3, shift=0.1, shear=0.1, flip=0.5)
        moved, target = move(bright, covered, np.random.default_rng(seed))
        assert np.corrcoef(moved.ravel(), target[0].ravel())[0, 1] > 0.98


def test_pictures_without_a_heart_have_no_target() -> None:
    image, covered = np.full((64, 64), 99, np.uint8), np.full((64, 64, 3), 255, np.uint8)
    for seed in range(8):
        _, target = Augment(no_heart=1.0)(image, covered, np.random.default_rng(seed))
        assert target.max() == 0
        assert np.isfinite(no_heart(image, np.random.default_rng(seed))).all()


def test_the_network_keeps_the_size_of_its_input_and_has_the_stated_parameters() -> None:
    assert UNet()(torch.zeros(1, 1, 64, 96)).shape == (1, 4, 64, 96)
    assert sum(p.numel() for p in UNet().parameters()) == 1_942_340


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    factors = [learning_rate(step, 100, 10) for step in range(101)]
    assert factors[0] == 0.1
    assert max(factors) == 1.0 == factors[10]
    assert factors[100] == pytest.approx(0)


def test_ef_errors_by_hand() -> None:
    found = ef_errors(np.array([[50.0, 48.0], [60.0, 64.0], [30.0, 26.0]]))
    assert found["mae"] == pytest.approx(10 / 3)
    assert found["bias"] == pytest.approx(2 / 3)
    assert found["sd"] == pytest.approx(np.std([2, -4, 4], ddof=1))
    assert found["rmse"] == pytest.approx(np.sqrt(12))
    assert found["r2"] == pytest.approx(1 - 36 / (2 * 2 + 18 * 18 + 20 * 20))


def test_a_split_or_view_that_is_not_there_is_named(data: Path) -> None:
    with pytest.raises(DataError, match="found only"):
        select(read_index(data), "test", ["4CH"])


def test_the_shipped_model_reaches_its_figures_on_the_camus_validation_patients(camus: Path, capsys) -> None:
    from echo_rt.model import DEFAULT_MODEL, models

    evaluate([DEFAULT_MODEL, "--data", str(camus), "--split", "val", "--json"])
    figures = json.loads(capsys.readouterr().out)
    four = {name: found["dice"] for name, found in figures["views"]["4CH"]["classes"].items()}
    assert four["lv_cavity"] >= 0.932
    assert four["lv_wall"] >= 0.862
    assert four["left_atrium"] >= 0.905
    card = models()[0].figures["4CH Dice"]
    assert four == pytest.approx(card, abs=1e-3), "the figures in the file are those that are measured"
