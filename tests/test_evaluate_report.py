"""What `echo-rt evaluate` makes of a data set: the JSON, the tables and the pictures."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.errors import DataError, OutputError, ParameterError
from echo_rt_train.data import DataReport, Sample
from echo_rt_train.evaluate import evaluate, measure, summary
from echo_rt_train.evaluate.measurement import COLUMNS
from echo_rt_train.evaluate.output import whole_folder
from echo_rt_train.evaluate.report import write_report
from echo_rt_train.evaluate.text import as_text
from echo_rt_train.evaluate.worst import worst_images
from support.readers import Reader, drawn_samples


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views; the scale is known in 4CH alone."""
    return drawn_samples(tmp_path)


def shifted(labels: np.ndarray) -> np.ndarray:
    return np.roll(labels, 6, axis=1)


def test_a_perfect_model_has_perfect_figures(samples: list[Sample]) -> None:
    found = evaluate(Reader(), samples)
    assert set(found) == {"model", "views", "biplane", "dice_by_phase"}
    assert list(found["views"]) == ["4CH", "2CH"]
    for view in found["views"].values():
        assert (view["images"], view["patients"]) == (8, 4)
        for of_class in view["classes"].values():
            assert {of_class[name] for name in ("dice", "iou", "precision", "recall", "accuracy", "f1")} == {1.0}
            assert of_class["ci"]["dice"] == [1.0, 1.0]
        assert view["ef"]["mae"] == 0
        assert view["ef"]["r"] == pytest.approx(1)
    assert found["biplane"]["ef"]["patients"] == 4
    json.dumps(found, allow_nan=False)


def test_distances_are_in_mm_where_the_scale_is_known_and_in_pixels_otherwise(samples: list[Sample]) -> None:
    views = evaluate(Reader(shifted), samples)["views"]
    mm, px = (views[view]["classes"]["left_atrium"] for view in ("4CH", "2CH"))
    assert mm["hd_mm"] == pytest.approx(3.0)
    assert px["hd_px"] == pytest.approx(6.0)
    assert mm["msd_mm"] == pytest.approx(px["msd_px"] / 2)
    assert mm["hd95_px"] is px["hd95_mm"] is None
    assert mm["distances"] == {"mm": 8, "px": 0, "undefined": 0}
    assert px["distances"] == {"mm": 0, "px": 8, "undefined": 0}
    # Shifting a mask changes no EF.
    assert views["4CH"]["ef"]["mae"] == pytest.approx(0, abs=1e-6)


def test_a_lost_ventricle_is_counted_and_nothing_is_left_out(samples: list[Sample]) -> None:
    found = evaluate(Reader(lambda labels: np.where(labels == 1, 0, labels).astype(np.uint8)), samples)
    cavity, ef = found["views"]["4CH"]["classes"]["lv_cavity"], found["views"]["4CH"]["ef"]
    assert (cavity["dice"], cavity["recall"], cavity["hd95_mm"]) == (0.0, 0.0, None)
    assert cavity["distances"]["undefined"] == 8
    assert (ef["patients"], ef["not_measured"]) == (4, 4)
    assert ef["bias"] < -20
    assert ef["r"] is None
    assert found["views"]["4CH"]["classes"]["lv_wall"]["recall"] == 1.0


def test_a_patient_without_a_measurable_expert_mask_is_no_reference(samples: list[Sample]) -> None:
    speck = np.zeros((220, 240), np.uint8)
    speck[100, 100] = 1
    cv2.imwrite(samples[0].name.replace(".png", "_gt.png"), speck)
    ef = evaluate(Reader(), samples)["views"]["4CH"]["ef"]
    assert (ef["patients"], ef["no_reference"], ef["mae"]) == (3, 1, 0)


def test_a_class_that_the_data_set_does_not_trace_has_no_figures(samples: list[Sample]) -> None:
    classes = evaluate(Reader(), [replace(sample, known=(1,)) for sample in samples])["views"]["4CH"]["classes"]
    assert classes["lv_cavity"]["dice"] == 1.0
    assert classes["lv_wall"]["dice"] is classes["lv_wall"]["ci"]["dice"] is classes["left_atrium"]["hd95_mm"] is None
    assert classes["lv_wall"]["distances"] == {"mm": 0, "px": 0, "undefined": 0}


def test_a_bad_image_is_left_out_and_named_or_an_error(samples: list[Sample]) -> None:
    Path(samples[0].name).write_bytes(b"no image")
    report = DataReport("here")
    assert len(measure(Reader(), samples, report)) == len(samples) - 1
    assert report.counts == {"unreadable file": 1}
    with pytest.raises(DataError, match="expected a readable image"):
        measure(Reader(), samples)


def test_the_calibration_of_the_model_is_shown_beside_the_raw_ef(samples: list[Sample]) -> None:
    found = evaluate(Reader(calibration=(0.9, 8.0)), samples)
    raw, calibrated = found["views"]["4CH"]["ef"], found["views"]["4CH"]["ef_calibrated"]
    efs = [100 * (1 - (es / ed) ** 2) for ed, es in ((40, 28), (42, 36), (38, 24), (40, 32))]
    assert raw["bias"] == 0
    assert calibrated["bias"] == pytest.approx(8 - 0.1 * np.mean(efs), abs=0.2)
    assert (calibrated["slope"], calibrated["offset"]) == (0.9, 8.0)
    assert "ef_calibrated" not in found["biplane"], "the lines are of single planes, as in the runtime"


def test_view_accuracy_where_the_model_names_the_view(samples: list[Sample]) -> None:
    found = evaluate(Reader(view="A4C"), samples)
    assert found["views"]["4CH"]["view_accuracy"] == 1.0
    assert found["views"]["2CH"]["view_accuracy"] == 0.0
    assert found["view_accuracy"] == 0.5
    assert "view_accuracy" not in evaluate(Reader(), samples)


def test_the_report_holds_figures_tables_plots_and_the_worst_cases(samples: list[Sample], tmp_path: Path) -> None:
    worst = samples[5]

    def spoil(labels: np.ndarray) -> np.ndarray:
        return shifted(labels) if (labels == worst.read()[1]).all() else labels

    engine = Reader(spoil)
    images = measure(engine, samples)
    figures, out = summary(images, "reader"), tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    write_report(out, engine, images, figures, worst=2)
    plots = [f"{kind}_{name}.png" for kind in ("ef", "measures") for name in ("2CH", "4CH", "biplane")]
    tables = ["evaluation.json", "images.csv", "measures.csv", "notes.txt", "patients.csv"]
    assert sorted(p.name for p in out.iterdir()) == sorted([*plots, *tables, "worst"])
    assert json.loads((out / "evaluation.json").read_text()) == figures
    pictures = sorted(p.name for p in (out / "worst").iterdir())
    assert len(pictures) == 2
    assert worst_images(images, 1)[0].sample.phase == worst.phase
    assert pictures[0].startswith("01_p1_")
    picture = cv2.imread(str(out / "worst" / pictures[0]))
    yellow, blue = (
        np.all(np.abs(picture.astype(int) - colour) < 40, axis=-1).sum() for colour in ((63, 210, 255), (255, 208, 63))
    )
    assert min(yellow, blue) > 500, "both contours are seen"
    rows = list(csv.DictReader((out / "images.csv").read_text().splitlines()))
    assert len(rows) == len(samples)
    assert float(rows[0]["lv_cavity_dice"]) == 1.0
    assert (rows[0]["lv_wall_hd95_px"], rows[2]["lv_wall_hd95_mm"]) == ("", "")
    patients = list(csv.DictReader((out / "patients.csv").read_text().splitlines()))
    assert [row["method"] for row in patients] == ["4CH"] * 4 + ["2CH"] * 4 + ["biplane"] * 4
    write_report(out, engine, images, figures, worst=1)
    assert len(list((out / "worst").iterdir())) == 1, "those of an earlier report are gone"


def test_a_report_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with whole_folder(tmp_path / "out") as folder:
            (folder / "half").write_text("a")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write()
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_of_patients_never_go_into_the_repository(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "runtime" / "echo_rt").mkdir(parents=True)
    (checkout / ".git").write_text("gitdir: elsewhere")
    (tmp_path / "link").symlink_to(checkout)
    for out in (checkout / "results" / "a", tmp_path / "link" / "results"):
        with pytest.raises(ParameterError, match="outside of the repository"), whole_folder(out):
            pass
        assert not out.exists()


def test_the_lowest_dice_of_any_class_comes_first(samples: list[Sample]) -> None:
    images = measure(Reader(), samples[:3])
    images[1].figures[2, COLUMNS.index("dice")] = 0.2
    images[2].figures[:, COLUMNS.index("dice")] = 0.9
    assert worst_images(images, 2) == [images[1], images[2]]


def test_the_text_says_what_has_no_scale_and_what_was_not_measured(samples: list[Sample]) -> None:
    lines = list(as_text(evaluate(Reader(lambda labels: np.zeros_like(labels)), samples)))
    assert sum("8 without a distance" in line for line in lines) == 6
    assert "4 not measured, counted as 0" in next(line for line in lines if line.startswith("4CH      EF"))
    lines = list(as_text(evaluate(Reader(), samples)))
    assert sum("px (scale unknown)" in line for line in lines) == 3


def test_a_split_that_is_not_there_is_named(samples: list[Sample]) -> None:
    with pytest.raises(DataError, match="expected images of split 'test', found val"):
        evaluate(Reader(), samples, "test")
