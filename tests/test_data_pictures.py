"""The PNG form, plain folders, and the door that opens all data sets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from echo_rt.errors import DataError
from echo_rt_train.data import COLUMNS, Sample, grey_statistics, hash_split, on_grid, open_data, read_all
from echo_rt_train.data.specks import without_specks
from support.shapes import labels_of

SIZE = (100, 120)


def write_pair(image: Path, mask: Path, radius: float = 20) -> None:
    labels = labels_of(SIZE, 50, radius, 7, (55.0, 65.0))
    for path, picture in ((image, labels * 60), (mask, labels)):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    rows = [COLUMNS]
    for patient, split in (("p1", "train"), ("p2", "train"), ("p3", "val")):
        for phase in ("ED", "ES"):
            name = f"{patient}_{phase}"
            write_pair(tmp_path / f"{name}.png", tmp_path / f"{name}_gt.png")
            rows.append((patient, split, "4CH", phase, f"{name}.png", "100", "120", "0.3"))
    with (tmp_path / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return tmp_path


def spoil_three(png: Path) -> None:
    """A file missing, a mask of another size, an empty mask: three images of patients p1 and p2."""
    (png / "p1_ED_gt.png").unlink()
    cv2.imwrite(str(png / "p1_ES_gt.png"), np.ones((9, 9), np.uint8))
    cv2.imwrite(str(png / "p2_ED_gt.png"), np.zeros(SIZE, np.uint8))


def test_camus_has_the_pairs_and_patients_that_its_readme_says(camus: Path) -> None:
    data = open_data({"root": camus})
    train, val = data.samples("train"), data.samples("val")
    assert len(train) + len(val) == 1796
    for view in ("4CH", "2CH"):
        assert len({s.patient for s in train if s.view == view}) == 399
        assert len({s.patient for s in val if s.view == view}) == 50
    assert not {s.patient for s in train} & {s.patient for s in val}
    assert not data.report.problems


def test_the_png_form_is_strict_unless_told_otherwise(png: Path) -> None:
    spoil_three(png)
    with pytest.raises(DataError, match=r"files it names are missing, the first is .*p1_ED_gt.png"):
        open_data({"root": png})
    data = open_data({"root": png, "strict": False})
    assert [s.name for s, _ in read_all(data.samples("train"), data.report)] == [str(png / "p2_ES.png")]
    assert data.report.counts == {"missing file": 1, "mask of another size": 1, "empty mask": 1}
    assert json.loads(json.dumps(data.report.to_dict()))["kinds"]["mask of another size"]["examples"] == [
        f"{png / 'p1_ES.png'}: expected a mask of the image's size (100, 120), found (9, 9); export the pair again"
    ]


def test_a_strict_set_ends_at_the_first_bad_image_and_says_which(png: Path) -> None:
    cv2.imwrite(str(png / "p1_ES_gt.png"), np.full(SIZE, 7, np.uint8))
    data = open_data({"root": png})
    with pytest.raises(DataError, match=r"p1_ES.png: expected labels 0 to 3, found 7 in the mask; .*data.strict=false"):
        list(read_all(data.samples("train"), data.report))


def test_nothing_left_is_an_error(png: Path) -> None:
    spoil_three(png)
    cv2.imwrite(str(png / "p2_ES_gt.png"), np.zeros(SIZE, np.uint8))
    data = open_data({"root": png, "strict": False})
    with pytest.raises(DataError, match=r"expected images that can be used, found none; .*2 x empty mask"):
        list(read_all(data.samples("train"), data.report))


def test_a_picture_without_a_ventricle_may_have_an_empty_mask(png: Path) -> None:
    index = png / "index.csv"
    index.write_text(index.read_text().replace("p1,train,4CH,ED", "p1,train,other,ED"))
    cv2.imwrite(str(png / "p1_ED_gt.png"), np.zeros(SIZE, np.uint8))
    data = open_data({"root": png, "views": ["4CH", "other"]})
    assert len(list(read_all(data.samples("train"), data.report))) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("p2,train,4CH,ES", "p2,val,4CH,ES", "index.csv: expected each patient in one split, found p2 in two"),
        (
            "p2,train,4CH,ES",
            "p2,dev,4CH,ES",
            "index.csv: expected the split of p2 to be one of train, val, test, found 'dev'",
        ),
        ("100,120,0.3", "100,120,wide", "index.csv: expected a number for spacing_mm in line 2, found 'wide'"),
        ("100,120,0.3", "100,120,-1", "index.csv: expected spacing_mm above 0 to 1000 or empty in line 2"),
        ("phase,", "moment,", "index.csv: expected the columns .*phase not found"),
    ],
)  # fmt: skip
def test_an_index_that_is_wrong_is_refused_in_one_line(png: Path, old: str, new: str, message: str) -> None:
    index = png / "index.csv"
    index.write_text(index.read_text().replace(old, new))
    with pytest.raises(DataError, match=message) as error:
        open_data({"root": png})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", ["images and masks", "_gt", "_mask"])
def test_a_plain_folder_is_split_by_patient(tmp_path: Path, layout: str) -> None:
    for patient in range(30):
        for take in ("A4C_ED", "A2C_es"):
            stem = f"case{patient}_{take}"
            if layout == "images and masks":
                write_pair(tmp_path / "images" / f"{stem}.png", tmp_path / "masks" / f"{stem}.png")
            else:
                write_pair(tmp_path / f"{stem}.png", tmp_path / f"{stem}{layout}.png")
    data = open_data({"root": tmp_path, "format": "folder", "val_fraction": 0.3})
    train, val = data.samples("train"), data.samples("val")
    assert len(train) + len(val) == 60
    assert not {s.patient for s in train} & {s.patient for s in val}
    assert {(s.view, s.phase) for s in train} == {("4CH", "ED"), ("2CH", "ES")}


def test_a_plain_folder_names_what_does_not_pair(tmp_path: Path) -> None:
    for stem in ("a_1", "b_1", "c_1"):
        write_pair(tmp_path / "images" / f"{stem}.png", tmp_path / "masks" / f"{stem}.png")
    (tmp_path / "images" / "a_1.png").unlink()
    (tmp_path / "masks" / "b_1.png").unlink()
    data = open_data({"root": tmp_path, "val_fraction": 0})
    assert data.format == "folder"
    assert [s.patient for s in data.samples("train")] == ["c"]
    assert data.report.counts == {"missing file": 2}
    with pytest.raises(DataError, match=r"a_1.png: expected an image of the same name, found none \(and 1 more"):
        open_data({"root": tmp_path, "strict": True})


def test_an_index_beside_a_plain_folder_goes_before_the_names(tmp_path: Path) -> None:
    for stem in ("x_4CH_ED", "y_4CH_ED"):
        write_pair(tmp_path / f"{stem}.png", tmp_path / f"{stem}_mask.png")
    (tmp_path / "index.csv").write_text("file,patient,split,view,spacing_mm\nx_4CH_ED.png,anna,val,2CH,0.25\n")
    data = open_data({"root": tmp_path, "format": "folder", "val_fraction": 0})
    (val,) = data.samples("val")
    assert (val.patient, val.view, val.phase, val.spacing_mm) == ("anna", "2CH", "ED", (0.25, 0.25))
    assert [s.patient for s in data.samples("train")] == ["y"]


def test_masks_of_other_values_are_translated_and_only_those_labels_are_known(tmp_path: Path) -> None:
    write_pair(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png")
    labels = cv2.imread(str(tmp_path / "masks" / "a.png"), cv2.IMREAD_UNCHANGED)
    colour = np.repeat((labels * 50)[..., None], 3, axis=2)
    cv2.imwrite(str(tmp_path / "images" / "a.png"), colour)
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), np.where(labels == 1, 255, 0).astype(np.uint8))
    options = {"root": tmp_path, "val_fraction": 0}
    with pytest.raises(DataError, match="expected labels 0 to 3, found 255"):
        open_data(options).samples("train")[0].read()
    (sample,) = open_data({**options, "labels": {255: 1}}).samples("train")
    image, mask = sample.read()
    np.testing.assert_array_equal(mask == 1, labels == 1)
    np.testing.assert_array_equal(image, labels * 50)
    assert sample.known == (1,)
    with pytest.raises(DataError, match=r"a.png: expected values 0, 200, found 255; see data.labels"):
        open_data({**options, "labels": {200: 1}}).samples("train")[0].read()


def test_of_the_training_patients_each_is_held_out_once_and_the_judges_of_the_data_set_never_take_part(
    png: Path,
) -> None:
    judged = []
    for part in ("1/2", "2/2"):
        data = open_data({"root": png, "hold_out": part})
        train, val = ({sample.patient for sample in data.samples(split)} for split in ("train", "val"))
        assert train | val == {"p1", "p2"}
        assert not train & val
        judged += sorted(val)
    assert judged == ["p1", "p2"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "data.root: expected the folder of the data set, found none"),
        ({"root": "???"}, "data.root: expected the folder of the data set, found none"),
        ({"root": "nowhere"}, "nowhere: expected the folder of a data set, found none"),
        ({"root": "."}, r"expected a data folder with index.csv, found none; nor FileList.csv"),
        ({"root": ".", "format": "dicom"}, "data.format: expected auto, phantom, negatives, png, .*found 'dicom'"),
        ({"root": ".", "views": ["A4C"]}, "data.views: expected some of 4CH, 2CH, other, found 'A4C'"),
        ({"root": ".", "val_fraction": 2}, "data.val_fraction: expected a share from 0 to 1, found 2"),
        ({"root": ".", "hold_out": "5/4"}, "data.hold_out: expected K/N, such as 2/4, .*found '5/4'"),
        ({"root": ".", "hold_out": "half"}, "data.hold_out: expected K/N, such as 2/4, .*found 'half'"),
        (
            {"format": "phantom", "hold_out": "1/2"},
            "data.hold_out: expected a data set with patients, found format=phantom",
        ),
        ({"root": ".", "val_fraction": "some"}, "data: expected values as in conf/train.yaml"),
        ({"root": ".", "labels": {255: 9}}, "data.labels: .*found 255: 9"),
        ({"root": ".", "speed": 1}, "data: expected root, .*found speed"),
        ({"format": "phantom", "phantom": {"samples": 0}}, "data.phantom: expected whole numbers from 1"),
        ({"format": "phantom", "phantom": {"hearts": 3}}, "data: expected values as in conf/train.yaml, .*hearts"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for given_as in (config, OmegaConf.create(config)):  # as a program and as Hydra give it
        if given_as is config and config.get("root") == "???":
            continue
        with pytest.raises(DataError, match=message) as error:
            open_data(given_as)
        assert "\n" not in str(error.value)


def test_mean_and_deviation_are_those_of_all_pixels_on_the_grid(png: Path) -> None:
    samples = open_data({"root": png}).samples("train")
    pixels = np.stack([on_grid(sample, (64, 64))[0] for sample in samples])
    assert grey_statistics(samples, (64, 64)) == pytest.approx((pixels.mean(), pixels.std()))
    assert grey_statistics(samples, (64, 64), limit=1) == pytest.approx((pixels[0].mean(), pixels[0].std()))
    black = Sample("p", "train", "4CH", "ED", "black", lambda: (np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8)))
    with pytest.raises(DataError, match="images with contrast"):
        grey_statistics([black], (8, 8))


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_hashed_split_only_moves_to_val_when_the_share_grows(patient: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert hash_split(patient, low) == hash_split(patient, low)
    if hash_split(patient, low) == "val":
        assert hash_split(patient, high) == "val"
    assert hash_split(patient, 0) == "train"
    assert hash_split(patient, 1) == "val"


def test_a_hashed_split_is_the_same_for_ever_and_has_the_share_that_was_asked_for() -> None:
    assert [hash_split(f"patient{n:04}", 0.5) for n in range(6)] == ["train", "train", "train", "train", "val", "val"]
    share = np.mean([hash_split(str(n), 0.2) == "val" for n in range(5000)])
    assert share == pytest.approx(0.2, abs=0.02)


def test_specks_that_resizing_left_take_the_label_around_them_and_real_pieces_stay() -> None:
    clean = np.zeros((60, 60), np.uint8)
    clean[10:50, 10:40], clean[20:50, 18:32] = 2, 1
    clean[5:9, 45:57] = 2  # a second piece of wall, a twentieth of it and more
    dirty = clean.copy()
    dirty[10:50:4, 10], dirty[12, 25], dirty[30, 25], dirty[55, 5] = 1, 1, 2, 3
    found = without_specks(dirty)
    assert (found[12, 25], found[30, 25], found[5, 50]) == (2, 1, 2)
    assert (found != clean).sum() <= 11, "only what lies at the outer rim may go either way"
    assert (found[10:50, 10] != 1).all()
    assert without_specks(clean) is clean
