"""Recordings as people have them, where the results go: two patients of one name, and a name in Chinese letters."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.program import echo_rt

FILES = {"summary.json", "readings.csv", "masks.npz", "curve.png"}


def ef_percent(folder: Path) -> float:
    return json.loads((folder / "summary.json").read_text())["ef_percent"]


def test_a_second_patients_recording_of_one_name_does_not_replace_the_first(field: Path, tmp_path: Path) -> None:
    one, other = sorted((field / "same-name-other-patient").glob("p?/IM00001*"))
    first = echo_rt("file", one, "--out", tmp_path, "--no-overlay")
    assert first.returncode == 0, first.stderr
    assert "kept in" not in first.stdout
    before = {path.name: path.read_bytes() for path in (tmp_path / "IM00001").iterdir()}
    for _ in range(2):  # running it again is replacing its own
        second = echo_rt("file", other, "--out", tmp_path, "--no-overlay")
        assert second.returncode == 0, second.stderr
        assert f"kept in {tmp_path / 'IM00001-2'}, for IM00001 holds those of {one}" in second.stdout
        assert {path.name for path in tmp_path.iterdir()} == {"IM00001", "IM00001-2"}
        assert {path.name: path.read_bytes() for path in (tmp_path / "IM00001").iterdir()} == before
    assert ef_percent(tmp_path / "IM00001") != pytest.approx(ef_percent(tmp_path / "IM00001-2"), abs=5)


def test_both_in_one_batch_are_told_apart_in_the_table(field: Path, tmp_path: Path) -> None:
    run = echo_rt("file", field / "same-name-other-patient", "--out", tmp_path, "--no-overlay", COLUMNS="80")
    assert run.returncode == 0, run.stderr
    assert [line.split()[0] for line in run.stdout.splitlines()[1:3]] == ["p1/IM00001", "p2/IM00001"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["IM00001", "IM00001-2"]
    assert all({path.name for path in folder.iterdir()} == FILES for folder in tmp_path.iterdir())


def test_a_name_in_chinese_letters_is_drawn_without_a_word(field: Path, tmp_path: Path) -> None:
    (path,) = (field / "cjk-name").glob("*.mp4")
    run = echo_rt("file", path, "--out", tmp_path, "--no-overlay")
    assert run.returncode == 0
    assert run.stderr == ""
    assert path.stem in run.stdout
    (folder,) = tmp_path.iterdir()
    assert folder.name == path.stem
    assert cv2.imdecode(np.fromfile(folder / "curve.png", np.uint8), cv2.IMREAD_COLOR) is not None
