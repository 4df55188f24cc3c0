"""`echo-rt train` from data to weights that run, and several trainings in one table."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from echo_rt.engine import open_engine
from echo_rt.errors import DataError, ParameterError
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights
from echo_rt_train.augment import Augment, Geometry
from echo_rt_train.data import open_data, read_index, select
from echo_rt_train.evaluate import ef_errors
from echo_rt_train.evaluate import evaluate as measured
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.training import learning_rate
from support.commands import evaluate, export, train
from support.training import small, write_index


def test_weights_become_a_model_that_the_runtime_runs_and_that_evaluate_measures(
    data: Path, tmp_path: Path, capsys
) -> None:
    run, model = tmp_path / "run", tmp_path / "m.onnx"
    train(small(data, run))
    export(["onnx", str(run), "-o", str(model)])
    network, spec = load_weights(run / "weights.safetensors")
    image, _ = next(s for s in read_index(data)).read()
    with open_engine(model) as engine:
        assert engine.spec == spec
        found = engine.segment(image)
        with torch.no_grad():
            expected = network(torch.from_numpy(engine._image.copy())).logits.softmax(1)[0].numpy()
    np.testing.assert_allclose(found.probability, expected, atol=1e-4)
    capsys.readouterr()
    evaluate([str(model), "--data", str(data), "--split", "val", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert {"model", "views", "biplane", "view_accuracy"} <= set(figures)
    assert set(figures["views"]) == {"4CH", "2CH"}
    assert set(figures["views"]["4CH"]["classes"]) == {"lv_cavity", "lv_wall", "left_atrium"}
    assert figures["views"]["4CH"]["images"] == 2


def test_training_learns_and_is_the_same_from_the_same_seed(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(small(data, tmp_path / name, "epochs=4"))
    rows = list(csv.DictReader((tmp_path / "a" / "log.csv").read_text().splitlines()))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == (
        tmp_path / "b" / "weights.safetensors"
    ).read_bytes()


KILLED = """
import os, signal, sys
from echo_rt.commands.app import main
from echo_rt_train import images
real, calls = images.GridImages.__getitem__, 0
def dying(self, index):
    global calls
    calls += 1
    if self.epoch == 2 and calls % 8 == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, index)
images.GridImages.__getitem__ = dying
main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_training_killed_in_mid_epoch_and_resumed_ends_with_the_same_weights(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "whole", "epochs=4"))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "train", *small(data, tmp_path / "cut", "epochs=4")],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    rows = list(csv.DictReader((tmp_path / "cut" / "log.csv").read_text().splitlines()))
    assert len(rows) == 2
    assert not (tmp_path / "cut" / "weights.safetensors").exists()
    train(small(data, tmp_path / "cut", "epochs=4", "resume=true"))
    assert (tmp_path / "whole" / "weights.safetensors").read_bytes() == (
        tmp_path / "cut" / "weights.safetensors"
    ).read_bytes()


def mask_of(shape: tuple[int, int], label: int):
    """Writes another mask for one of the images."""
    return lambda folder: cv2.imwrite(str(folder / "p1_4CH_ED_gt.png"), np.full(shape, label, np.uint8))


TWICE = [["p1", split, "4CH", "ED", "p1_4CH_ED.png", 1, 1, ""] for split in ("train", "val")]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "index.csv").unlink(), "with index.csv, found none"),
        (lambda d: (d / "p2_4CH_ED_gt.png").unlink(), r"files it names are missing, the first is .*p2_4CH_ED_gt.png"),
        (lambda d: (d / "p1_4CH_ED.png").write_bytes(b"no image"), r"p1_4CH_ED.png: expected a readable image"),
        (mask_of((9, 9), 0), r"image's size \(220, 240\), found \(9, 9\)"),
        (mask_of((220, 240), 7), "expected labels 0 to 3, found 7"),
        (lambda d: write_index(d, [], ("patient", "file")), "split, view, phase, height, width, spacing_mm not found"),
        (lambda d: write_index(d, TWICE), "p1 in two"),
    ],
)
def test_a_data_folder_that_is_wrong_is_named_before_the_first_epoch(
    data: Path, tmp_path: Path, spoil, message: str
) -> None:
    spoil(data)
    with pytest.raises(DataError, match=message):
        train(small(data, tmp_path / "run"))
    assert not (tmp_path / "run" / "log.csv").exists()


def test_a_grid_need_not_be_square(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "run", "model.grid=[32,48]", "epochs=1"))
    export(["onnx", str(tmp_path / "run"), "-o", str(tmp_path / "m.onnx")])
    image, _ = read_index(data)[0].read()
    with open_engine(tmp_path / "m.onnx") as engine:
        assert engine.segment(image).labels.shape == (32, 48)
        assert engine.segment(image).mask().shape == image.shape
    with pytest.raises(ParameterError, match="expected multiples of 4 for 3 levels, found 30x48"):
        train(small(data, tmp_path / "run", "model.grid=[30,48]"))
    # What is changed at random keeps its proportions: a disc stays one when it is turned.
    disc = np.zeros((64, 96), np.uint8)
    cv2.circle(disc, (48, 32), 20, 255, -1)
    for seed in range(3):
        grey, _ = Augment(Geometry(rotation_deg=40))(disc, np.zeros((64, 96, 3), np.uint8), np.random.default_rng(seed))
        inside = grey > 128
        assert abs(np.ptp(np.flatnonzero(inside.any(0))) - np.ptp(np.flatnonzero(inside.any(1)))) <= 1


def test_the_network_keeps_the_size_of_its_input_and_has_the_stated_parameters() -> None:
    assert UNet()(torch.zeros(1, 1, 64, 96)).logits.shape == (1, 4, 64, 96)
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


FLOORS = {
    "lv-edge": {"lv_cavity": 0.941, "lv_wall": 0.877, "left_atrium": 0.923},
}
"""Dice on the 4CH validation patients that a shipped model must reach."""


@pytest.mark.parametrize("name", FLOORS)
def test_a_shipped_model_reaches_its_figures_on_the_camus_validation_patients(name: str, camus: Path, capsys) -> None:
    from echo_rt.model import models

    evaluate([name, "--data", str(camus), "--split", "val", "--json"])
    figures = json.loads(capsys.readouterr().out)
    dice = {
        view: {label: found["dice"] for label, found in figures["views"][view]["classes"].items()}
        for view in ("4CH", "2CH")
    }
    for label, floor in FLOORS[name].items():
        assert dice["4CH"][label] >= floor
        assert dice["2CH"][label] >= dice["4CH"][label] - 0.015
    assert figures["view_accuracy"] >= 0.98
    assert abs(figures["views"]["4CH"]["ef_calibrated"]["bias"]) <= 1
    shipped = next(model for model in models() if model.name == name)
    assert dice["4CH"] == pytest.approx(shipped.figures["4CH Dice"], abs=1e-3), (
        "the figures in the file are those that are measured"
    )


def test_several_losses_and_seeds_are_compared_in_one_table(data: Path, tmp_path: Path, capsys) -> None:
    train(["-m", "loss=dice,focal_tversky", "seed=1,2", *small(data, tmp_path / "runs", "epochs=1")])
    rows = json.loads((tmp_path / "runs" / "comparison.json").read_text())
    assert [row["settings"] for row in rows] == [{"loss": "dice"}, {"loss": "focal_tversky"}]
    assert all(row["runs"] == 2 for row in rows)
    assert {"4CH lv_cavity Dice", "4CH EF mae"} <= set(rows[0])
    shown = capsys.readouterr().out
    assert "loss=focal_tversky" in shown
    weights = sorted((tmp_path / "runs").glob("*/weights.safetensors"))
    assert len(weights) == 4
    assert len({path.read_bytes() for path in weights}) == 4, "every run is its own"


def test_parts_of_a_cross_validation_are_judged_each_by_the_patients_it_held_out_and_make_one_row(
    data: Path, tmp_path: Path
) -> None:
    train(["-m", "data.hold_out=1/2,2/2", *small(data, tmp_path / "runs", "epochs=1")])
    (row,) = json.loads((tmp_path / "runs" / "comparison.json").read_text())
    assert (row["settings"], row["runs"]) == ({}, 2)
    for part in ("1", "2"):
        folder = tmp_path / "runs" / f"data.hold_out={part}-2"
        found = json.loads((folder / "figures.json").read_text())
        with open_model(str(folder)) as engine:
            judged = measured(engine, open_data({"root": data, "hold_out": f"{part}/2"}))
        assert found["4CH lv_cavity Dice"] == judged["views"]["4CH"]["classes"]["lv_cavity"]["dice"]
        assert judged["views"]["4CH"]["patients"] == 1


def test_a_comparison_of_one_run_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="several values"):
        train(["-m", *small(data, tmp_path / "runs")])
