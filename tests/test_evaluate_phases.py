"""The table of Dice at ED and ES in which papers on CAMUS report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echo_rt_train.data import Sample
from echo_rt_train.evaluate import evaluate
from echo_rt_train.evaluate.overlap import confusion, joined_dice
from echo_rt_train.evaluate.phases import phase_table, structure_dice
from echo_rt_train.evaluate.text import as_text
from support.readers import Reader, drawn_samples

ALL = (1, 2, 3)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views."""
    return drawn_samples(tmp_path)


def counts_of(found: list, truth: list) -> np.ndarray:
    return confusion(np.array(found, np.uint8), np.array(truth, np.uint8))


def test_cavity_called_wall_is_no_error_of_the_epicardium() -> None:
    counts = counts_of([[1, 2, 2, 0, 3]], [[1, 1, 2, 0, 3]])
    assert structure_dice(counts, ALL).tolist() == pytest.approx([2 / 3, 1.0, 1.0])


def test_the_epicardium_by_hand() -> None:
    # Of 4 pixels the model finds 3 and adds 1.
    counts = counts_of([[1, 2, 2, 0, 2]], [[1, 1, 2, 2, 0]])
    assert joined_dice(counts, (1, 2)) == pytest.approx(2 * 3 / 8)
    assert joined_dice(counts, (3,)) == 1.0, "what neither has is agreed upon"


def test_a_structure_needs_all_of_its_labels_traced() -> None:
    found = structure_dice(counts_of([[1, 2]], [[1, 0]]), (1,))
    assert found[0] == 1.0
    assert np.isnan(found[1:]).all()


def test_means_and_spreads_by_view_and_pooled() -> None:
    dice = np.array([[0.9, 0.8, 0.7], [0.7, 0.8, np.nan], [0.5, 0.6, 0.7], [0.1, 0.1, 0.1]])
    table = phase_table(["4CH", "2CH", "4CH", "4CH"], ["ED", "ED", "ES", "other"], dice)
    assert {view: list(phases) for view, phases in table.items()} == {
        "4CH": ["ED", "ES"],
        "2CH": ["ED"],
        "pooled": ["ED", "ES"],
    }
    pooled = table["pooled"]["ED"]
    assert pooled["endocardium"] == {
        "mean": pytest.approx(0.8),
        "sd": pytest.approx(np.std([0.9, 0.7], ddof=1)),
        "images": 2,
    }
    assert pooled["atrium"] == {"mean": pytest.approx(0.7), "sd": None, "images": 1}
    assert table["2CH"]["ED"]["atrium"] == {"mean": None, "sd": None, "images": 0}
    assert table["4CH"]["ES"]["endocardium"]["mean"] == pytest.approx(0.5), "images of no phase take no part"


def test_the_evaluation_holds_the_table_and_prints_it(samples: list[Sample]) -> None:
    def too_much_wall(labels: np.ndarray) -> np.ndarray:
        return np.where(labels == 1, 2, labels).astype(np.uint8)

    figures = evaluate(Reader(too_much_wall), samples)
    pooled = figures["dice_by_phase"]["pooled"]
    for phase in ("ED", "ES"):
        assert {name: cell["mean"] for name, cell in pooled[phase].items()} == {
            "endocardium": 0.0,
            "epicardium": 1.0,
            "atrium": 1.0,
        }
        assert pooled[phase]["epicardium"]["images"] == 8
    lines = list(as_text(figures))
    head = next(k for k, line in enumerate(lines) if line.startswith("Dice, mean ± SD over images"))
    assert lines[head].split()[-3:] == ["endocardium", "epicardium", "atrium"]
    rows = lines[head + 1 : head + 7]
    assert [row.split()[:4] for row in rows] == [
        [view, phase, images, "images"]
        for view, images in (("4CH", "4"), ("2CH", "4"), ("pooled", "8"))
        for phase in ("ED", "ES")
    ]
    assert all(row.split("images")[1].split() == "0.000 ± 0.000 1.000 ± 0.000 1.000 ± 0.000".split() for row in rows)


def test_images_that_are_neither_ed_nor_es_make_no_table(samples: list[Sample]) -> None:
    figures = evaluate(Reader(), [replace(sample, phase="other") for sample in samples])
    assert figures["dice_by_phase"] == {}
    assert not any("mean ± SD" in line for line in as_text(figures))
