"""The recipe of the shipped models names what there is, and the card says what the files say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import echo_rt_train
from echo_rt.errors import DataError
from echo_rt_train.card import write_card
from support.toy import SPEC, changed, toy_model

REPOSITORY = Path(__file__).resolve().parents[1]
RECIPE = (REPOSITORY / "train" / "models.mk").read_text()

DICE = {name: {"dice": 0.9} for name in ("lv_cavity", "lv_wall", "left_atrium")}
EF = {"mae": 5.5, "bias": -0.4, "sd": 7.0, "r": 0.88}
INTERVAL = {"coverage": 0.95, "width_points": 22.0, "width_points_range": [15.0, 31.0], "spearman": 0.3}
STRAIN = {"label": "Longitudinal strain", "unit": "%", "patients": 40, "no_reference": {"why": 9}, "not_measured": {}}
STRAIN |= {"mae": 2.31, "bias": -0.62, "sd": 3.1, "r": None}
VIEW = {"patients": 50, "measures": {"ls_percent": STRAIN}, "classes": DICE, "ef": EF, "interval": INTERVAL}
CELLS = {part: {"mean": 0.95, "sd": 0.02, "images": 50} for part in ("endocardium", "epicardium", "atrium")}
EVALUATION = {
    "views": {"4CH": VIEW, "2CH": VIEW},
    "biplane": {"ef": EF, "interval": INTERVAL},
    "dice_by_phase": {"4CH": {"ED": CELLS, "ES": CELLS}},
    "view_accuracy": 0.99,
    "shifts": {"images": 200, "shifts": {"zoom 0.6": {"dice": 0.936, "usable": 0.985}}},
}
HELD = {"patients": 130, "mae": 5.1, "bias": 0.0, "spearman": 0.31}
TUNING = {
    "offsets": {"lv_cavity": 0.0, "lv_wall": -0.1, "left_atrium": 0.4},
    "quality": {"min_apical": 0.42, "min_expected_dice": 0.61},
    "held_out": {
        "parts": ["2/3"],
        "patients": 399,
        "ef": dict.fromkeys(("a4c", "a2c", "biplane"), HELD),
        "negatives": {
            "pictures": {
                "all": {"shown": 1056, "mistaken": 9},
                "by_organ_or_view": {
                    "lung_convex": {"shown": 288, "mistaken": 9},
                    "muscle": {"shown": 9, "mistaken": 0},
                },
            }
        },
    },
}

UNSHIPPED = {"lv-edge-patch"}
"""Experiments of which no model is shipped yet."""


def test_every_stage_of_the_recipe_is_an_experiment_or_a_command_that_there_is() -> None:
    experiments = {path.stem for path in (Path(echo_rt_train.__file__).parent / "conf" / "experiment").glob("*.yaml")}
    assert set(re.findall(r"\+experiment=([\w-]+)", RECIPE)) == experiments - UNSHIPPED
    commands = set(re.findall(r"\$\(ECHO_RT\) (\w+)", RECIPE))
    assert commands == {"train", "tune", "evaluate", "card", "export"}
    offered = (REPOSITORY / "pyproject.toml").read_text()
    assert all(f'\n{command} = "echo_rt_' in offered for command in commands)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A model and what was measured of it."""
    spec = changed(SPEC, ef_calibration=(0.97, 1.2), licence="Apache-2.0", training_data="drawn hearts")
    written = {name: tmp_path / f"{name}.json" for name in ("evaluation", "tuning")}
    written["evaluation"].write_text(json.dumps(EVALUATION))
    written["tuning"].write_text(json.dumps(TUNING))
    return {"model": toy_model(tmp_path / "toy.fp32.onnx", spec), **written, "out": tmp_path / "toy.md"}


def test_the_card_quotes_the_figures_of_the_files(files: dict[str, Path]) -> None:
    write_card(**files)
    card = files["out"].read_text()
    for said in (
        "# toy, version 1",
        "drawn hearts",
        "**Apache-2.0**",
        "| 4CH | 0.900 | 0.900 | 0.900 | 5.5 | -0.4 ± 7.0 | 0.88 |",
        "| 2CH | 95 % | 22 (15 to 31) | 0.31 |",
        "| 2CH | Longitudinal strain, % | 40 | 9 | 2.3 | -0.6 ± 3.1 | - |",
        "EF = 0.970 x measured +1.20",
        "of 0.42 and an expected Dice of 0.61",
        "| all pictures | 1056 | 9 |",
        "| lung convex | 288 | 9 |",
        "| zoom 0.6 | 0.936 | 98.5 % |",
    ):
        assert said in card
    assert "muscle" not in card, "of the kinds those that were mistaken"


def test_a_card_of_other_files_is_refused_and_nothing_is_written(files: dict[str, Path]) -> None:
    files["tuning"].write_text("{}")
    with pytest.raises(DataError, match="found something else"):
        write_card(**files)
    assert not files["out"].exists()
