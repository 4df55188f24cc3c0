"""What the training loop offers beside the loss going down."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from echo_rt.errors import ParameterError
from echo_rt_network.weights import load_weights
from echo_rt_train.training import moving_average
from support.commands import export, train
from support.training import small


def rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "log.csv").read_text().splitlines()))


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_weights(run / "weights.safetensors")[0].state_dict()


def test_the_log_has_every_part_of_the_loss_and_what_the_judges_say(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "run", "validate_every=2"))
    log = rows(tmp_path / "run")
    assert {
        "loss",
        "loss_masks",
        "loss_view",
        "loss_confidence",
        "seconds",
        "val_dice_lv_cavity",
        "val_view_accuracy",
    } <= set(log[0])
    assert [bool(row["val_dice_lv_cavity"]) for row in log] == [False, True, True], "every second epoch, and the last"
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_two_processes_train_one_model(data: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "echo_rt",
        "train",
    ]
    done = subprocess.run(
        [*command, *small(data, tmp_path / "two", "epochs=2")], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "two")) == 2, "one log"
    train(small(data, tmp_path / "one", "epochs=2"))
    one, two = (float(rows(tmp_path / name)[-1]["loss_masks"]) for name in ("one", "two"))
    # The same batches; batch statistics are of half a batch each, as on any two devices without synchronised batch
    # norm.
    assert two == pytest.approx(one, rel=0.25)
    assert weights_of(tmp_path / "two").keys() == weights_of(tmp_path / "one").keys()


def test_what_is_not_to_learn_stays_with_its_batch_statistics(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "a", "epochs=1", "model.heads=[]"))
    init = f"init={tmp_path / 'a' / 'weights.safetensors'}"
    train(small(data, tmp_path / "b", "epochs=1", init, "learn=heads"))
    before, after = weights_of(tmp_path / "a"), weights_of(tmp_path / "b")
    assert {name.split(".")[0] for name in after.keys() - before.keys()} == {"heads"}
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0)
    with pytest.raises(ParameterError, match="found 'foot', which fits none"):
        train(small(data, tmp_path / "c", "learn=foot"))
    with pytest.raises(ParameterError, match=r"init: expected weights of model.widths=\[4, 8\]"):
        train(small(data, tmp_path / "c", init, "model.widths=[4,8]"))


def test_a_network_that_keeps_its_statistics_learns_with_them(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "a", "epochs=1"))
    init = f"init={tmp_path / 'a' / 'weights.safetensors'}"
    train(small(data, tmp_path / "b", "epochs=1", init, "keep_statistics=true"))
    before, after = weights_of(tmp_path / "a"), weights_of(tmp_path / "b")
    statistics = [name for name in before if "running" in name]
    assert statistics
    for name, value in before.items():
        same = torch.equal(after[name], value)
        assert same or name not in statistics, f"{name} has changed"
    assert not all(torch.equal(after[name], value) for name, value in before.items()), "the rest has learned"
    with pytest.raises(
        ParameterError, match="keep_init: expected init=WEIGHTS, of which something is kept, found none"
    ):
        train(small(data, tmp_path / "c", "keep_statistics=true"))


def test_a_share_of_the_weights_it_began_with_is_kept(data: Path, tmp_path: Path) -> None:
    train(small(data, tmp_path / "a", "epochs=1"))
    init = f"init={tmp_path / 'a' / 'weights.safetensors'}"
    found = []
    for share in (0, 0.5, 1):
        train(small(data, tmp_path / f"{share}", "epochs=1", init, f"keep_init={share}"))
        found.append(weights_of(tmp_path / f"{share}"))
    begun, (learned, half, kept) = weights_of(tmp_path / "a"), found
    for name, value in begun.items():
        if value.is_floating_point():
            torch.testing.assert_close(kept[name], value)
            torch.testing.assert_close(half[name], (learned[name] + value) / 2)


def test_a_network_with_a_memory_learns_from_clips_and_stills(data: Path, tmp_path: Path) -> None:
    settings = (
        "model.memory=[0,0,4]",
        "frames=3",
        "mix.phantoms=2",
        "mix.clip_frames=5",
        "mix.share=0.5",
        "jitter=1",
        "epochs=2",
    )
    train(small(data, tmp_path / "run", *settings))
    assert float(rows(tmp_path / "run")[-1]["loss_jitter"]) > 0
    cell = weights_of(tmp_path / "run")["memory.memory_2.out.weight"]
    assert cell.abs().max() > 0, "the memory has learned to say something"


def test_a_training_with_negatives_and_organs_tells_them_from_hearts(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "negatives"
    folder.mkdir()
    table = ["file,source,organ_or_view,patient_or_clip"]
    for number in range(4):
        stripes = np.where(np.indices((60, 80))[number % 2] % 8 < 4, 40 * number, 200).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), stripes)
        table.append(f"{number}.png,machine-{number},stripes,{number}")
    (folder / "index.csv").write_text("\n".join(table))
    mixed = (f"negatives.root={folder}", "negatives.share=1", "negatives.organs=2", "negatives.organ_share=0.5")
    train(small(data, tmp_path / "run", *mixed, "head_gradient=0.5", "epochs=2"))
    log = rows(tmp_path / "run")
    assert float(log[-1]["loss_view"]) < float(log[0]["loss_view"])
    assert float(log[-1]["loss_masks"]) < float(log[0]["loss_masks"])


def test_the_phantom_is_endless_and_every_epoch_has_hearts_of_its_own(tmp_path: Path) -> None:
    import echo_rt_train.images as module

    seen: list[str] = []
    real = module.read_on_grid

    def noting(samples, report, size, processes):
        for sample, pair in real(samples, report, size, processes):
            seen.append(sample.name)
            yield sample, pair

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_on_grid", noting)
        phantom = ["data.format=phantom", "data.phantom.samples=4", "data.phantom.per_heart=2", "validate_every=0"]
        train([*phantom, *small(tmp_path, tmp_path / "run", "epochs=2")[1:]])
    assert len(seen) == len(set(seen)) == 8


def test_a_teacher_has_its_share_of_the_target(data: Path, tmp_path: Path) -> None:
    from echo_rt.engine import open_engine
    from echo_rt_train.data import covered_on_grid, read_index
    from echo_rt_train.teacher import Teacher

    train(small(data, tmp_path / "t", "epochs=1"))
    export(["onnx", str(tmp_path / "t"), "-o", str(tmp_path / "t.onnx")])
    train(small(data, tmp_path / "s", "epochs=1", f"teacher.model={tmp_path / 't.onnx'}"))
    image, mask = read_index(data)[0].read()
    _, covered = covered_on_grid(image, mask, (64, 64))
    with open_engine(tmp_path / "t.onnx") as engine:
        assert (Teacher(engine, 0.0).blend(image, covered) == covered).all()
        half, whole = (Teacher(engine, share).blend(image, covered).astype(int) for share in (0.5, 1.0))
        assert abs(half - (covered.astype(int) + whole) / 2).max() <= 1
        with pytest.raises(ParameterError, match="expected 0 to 1, found 2"):
            Teacher(engine, 2.0)


def test_weights_of_16_bits_begin_another_training(data: Path, tmp_path: Path, monkeypatch) -> None:
    from echo_rt_network import weights

    train(small(data, tmp_path / "a", "epochs=1", "model.memory=[0,0,2]"))
    (tmp_path / "shipped").mkdir()
    export(["weights", str(tmp_path / "a"), "-o", str(tmp_path / "shipped" / "lv-toy.safetensors")])
    whole, half = ((tmp_path / name).stat().st_size for name in ("a/weights.safetensors", "shipped/lv-toy.safetensors"))
    assert half < 0.6 * whole
    monkeypatch.setattr(weights, "models_dir", lambda: tmp_path / "shipped")
    train(small(data, tmp_path / "b", "epochs=1", "init=lv-toy", "model.memory=[0,0,2]", "learning_rate=0"))
    for (name, one), other in zip(weights_of(tmp_path / "a").items(), weights_of(tmp_path / "b").values(), strict=True):
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_average_of_a_short_run_has_forgotten_its_random_start() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    averaged = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=moving_average(0.998), use_buffers=True)
    torch.nn.init.constant_(network[0].weight, 0.0)
    averaged.update_parameters(network)  # the first is taken as it is
    torch.nn.init.constant_(network[0].weight, 1.0)
    network[1].running_var.fill_(9.0)
    for _ in range(100):
        averaged.update_parameters(network)
    assert averaged.module[0].weight.item() > 0.999
    assert averaged.module[1].running_var.item() > 8.99


def test_the_average_of_a_long_run_is_as_slow_as_it_was_asked_for() -> None:
    mean = [torch.zeros(1)]
    moving_average(0.9)(mean, [torch.ones(1)], torch.tensor(10_000))
    assert mean[0].item() == pytest.approx(0.1)
