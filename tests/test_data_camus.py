"""CAMUS as published: NIfTI files, written here as its authors write them."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.data import open_data, read_all, read_clips
from support.shapes import labels_of

SIZE = (90, 120)  # height, width


def write_nifti(path: Path, frames: np.ndarray, zooms: tuple[float, float] = (0.3, 0.3)) -> None:
    """(H, W) or (N, H, W) as NIfTI stores it: x first, then y, then time; zooms are those of x and y."""
    stored = frames.transpose(*range(frames.ndim)[::-1])
    image = nibabel.Nifti1Image(stored, np.diag([-zooms[0], -zooms[1], 1, 1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def heart(radius: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    return labels_of(size, 40, radius, 7, (50.0, 55.0))


def write_patient(root: Path, name: str, views: tuple[str, ...] = ("4CH", "2CH"), **changes) -> Path:
    folder = root / "database_nifti" / name
    for view in views:
        for phase, radius in (("ED", 18), ("ES", 12)):
            mask = heart(radius)
            write_nifti(
                folder / f"{name}_{view}_{phase}.nii.gz",
                (mask * 60 + np.arange(SIZE[1]) % 7).astype(np.uint8),
                **changes,
            )
            write_nifti(folder / f"{name}_{view}_{phase}_gt.nii.gz", mask, **changes)
        masks = np.stack([heart(radius) for radius in np.linspace(18, 12, 5)])
        write_nifti(folder / f"{name}_{view}_half_sequence.nii.gz", (masks * 60).astype(np.uint8), **changes)
        write_nifti(folder / f"{name}_{view}_half_sequence_gt.nii.gz", masks, **changes)
        info = "ED: 1\nES: 5\nNbFrame: 5\nSex: F\nAge: 56\nImageQuality: Good\nEF: 56\nFrameRate: 47.3\n"
        (folder / f"Info_{view}.cfg").write_text(info)
    return folder


def write_splits(root: Path, **patients: str) -> None:
    folder = root / "database_split"
    folder.mkdir()
    for name, text in patients.items():
        (folder / f"subgroup_{name}.txt").write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_patient(tmp_path, f"patient000{number}")
    write_splits(tmp_path, training="patient0001\n", validation="patient0002\n", testing="patient0003\n")
    return tmp_path


def test_images_and_masks_come_out_in_rows_and_columns(root: Path) -> None:
    data = open_data({"root": root})
    assert data.format == "camus"
    assert not data.report.problems
    ed, es = (next(s for s in data.samples("train") if (s.view, s.phase) == ("4CH", p)) for p in ("ED", "ES"))
    image, mask = ed.read()
    np.testing.assert_array_equal(mask, heart(18))
    np.testing.assert_array_equal(image, heart(18) * 60 + np.arange(SIZE[1]) % 7)
    assert (es.read()[1] == 1).sum() < (mask == 1).sum()
    assert ed.spacing_mm == pytest.approx((0.3, 0.3))


def test_the_official_split_decides(root: Path) -> None:
    data = open_data({"root": root})
    assert [{s.patient for s in data.samples(split)} for split in ("train", "val", "test")] == [
        {"patient0001"},
        {"patient0002"},
        {"patient0003"},
    ]
    assert len(data.samples("train")) == 4
    assert len(open_data({"root": root, "views": ["2CH"]}).samples("train")) == 2


def test_a_patient_in_two_subgroups_is_refused(root: Path) -> None:
    (root / "database_split" / "subgroup_testing.txt").write_text("patient0003\npatient0001\n")
    with pytest.raises(
        DataError, match=r"subgroup_testing.txt: expected each patient in one split, found patient0001 in two"
    ):
        open_data({"root": root})


def test_a_patient_in_no_subgroup_is_left_out_and_named(root: Path) -> None:
    (root / "database_split" / "subgroup_testing.txt").write_text("")
    data = open_data({"root": root})
    assert data.report.counts == {"no split": 1}
    with pytest.raises(DataError, match="split 'test'"):
        data.samples("test")


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    write_patient(tmp_path, "patient0001", ("4CH",), zooms=(0.3, 0.15))
    write_splits(tmp_path, training="patient0001")
    sample = open_data({"root": tmp_path}).samples("train")[0]
    image, mask = sample.read()
    assert image.shape == mask.shape == (90, 240)
    assert sample.spacing_mm == pytest.approx((0.15, 0.15))
    for label in (1, 2, 3):
        assert (mask == label).sum() == 2 * (heart(18) == label).sum()


def test_half_sequences_are_clips_with_a_mask_in_every_frame(root: Path) -> None:
    clip = next(c for c in open_data({"root": root}).clips("train") if c.view == "4CH")
    whole = clip.read()
    assert clip.frames == len(whole.frames) == 5
    assert whole.traced.all()
    np.testing.assert_allclose(whole.t_s, np.arange(5) / 47.3)
    areas = [(mask == 1).sum() for mask in whole.masks]
    assert areas == sorted(areas, reverse=True)
    part = clip.read(2, 2)
    np.testing.assert_array_equal(part.frames, whole.frames[2:4])
    np.testing.assert_array_equal(part.masks, whole.masks[2:4])
    np.testing.assert_array_equal(part.t_s, whole.t_s[2:4])


def test_files_that_are_bad_are_named_and_the_rest_is_used(root: Path) -> None:
    one = root / "database_nifti" / "patient0001"
    (one / "patient0001_4CH_ED_gt.nii.gz").unlink()
    write_nifti(one / "patient0001_4CH_ES_gt.nii.gz", np.zeros((50, 60), np.uint8))
    (one / "patient0001_2CH_ED.nii.gz").write_bytes(b"not a picture")
    (one / "Info_2CH.cfg").write_text("ED: 1\nES: 5\n")
    data = open_data({"root": root})
    assert data.report.counts == {
        "missing file": 1,
        "mask of another size": 1,
        "unreadable file": 1,
        "clip without a clock": 1,
    }
    text = str(data.report)
    for name in (
        "patient0001_4CH_ED_gt.nii.gz",
        r"size (90, 120), found (50, 60)",
        "patient0001_2CH_ED.nii.gz",
        "Info_2CH.cfg",
    ):
        assert name in text
    assert [(s.view, s.phase) for s in data.samples("train")] == [("2CH", "ES")]
    assert [c.view for c in data.clips("train")] == ["4CH"]


def test_damage_behind_the_header_is_found_when_the_images_are_read(root: Path) -> None:
    one = root / "database_nifti" / "patient0001"
    damaged = one / "patient0001_4CH_ED.nii.gz"
    damaged.write_bytes(gzip.compress(gzip.decompress(damaged.read_bytes())[:2000]))
    write_nifti(one / "patient0001_4CH_ES_gt.nii.gz", np.zeros(SIZE, np.uint8))
    write_nifti(one / "patient0001_2CH_ED_gt.nii.gz", np.full(SIZE, 9, np.uint8))
    write_nifti(one / "patient0001_4CH_half_sequence_gt.nii.gz", np.zeros((3, *SIZE), np.uint8))
    data = open_data({"root": root})
    assert not data.report.problems
    assert [(s.view, s.phase) for s, _ in read_all(data.samples("train"), data.report)] == [("2CH", "ES")]
    assert [c.view for c, _ in read_clips(data.clips("train"), data.report)] == ["2CH"]
    assert data.report.counts == {"unreadable file": 1, "empty mask": 1, "unknown labels": 1, "mask of another size": 1}


def test_a_folder_without_patients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected folders patient0001"):
        open_data({"root": tmp_path, "format": "camus"})
