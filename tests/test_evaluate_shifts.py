"""`echo-rt evaluate --shifts`: twenty changes of known strength, and what a model makes of them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.changes import Sector
from echo_rt_train.data import DataReport, Sample
from echo_rt_train.data.video import grey
from echo_rt_train.evaluate.robustness import ShiftedImage, measure_shifts, shifts_summary
from echo_rt_train.evaluate.shifts import SHIFTS, lateral_deg, shifted
from support.commands import evaluate as command
from support.readers import GREY, Reader, drawn_samples, write_index_of
from support.sectors import sector
from support.shapes import labels_of

MOVING = {"rotation +15 deg", "rotation -15 deg", "zoom 0.8", "zoom 0.6", "mirrored", "upside down"}
TIP = (160.0, 10.0)


class Reading(Reader):
    """An engine that reads labels off a frame, grey or BGR."""

    def segment(self, image: np.ndarray, state: object = None):
        return super().segment(grey(image), state)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A sector of 40 degrees to either side, with speckle."""
    return sector(300, 320, tip=TIP)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    """A ventricle in the middle of it, a little tilted."""
    return labels_of((300, 320), 110, 36, 12, (165.0, 180.0), angle_deg=-8)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four patients in both views."""
    return drawn_samples(tmp_path)


def test_there_are_twenty_and_the_first_changes_nothing(image: np.ndarray, mask: np.ndarray) -> None:
    assert len(SHIFTS) == 20
    assert next(iter(SHIFTS)) == "as is"
    same, labels = shifted("as is", image, mask, "a")
    assert (same == image).all()
    assert (labels == mask).all()


@pytest.mark.parametrize("name", [name for name in SHIFTS if name != "as is"])
def test_a_shift_changes_the_image_always_in_the_same_way(name: str, image: np.ndarray, mask: np.ndarray) -> None:
    seen, labels = shifted(name, image, mask, "a")
    assert seen.dtype == labels.dtype == np.uint8
    assert seen.shape[:2] == labels.shape == image.shape
    assert (seen if seen.ndim == 2 else seen[..., 0]).astype(int).ravel().tolist() != image.ravel().tolist()
    again, labels_again = shifted(name, image, mask, "a")
    assert (seen == again).all()
    assert (labels == labels_again).all()
    assert (labels == mask).all() == (name not in MOVING)


def test_noise_and_text_differ_from_image_to_image(image: np.ndarray, mask: np.ndarray) -> None:
    for name in ("speckle", "ECG and text"):
        assert (shifted(name, image, mask, "a")[0] != shifted(name, image, mask, "b")[0]).any()


@pytest.mark.parametrize(("name", "area"), [("zoom 0.8", 0.64), ("zoom 0.6", 0.36)])
def test_zoom_makes_the_heart_smaller_by_as_much_as_it_says(name: str, area: float, mask: np.ndarray) -> None:
    labels = shifted(name, GREY[mask], mask, "a")[1]
    assert (labels == 1).sum() == pytest.approx(area * (mask == 1).sum(), rel=0.03)


def test_rotation_turns_the_long_axis_by_as_much_as_it_says(mask: np.ndarray) -> None:
    def axis_deg(labels: np.ndarray) -> float:
        y, x = np.nonzero(labels == 1)
        (xx, xy), (_, yy) = np.cov(x, y)
        return float(np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 % 180)

    before = axis_deg(mask)
    # y points down: what turns counter-clockwise on the screen falls in this angle.
    for name, turn in (("rotation +15 deg", -15), ("rotation -15 deg", 15)):
        assert axis_deg(shifted(name, GREY[mask], mask, "a")[1]) - before == pytest.approx(turn, abs=1)


@pytest.mark.parametrize("name", sorted(MOVING))
def test_the_mask_moves_with_the_image(name: str, mask: np.ndarray) -> None:
    seen, labels = shifted(name, GREY[mask], mask, "a")
    agreed = Reader().segment(seen).mask()[labels == 1] == 1
    assert (labels == 1).sum() > 1000
    assert agreed.mean() > 0.97


def test_gain_is_in_dB_of_the_display_and_lights_no_black_pixel(image: np.ndarray, mask: np.ndarray) -> None:
    bright = shifted("gain +8 dB", image, mask, "a")[0]
    middle = (image > 20) & (image < 200)
    assert np.median(bright[middle].astype(int) - image[middle]) == pytest.approx(255 * 8 / 60, abs=1)
    assert (bright[image == 0] == 0).all()
    assert shifted("gain -12 dB", image, mask, "a")[0].mean() < image.mean() < bright.mean()
    assert shifted("gamma 1.6", image, mask, "a")[0].mean() < image.mean()
    assert shifted("gamma 0.6", image, mask, "a")[0].mean() > image.mean()


def test_the_shadow_lies_on_the_wall_at_the_right_of_the_picture(image: np.ndarray, mask: np.ndarray) -> None:
    x = np.arange(mask.shape[1])[None, :]
    wall = (mask == 2) & (np.arange(mask.shape[0]) > 110)[:, None]
    middle = np.nonzero(mask == 1)[1].mean()
    seen = shifted("shadow on lateral wall", image, mask, "a")[0]
    assert seen[wall & (x > middle + 25)].mean() < 0.3 * image[wall & (x > middle + 25)].mean()
    assert (seen[wall & (x < middle - 25)] == image[wall & (x < middle - 25)]).all()


def test_the_lateral_wall_is_found_beside_the_cavity(mask: np.ndarray) -> None:
    beams = Sector(TIP, 280.0, -40.0, 40.0)
    with_wall, without = lateral_deg(mask, beams), lateral_deg(np.where(mask == 2, 0, mask).astype(np.uint8), beams)
    assert 0 < without < with_wall < 40
    assert lateral_deg(mask[:, ::-1].copy(), Sector((320 - TIP[0], TIP[1]), 280.0, -40, 40)) > 0, "not the septum"
    assert lateral_deg(np.zeros_like(mask), Sector(TIP, 280.0, -30.0, 40.0)) == 5


def test_a_narrow_sector_is_black_beyond_its_half_angle(image: np.ndarray, mask: np.ndarray) -> None:
    y, x = np.indices(image.shape)
    angle = np.abs(np.degrees(np.arctan2(x - TIP[0], np.maximum(y - TIP[1], 1e-3))))
    deep = y > 60
    seen = shifted("narrow sector", image, mask, "a")[0]
    assert (seen[deep & (angle > 30)] == 0).all()
    assert (seen[deep & (angle < 24)] == image[deep & (angle < 24)]).all()


def test_a_tint_is_a_colour_image_in_bgr(image: np.ndarray, mask: np.ndarray) -> None:
    seen = shifted("tint", image, mask, "a")[0]
    assert seen.shape == (*image.shape, 3)
    blue, green, red = seen.reshape(-1, 3).mean(axis=0)
    assert blue < green < red


def test_dice_is_measured_against_the_moved_mask_and_a_lost_heart_is_not_usable(samples: list[Sample]) -> None:
    names = list(SHIFTS)
    for spoil, dice, usable in ((lambda labels: labels, 1.0, True), (np.zeros_like, 0.0, False)):
        images = measure_shifts(Reading(spoil), samples[:2], DataReport("drawn"))
        for image in images:
            for name in ("as is", "mirrored"):
                assert image.dice[names.index(name)] == dice
                assert image.usable[names.index(name)] == usable
            assert image.dice[names.index("upside down")] == dice


def test_the_figures_of_an_image_do_not_depend_on_the_others(samples: list[Sample]) -> None:
    alone = measure_shifts(Reading(), samples[3:4], DataReport("drawn"))[0]
    last = measure_shifts(Reading(), samples[:4], DataReport("drawn"))[3]
    np.testing.assert_array_equal(alone.dice, last.dice)
    np.testing.assert_array_equal(alone.usable, last.usable)


def test_means_over_all_images_and_by_view() -> None:
    def one(view: str, dice: float, usable: bool) -> ShiftedImage:
        return ShiftedImage(view, np.full(len(SHIFTS), dice), np.full(len(SHIFTS), usable))

    found = shifts_summary([one("4CH", 0.9, True), one("4CH", 0.7, False), one("2CH", 0.2, False)])
    assert (found["images"], found["views"]) == (3, {"4CH": 2, "2CH": 1})
    assert list(found["shifts"]) == list(SHIFTS)
    for of_shift in found["shifts"].values():
        assert of_shift["dice"] == pytest.approx(0.6)
        assert of_shift["usable"] == pytest.approx(1 / 3)
        assert of_shift["views"]["4CH"] == {"dice": pytest.approx(0.8), "usable": 0.5}
        assert of_shift["views"]["2CH"] == {"dice": pytest.approx(0.2), "usable": 0.0}
    assert shifts_summary([]) == {}


def test_images_without_a_traced_cavity_cannot_be_shifted(samples: list[Sample]) -> None:
    for wrong in ([replace(s, known=(2,)) for s in samples], [replace(s, view="other") for s in samples]):
        with pytest.raises(DataError, match="--shifts: expected images of an apical view with a traced cavity"):
            measure_shifts(Reading(), wrong, DataReport("drawn"))


def test_the_command_prints_a_line_a_shift_and_holds_them_in_its_json(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def open_model(*arguments):
        yield Reading()

    monkeypatch.setattr("echo_rt_train.evaluate.command.open_model", open_model)
    write_index_of(samples[:4], tmp_path)
    command(["any", "--data", str(tmp_path), "--json"])
    assert "shifts" not in json.loads(capsys.readouterr().out)
    command(["any", "--data", str(tmp_path), "--shifts", "--json"])
    found = json.loads(capsys.readouterr().out)["shifts"]
    assert (found["images"], found["views"]) == (4, {"4CH": 2, "2CH": 2})
    assert found["shifts"]["as is"] == {
        "dice": 1.0,
        "usable": 1.0,
        "views": {view: {"dice": 1.0, "usable": 1.0} for view in ("4CH", "2CH")},
    }
    command(["any", "--data", str(tmp_path), "--shifts"])
    lines = capsys.readouterr().out.splitlines()
    assert [name for name in SHIFTS if any(line.startswith(f"  {name} ") for line in lines)] == list(SHIFTS)
    assert "as is 1.000 100.0 % 1.000 100.0 % 1.000 100.0 %".split() in [line.split() for line in lines]
