"""HMC-QU: recordings, wall masks and tables in its format."""

from __future__ import annotations

import csv
import struct
import zlib
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from scipy.io import savemat

from echo_rt.errors import DataError
from echo_rt_train.data import hmcqu_files, open_data, read_all
from echo_rt_train.data.hmcqu import MASKS, fill_cavity
from echo_rt_train.data.hmcqu_files import read_walls
from echo_rt_train.data.sample import SampleError
from support.clips import write_video
from support.shapes import labels_of

SIZE = (180, 240)  # of the recordings; the masks are squares
SQUARE = 224
HEAD = [
    "ECHO",
    "SEG1",
    "SEG2",
    "SEG3",
    "SEG5",
    "SEG6",
    "SEG7",
    "Reference Frame",
    "End of Cycle",
    "LV Wall Ground-truth Segmentation Masks",
]


def wall(radius: float) -> np.ndarray:
    """(224, 224) bool: a horseshoe, open below."""
    return labels_of((SQUARE, SQUARE), 120, radius, 16, (110.0, 170.0), atrium=False) == 2


def write_recording(root: Path, name: str, radii: list[float], **mat) -> None:
    (root / "HMC-QU" / "A4C").mkdir(parents=True, exist_ok=True)
    (root / MASKS).mkdir(exist_ok=True)
    levels = np.arange(12, dtype=np.uint8)[:, None, None] * 20
    write_video(root / "HMC-QU" / "A4C" / f"{name}.avi", np.broadcast_to(levels, (12, *SIZE)), 25, "mjpeg", "yuvj420p")
    savemat(
        root / MASKS / f"Mask_{name}.mat",
        mat or {"predicted": np.stack([wall(radius) for radius in radii]).astype(np.uint8)},
    )


def write_table(root: Path, lines: dict[str, tuple[int, int]], head: list[str] = HEAD, suffix: str = "xlsx") -> None:
    rows = [head, *([name, *["non-MI"] * 6, first, last, "ü"] for name, (first, last) in lines.items())]
    if suffix == "csv":
        with (root / "A4C.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        return
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(root / "A4C.xlsx")


RADII = [40.0, 34, 28, 22, 26, 32]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = [f"ES000{n}_4CH_1" for n in range(1, 5)]
    for name in names:
        write_recording(tmp_path, name, RADII)
    write_table(tmp_path, dict.fromkeys(names, (4, 9)))
    return tmp_path


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_every_traced_frame_comes_with_its_mask(root: Path, suffix: str) -> None:
    (root / "A4C.xlsx").unlink()
    write_table(
        root, {f"ES000{n} _4CH_1": (4, 9) for n in range(1, 5)}, suffix=suffix
    )  # with the stray blank that the tables have
    data = open_data({"root": root, "val_fraction": 0})
    assert data.format == "hmcqu"
    assert not data.report.problems
    one = [s for s in data.samples("train") if s.patient == "ES0001"]
    assert [s.phase for s in one] == ["ED", "other", "other", "ES", "other", "other"]
    for number, sample in enumerate(one):
        image, mask = sample.read()
        assert image.shape == mask.shape == SIZE
        # Frames count from 1 in the table: the first traced one is number 4, index 3.
        assert image.mean() == pytest.approx(20 * (3 + number), abs=3)


def test_masks_are_stretched_back_to_the_recording(root: Path) -> None:
    sample = open_data({"root": root, "val_fraction": 0}).samples("train")[0]
    _, mask = sample.read()
    stretch = SIZE[0] * SIZE[1] / SQUARE**2
    truth = labels_of((SQUARE, SQUARE), 120, 40, 16, (110.0, 170.0), atrium=False)
    assert (mask == 2).sum() == pytest.approx(stretch * (truth == 2).sum(), rel=0.02)
    assert (mask == 1).sum() == pytest.approx(stretch * (truth == 1).sum(), rel=0.02)


def test_the_cavity_is_what_the_wall_encloses_up_to_its_ends() -> None:
    truth = labels_of((SQUARE, SQUARE), 120, 40, 16, (110.0, 170.0), angle_deg=14, atrium=False)
    filled = fill_cavity(truth == 2)
    np.testing.assert_array_equal(filled == 2, truth == 2)
    assert (filled == 1).sum() == pytest.approx((truth == 1).sum(), rel=0.02)
    assert ((filled == 1) & (truth == 1)).sum() > 0.98 * (truth == 1).sum()


def test_without_the_filling_the_wall_alone_is_known(root: Path) -> None:
    filled, bare = (
        open_data({"root": root, "val_fraction": 0, "fill_cavity": fill}).samples("train")[0] for fill in (True, False)
    )
    assert (filled.known, bare.known) == ((1, 2), (2,))
    assert set(np.unique(bare.read()[1])) == {0, 2}


def test_the_cycle_is_a_clip(root: Path) -> None:
    clip = next(c for c in open_data({"root": root, "val_fraction": 0}).clips("train") if c.patient == "ES0001")
    whole = clip.read()
    assert whole.traced.all()
    np.testing.assert_allclose(whole.frames.mean(axis=(1, 2)), 20 * np.arange(3, 9), atol=3)
    np.testing.assert_allclose(np.diff(whole.t_s), 1 / 25)
    assert np.argmin([(m == 1).sum() for m in whole.masks]) == 3
    part = clip.read(4, 9)
    np.testing.assert_array_equal(part.masks, whole.masks[4:])
    np.testing.assert_array_equal(part.frames, whole.frames[4:])


def test_both_recordings_of_a_patient_are_in_one_split(tmp_path: Path) -> None:
    names = [f"ES{n:04}_4CH_{take}" for n in range(12) for take in (1, 2)]
    for name in names:
        write_recording(tmp_path, name, [30.0, 20.0])
    write_table(tmp_path, dict.fromkeys(names, (1, 2)))
    data = open_data({"root": tmp_path, "val_fraction": 0.4})
    train, val = ({s.patient for s in data.samples(split)} for split in ("train", "val"))
    assert not train & val
    assert len(train | val) == 12


def test_what_is_wrong_is_named_and_the_rest_is_used(root: Path) -> None:
    folder = root / MASKS
    (root / "HMC-QU" / "A4C" / "ES0001_4CH_1.avi").unlink()
    savemat(folder / "Mask_ES0002_4CH_1.mat", {"predicted": np.stack([wall(30)] * 5).astype(np.uint8)})
    # What MATLAB's -v7.3 writes: HDF5 behind a header that says version 2.
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (folder / "Mask_ES0003_4CH_1.mat").write_bytes(header + b"\0" * 400)
    write_recording(root, "ES0005_4CH_1", RADII)
    write_recording(root, "ES0006_4CH_1", [], masks=np.zeros((6, 4, 4)))
    write_recording(root, "ES0007_4CH_1", [], predicted=np.full((6, 224, 224), 255))
    write_recording(root, "ES0008_4CH_1", [], predicted=np.zeros((6, 224, 224)))
    write_table(root, {f"ES000{n}_4CH_1": (4, 9) for n in (1, 2, 3, 4, 6, 7, 8)})
    data = open_data({"root": root, "val_fraction": 0})
    assert data.report.counts == {
        "missing file": 1,
        "masks and frames that do not pair": 1,
        "unreadable file": 2,
        "unlisted clip": 1,
        "unknown labels": 1,
        "empty mask": 1,
    }
    text = str(data.report)
    assert "expected 6 masks for frames 4 to 9 (A4C.xlsx), found 5" in text
    assert "found version 7.3; in MATLAB, save it with '-v7'" in text
    assert "expected predicted of (frames, height, width), found none" in text
    assert {s.patient for s, _ in read_all(data.samples("train"), data.report)} == {"ES0004"}


def packed(element: bytes) -> bytes:
    """An element of a MAT-file, packed as MATLAB does."""
    data = zlib.compress(element)
    return struct.pack("<2I", 15, len(data)) + data


def test_masks_that_are_packed_are_read_and_those_that_unpack_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, walls = tmp_path / "Mask_a.mat", np.stack([wall(30), wall(20)])
    for compress in (True, False):
        savemat(path, {"other": "text", "predicted": walls.astype(np.uint8)}, do_compression=compress)
        np.testing.assert_array_equal(read_walls(path), walls)
    savemat(path, {"predicted": walls[0].astype(np.float64)}, format="4")
    with pytest.raises(SampleError, match="expected predicted"):
        read_walls(path)  # version 4 has two dimensions at most
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    monkeypatch.setattr(hmcqu_files, "UNPACKED_BYTES", 2**20)
    path.write_bytes(head + packed(struct.pack("<2I", 14, 2**32 - 1) + bytes(2**20)))
    assert path.stat().st_size < 2000
    with pytest.raises(SampleError, match="expected at most 1,048,576 bytes of masks, found more"):
        read_walls(path)
    path.write_bytes(head + 9 * packed(bytes(2**17)))
    with pytest.raises(SampleError, match="expected at most"):
        read_walls(path)


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 16, 17])
def test_masks_of_a_kind_that_holds_parts_are_refused_before_room_is_made_for_them(tmp_path: Path, kind: int) -> None:
    name = struct.pack("<2I", 1, 9) + b"predicted".ljust(16, b"\0")
    flags, sizes = struct.pack("<4I", 6, 8, kind, 0), struct.pack("<2I3i", 5, 12, 2**10, 2**10, 2**10) + bytes(4)
    array = flags + sizes + name
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "Mask_a.mat").write_bytes(head + packed(struct.pack("<2I", 14, len(array)) + array))
    with pytest.raises(SampleError, match=r"expected (predicted|a .mat file)"):
        read_walls(tmp_path / "Mask_a.mat")


def test_a_recording_shorter_than_its_cycle_is_named(root: Path) -> None:
    write_table(root, {"ES0001_4CH_1": (4, 9), "ES0002_4CH_1": (10, 15)})
    data = open_data({"root": root, "val_fraction": 0})
    assert len([s for s, _ in read_all(data.samples("train"), data.report)]) == 6 + 3
    assert data.report.counts["unreadable video"] == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: (r / "A4C.xlsx").unlink(), "expected A4C.xlsx or A4C.csv with the first and last frame"),
        (
            lambda r: (r / "A4C.xlsx").write_bytes(b"PK nonsense"),
            r"A4C.xlsx: expected an Excel file.*save it as A4C.csv",
        ),
        (
            lambda r: write_table(r, {}, ["ECHO", "SEG1"]),
            r"A4C.xlsx: expected the columns ECHO, Reference Frame and End of Cycle",
        ),
        (lambda r: write_table(r, {}, ["NAME", "SEG1"]), r"A4C.xlsx: expected a column ECHO"),
        (lambda r: [p.unlink() for p in (r / MASKS).iterdir()], "Mask_.* of HMC-QU, found none"),
    ],
)  # fmt: skip
def test_a_wrong_folder_is_refused_in_one_line(root: Path, spoil, message: str) -> None:
    spoil(root)
    with pytest.raises(DataError, match=message) as error:
        open_data({"root": root, "format": "hmcqu"})
    assert "\n" not in str(error.value)


def test_titles_in_two_rows_are_understood(root: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["ECHO", "Segments", "", "One cardiac cycle", ""])
    book.active.append(["", "SEG1", "SEG2", "Reference Frame", "End of Cycle"])
    book.active.append(["ES0001_4CH_1", "MI", "MI", 4, 9])
    book.save(root / "A4C.xlsx")
    assert {s.patient for s in open_data({"root": root, "val_fraction": 0}).samples("train")} == {"ES0001"}
