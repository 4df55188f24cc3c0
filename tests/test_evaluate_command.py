"""`echo-rt evaluate` as a command."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from echo_rt.errors import ParameterError
from echo_rt_train.data import Sample, open_data
from echo_rt_train.evaluate import evaluate
from support.commands import evaluate as command
from support.readers import Reader, drawn_samples, write_index_of


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views; the scale is known in 4CH alone."""
    return drawn_samples(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hold-out", "1/4", "--split", "train"], "expected no --split beside it, found train"),
        (["--worst", "-1"], "expected a number of images from 0 up, found -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        command(["lv-edge", "--data", str(tmp_path), *options])


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
