"""`echo-rt evaluate` as a command, and the offsets that it fits."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from echo_rt.errors import DataError, ParameterError
from echo_rt_train.data import Sample, open_data
from echo_rt_train.evaluate import evaluate
from echo_rt_train.evaluate.offsets import fit_offsets
from support.commands import evaluate as command
from support.readers import Reader, Shy, drawn_samples, write_index_of


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views; the scale is known in 4CH alone."""
    return drawn_samples(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fit-calibration"], "expected --split train, found val"),
        (["--fit-offsets"], "expected --hold-out K/N, found none"),
        (["--hold-out", "1/4", "--split", "train"], "expected no --split beside it, found train"),
        (["--worst", "-1"], "expected a number of images from 0 up, found -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        command(["lv-edge", "--data", str(tmp_path), *options])


def test_offsets_bring_back_what_an_engine_draws_too_small(samples: list[Sample]) -> None:
    found = fit_offsets(Shy(), samples)
    assert found["logits"]["left_atrium"] == pytest.approx(0.6, abs=0.11)
    assert abs(found["logits"]["lv_cavity"]) <= 0.1
    assert found["dice"]["left_atrium"] > found["dice_before"]["left_atrium"] + 0.005
    assert (found["images"], found["view"]) == (8, "4CH")
    assert fit_offsets(Reader(), samples)["logits"] == {"lv_cavity": 0, "lv_wall": 0, "left_atrium": 0}, (
        "what makes no difference stays"
    )


def test_offsets_need_all_classes_labelled_in_four_chamber_views(samples: list[Sample]) -> None:
    for wrong in ([s for s in samples if s.view == "2CH"], [replace(s, known=(1,)) for s in samples]):
        with pytest.raises(DataError, match="expected 4CH images with lv_cavity, lv_wall, left_atrium labelled"):
            fit_offsets(Reader(), wrong)


def test_the_command_measures_a_folder_with_the_engine_that_is_opened_for_it(
    samples: list[Sample], tmp_path: Path, monkeypatch, capsys
) -> None:
    opened = []

    @contextmanager
    def open_model(*arguments):
        opened.append(arguments)
        yield Reader()

    monkeypatch.setattr("echo_rt_train.evaluate.command.open_model", open_model)
    write_index_of(samples, tmp_path)
    command(["a-model", "--data", str(tmp_path), "--json", "--out", str(tmp_path / "out"), "--worst", "0"])
    assert opened == [("a-model", "auto")]
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "out" / "evaluation.json").read_text()) == evaluate(Reader(), tmp_path)
    assert found == evaluate(Reader(), open_data({"root": tmp_path}))
    assert not (tmp_path / "out" / "worst").exists()


def test_the_command_fits_offsets_on_the_patients_that_were_held_out(
    samples: list[Sample], tmp_path: Path, monkeypatch, capsys
) -> None:
    @contextmanager
    def open_model(*arguments):
        yield Shy()

    monkeypatch.setattr("echo_rt_train.evaluate.command.open_model", open_model)
    write_index_of(samples, tmp_path, "train")
    given = ["a-model", "--data", str(tmp_path), "--hold-out", "2/4", "--fit-offsets"]
    command([*given, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["views"]["4CH"]["patients"] == 1
    assert found["class_offsets"] == {
        **fit_offsets(Shy(), [s for s in samples if s.patient == "p1"]),
        "hold_out": "2/4",
    }
    command(given)
    assert (
        f"offset of left_atrium  {found['class_offsets']['logits']['left_atrium']:+.1f}  Dice"
        in capsys.readouterr().out
    )
