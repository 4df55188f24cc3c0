"""The further measures of `echo-rt evaluate`: on drawn hearts against their formulas, on real ones against experts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.cardiac.geometry import polyline_length
from echo_rt.engine import open_engine
from echo_rt.model import Tuning
from echo_rt_train.data import Sample, open_data
from echo_rt_train.data.pictures import PictureFiles
from echo_rt_train.evaluate import ImageFigures, evaluate, measure, summary
from echo_rt_train.evaluate.measurement import measures_of
from echo_rt_train.evaluate.report import write_report
from echo_rt_train.evaluate.text import as_text
from echo_rt_train.evaluate.two_stills import StillMeasure
from support.readers import GREY, Reader
from support.shapes import half_ellipsoid, labels_of

LENGTH_PX, SPACING_MM, UP_PX = 110, 0.5, 8
ED_PX, ES_PX = (34, 36, 31, 33), (26, 31, 20, 30)
"""Radii of the ventricles; the atrium below is as wide."""

CUT = "the atrium is cut off by the sector"


def draw(folder: Path, bottom: float = 150.0) -> list[Sample]:
    """Four patients in both views, the scale known in 4CH alone. The annulus is at row `bottom`, and rises by `UP_PX`
    from ED to ES; the apex stays."""
    found = []
    for number, radii in enumerate(zip(ED_PX, ES_PX, strict=True)):
        for view, spacing in (("4CH", (SPACING_MM, SPACING_MM)), ("2CH", None)):
            for phase, radius, up in zip(("ED", "ES"), radii, (0, UP_PX), strict=True):
                labels = labels_of((240, 240), LENGTH_PX - up, radius, 14, (120.0, bottom - up))
                image, mask = (folder / f"p{number}_{view}_{phase}{end}.png" for end in ("", "_gt"))
                cv2.imwrite(str(image), GREY[labels])
                cv2.imwrite(str(mask), labels)
                found.append(Sample(f"p{number}", "val", view, phase, str(image), PictureFiles(image, mask), spacing))
    return found


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return draw(tmp_path)


def named(images: list[ImageFigures], method: str) -> dict[str, StillMeasure]:
    return {one.name: one for one in measures_of(images) if one.method == method}


def atrium_ml(radius: float) -> float:
    """Disks across the ellipse of `labels_of`, from the mitral plane to its roof."""
    whole = np.pi * (0.95 * radius) ** 2 * radius * (1.9 - (1 + 0.9**3) / 3)
    return float(whole * SPACING_MM**3 / 1000)


def endocardium_px(radius: float, length: float) -> float:
    return polyline_length(half_ellipsoid(length, radius))


def test_measures_of_drawn_hearts_are_those_of_their_formulas(samples: list[Sample]) -> None:
    images = measure(Reader(), samples)
    found = named(images, "4CH")
    experts = {name: one.pairs[:, 1] for name, one in found.items()}
    strains = [
        100 * (endocardium_px(es, LENGTH_PX - UP_PX) / endocardium_px(ed, LENGTH_PX) - 1)
        for ed, es in zip(ED_PX, ES_PX, strict=True)
    ]
    np.testing.assert_allclose(experts["ls_a4c_percent"], strains, atol=1.0)
    np.testing.assert_allclose(experts["sphericity"], [2 * r * 0.75**0.5 / LENGTH_PX for r in ED_PX], rtol=0.03)
    np.testing.assert_allclose(experts["mapse_septal_mm"], UP_PX * SPACING_MM, atol=0.5)
    np.testing.assert_allclose(experts["mapse_lateral_mm"], UP_PX * SPACING_MM, atol=0.5)
    # The drawn atrium is narrower at the annulus than the ventricle: the line to the hinges adds a wedge.
    np.testing.assert_allclose(experts["lav_max_ml"], [atrium_ml(r) for r in ES_PX], rtol=0.1)
    np.testing.assert_allclose(experts["lav_min_ml"], [atrium_ml(r) for r in ED_PX], rtol=0.1)
    emptying = [100 * (1 - (ed / es) ** 3) for ed, es in zip(ED_PX, ES_PX, strict=True)]
    np.testing.assert_allclose(experts["la_emptying_percent"], emptying, rtol=0.1)
    for name, one in found.items():
        assert one.pairs[:, 0] == pytest.approx(one.pairs[:, 1]), f"{name} of a perfect model"


def test_the_two_chamber_view_has_walls_of_its_own_and_the_pair_a_mean_strain(samples: list[Sample]) -> None:
    images = measure(Reader(), samples)
    found = named(images, "2CH")
    # Without a scale lengths are in pixels, and there is no volume in mL.
    np.testing.assert_allclose(found["mapse_inferior_px"].pairs, UP_PX, atol=1.0)
    np.testing.assert_allclose(found["mapse_anterior_px"].pairs, UP_PX, atol=1.0)
    assert found["lav_max_ml"].to_dict()["no_reference"] == {"the scale is not known": 4}
    assert found["lav_max_ml"].to_dict()["mae"] is None
    assert len(found["la_emptying_percent"].pairs) == 4
    strains = [named(images, view)[name].pairs for view, name in (("4CH", "ls_a4c_percent"), ("2CH", "ls_a2c_percent"))]
    both = named(images, "biplane")
    assert list(both) == ["ls_mean_percent"]
    np.testing.assert_allclose(both["ls_mean_percent"].pairs, np.mean(strains, axis=0))


def test_the_sides_of_the_annulus_are_told_apart(samples: list[Sample]) -> None:
    tilted = [sample for sample in samples if sample.patient == "p0" and sample.view == "4CH"]
    for sample, angle in zip(tilted, (0.0, 8.0), strict=True):
        # The right end of the annulus goes down as it turns clockwise about its middle.
        labels = labels_of((240, 240), LENGTH_PX, 34, 14, (120.0, 150.0), angle)
        cv2.imwrite(sample.name, GREY[labels])
        cv2.imwrite(sample.name.replace(".png", "_gt.png"), labels)
    found = named(measure(Reader(), tilted), "4CH")
    turned = 34 * np.sin(np.deg2rad(8.0)) * SPACING_MM
    np.testing.assert_allclose(found["mapse_septal_mm"].pairs, turned, atol=0.5)
    np.testing.assert_allclose(found["mapse_lateral_mm"].pairs, -turned, atol=0.5)


def test_an_atrium_that_is_cut_off_is_left_out_and_counted(tmp_path: Path) -> None:
    figures = evaluate(Reader(), draw(tmp_path, bottom=218.0))["views"]["4CH"]["measures"]
    for name in ("lav_max_ml", "lav_min_ml", "la_emptying_percent"):
        assert (figures[name]["patients"], figures[name]["no_reference"]) == (0, {CUT: 4})
    assert figures["ls_a4c_percent"]["patients"] == 4


def test_an_atrium_that_the_model_is_not_sure_of_is_not_measured(samples: list[Sample]) -> None:
    class Unsure(Reader):
        def segment(self, image: np.ndarray, state: object = None):
            sure = super().segment(image, state)
            return replace(sure, probability=0.7 * sure.probability + 0.3 / 4, tally=None)

    engine = Unsure()
    assert summary(measure(engine, samples), "unsure")["views"]["4CH"]["measures"]["lav_max_ml"]["not_measured"] == {}
    engine.spec = replace(engine.spec, tuning=Tuning(quality={"min_atrium_confidence": 0.9}))
    figures = summary(measure(engine, samples), "unsure")["views"]["4CH"]["measures"]["lav_max_ml"]
    assert (figures["patients"], figures["not_measured"]) == (0, {"the atrium is not seen clearly": 4})


def test_a_lost_ventricle_is_said_and_counts_as_no_figure(samples: list[Sample]) -> None:
    lost = samples[0].read()[1]

    def spoil(labels: np.ndarray) -> np.ndarray:
        return np.where((labels == 1) & (labels == lost).all(), 0, labels).astype(np.uint8)

    figures = evaluate(Reader(spoil), samples)
    strain, mean = figures["views"]["4CH"]["measures"]["ls_a4c_percent"], figures["biplane"]["measures"]
    assert (strain["patients"], strain["not_measured"]) == (3, {"the ventricle was not found": 1})
    assert mean["ls_mean_percent"]["not_measured"] == {"the ventricle was not found": 1}
    line = next(line for line in as_text(figures) if "Longitudinal strain, A4C" in line)
    assert line.endswith("3 patients  1 not measured: the ventricle was not found")


def test_a_contour_that_is_too_short_at_es_shows_as_bias(samples: list[Sample]) -> None:
    def shorten(labels: np.ndarray) -> np.ndarray:
        short = labels.copy()
        if (labels == 1).sum() < 5000:  # as all are at ES, and none at ED
            short[:55][labels[:55] == 1] = 2
        return short

    strain = evaluate(Reader(shorten), samples)["views"]["4CH"]["measures"]["ls_a4c_percent"]
    assert strain["bias"] < -2
    assert strain["ci"]["bias"][1] < 0


def test_the_report_has_a_table_and_a_picture_of_each_view(samples: list[Sample], tmp_path: Path) -> None:
    engine = Reader(lambda labels: np.roll(labels, 1, axis=1))
    images = measure(engine, samples)
    figures, out = summary(images, "reader"), tmp_path / "out"
    json.dumps(figures, allow_nan=False)
    write_report(out, engine, images, figures, worst=0)
    rows = list(csv.DictReader((out / "measures.csv").read_text().splitlines()))
    assert [row["patient"] for row in rows if row["measure"] == "ls_mean_percent"] == ["p0", "p1", "p2", "p3"]
    volumes = [row for row in rows if row["measure"] == "lav_max_ml"]
    assert [row["method"] for row in volumes] == ["4CH"] * 4 + ["2CH"] * 4
    assert float(volumes[0]["model"]) == pytest.approx(atrium_ml(ES_PX[0]), rel=0.1)
    assert (volumes[4]["model"], volumes[4]["reason"]) == ("", "the scale is not known")
    sizes = [cv2.imread(str(out / f"measures_{name}.png")).shape for name in ("4CH", "2CH", "biplane")]
    assert sizes[0][0] > sizes[2][0], "seven panels need a second row"
    assert sizes[0][1] > 3 * sizes[2][1]


def test_measures_of_patients_agree_with_those_of_the_experts(camus: Path) -> None:
    samples = [sample for sample in open_data({"root": camus}).samples("val") if sample.view == "4CH"][:60]
    with open_engine("lv-edge", "cpu") as engine:
        found = summary(measure(engine, samples), "lv-edge")["views"]["4CH"]["measures"]
    assert found["ls_a4c_percent"]["patients"] == 30
    assert found["ls_a4c_percent"]["mae"] < 4
    for name, r in (("ls_a4c_percent", 0.7), ("mapse_septal_mm", 0.7), ("mapse_lateral_mm", 0.7), ("lav_max_ml", 0.8)):
        assert found[name]["r"] > r
    volume = found["lav_max_ml"]
    assert volume["patients"] + volume["no_reference"][CUT] + sum(volume["not_measured"].values()) == 30
