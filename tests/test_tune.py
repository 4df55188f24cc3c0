"""What a model's file brings beside its weights is fitted on patients that no weights have learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.data import Sample
from echo_rt_train.tune import tune
from echo_rt_train.tune.interval import Errors, fit_interval
from echo_rt_train.tune.offsets import fit_offsets
from support.readers import Reader, Shy, drawn_samples


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views; the scale is known in 4CH alone."""
    return drawn_samples(tmp_path)


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


def drawn_errors(rng: np.random.Generator, patients: int, size: float) -> Errors:
    """Errors that are the larger the less the model expects of itself, and the lower EF is."""
    dice = rng.uniform(0.7, 0.97, patients)
    percent = rng.uniform(15, 75, patients)
    points = rng.normal(0, size * np.exp(-0.5 * np.log(dice / (1 - dice)) - 0.8 * percent / 100))
    return Errors(points, dice, percent)


def test_the_interval_holds_the_share_that_it_says_in_patients_it_was_not_fitted_on() -> None:
    rng = np.random.default_rng(3)
    sizes = {"a4c": 20.0, "a2c": 26.0, "biplane": 15.0}
    held: dict[str, list[bool]] = {view: [] for view in sizes}
    for _ in range(12):
        rule = fit_interval({view: drawn_errors(rng, 400, size) for view, size in sizes.items()})
        for view, size in sizes.items():
            new = drawn_errors(rng, 200, size)
            name = {"a4c": "A4C", "a2c": "A2C"}.get(view, view)
            halves = np.array([rule.half_points(name, *of) for of in zip(new.expected_dice, new.percent, strict=True)])
            held[view] += (np.abs(new.points) <= halves).tolist()
    for found in held.values():
        assert np.mean(found) == pytest.approx(0.95, abs=0.015)
    assert rule.per_logit == pytest.approx(-0.5, abs=0.15)
    assert rule.per_ef == pytest.approx(-0.8, abs=0.4)
    assert rule.half_points("A2C", 0.9, 55) > rule.half_points("A4C", 0.9, 55) > rule.half_points("biplane", 0.9, 55)


def test_where_neither_the_expected_dice_nor_ef_says_anything_everybody_has_the_same_interval() -> None:
    rng = np.random.default_rng(5)
    errors = {
        view: Errors(rng.normal(0, 6, 400), rng.uniform(0.7, 0.97, 400), rng.uniform(20, 70, 400))
        for view in ("a4c", "a2c", "biplane")
    }
    rule = fit_interval(errors)
    assert -0.12 < rule.per_logit <= 0
    assert -0.5 < rule.per_ef <= 0
    assert rule.half_points("A4C", 0.9, 55) == pytest.approx(1.96 * 6, rel=0.2)


def test_too_few_patients_give_no_interval() -> None:
    few = Errors(np.ones(10), np.full(10, 0.9), np.full(10, 55.0))
    with pytest.raises(DataError, match="expected at least 40 patients in a4c, found 10"):
        fit_interval({"a4c": few, "a2c": few, "biplane": few})


def run_without(folder: Path, hold_out: str | None) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text(f"data: {{hold_out: {hold_out or 'null'}}}\n")
    return folder


@pytest.mark.parametrize(("parts", "found"), [
    (["1/3", "1/3"], "1/3, 1/3"), (["1/3", "2/4"], "1/3, 2/4"), ([], "none"),
])  # fmt: skip
def test_trainings_that_are_no_different_parts_of_one_cross_validation_are_refused(
    parts: list[str], found: str, tmp_path: Path
) -> None:
    runs = [run_without(tmp_path / str(n), part) for n, part in enumerate(parts)]
    with pytest.raises(DataError, match=f"different parts of one cross-validation, .*, found {found};"):
        tune("lv-edge", runs, tmp_path)


def test_a_training_that_saw_every_patient_judges_nobody(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found one that saw every patient"):
        tune("lv-edge", [run_without(tmp_path / "whole", None)], tmp_path)
