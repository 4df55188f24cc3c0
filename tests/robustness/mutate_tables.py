"""Training data whose tables, pictures, masks or recordings lie: every format that a folder can have."""

from __future__ import annotations

import atexit
import csv
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import cv2
import nibabel
import numpy as np
import openpyxl
from scipy.io import savemat

from echo_rt_train.data import open_data, read_all
from echo_rt_train.data.clips import read_clips
from echo_rt_train.data.pictures import COLUMNS
from robustness.changes import damaged, put_in_place_of
from robustness.harness import Case, chance
from support.clips import write_video
from support.shapes import labels_of

SEEDS = 50

FORMATS = ("png", "echonet", "camus", "hmcqu", "hmcqu", "negatives", "folder")

CELLS = [
    "", "-1", "0", "1e999", "nan", "inf", "-inf", "9" * 5000, "x" * 200_000, "1" + "0" * 400, "0x10", "1_000", "٣",
    "\x1b[31mred", "[bold]", "..", "/", "../../../../etc/passwd", "/dev/zero", "a\x00b", "é" * 300, "\ufeff", "\u202e",
    "1.5", "4CH", "10000000000", "TRAIN", "1e-320", "0.0000001", '"', "a,b", "line\nbreak", "True", "2147483648",
]  # fmt: skip


def make(seed: int, folder: Path) -> Case:
    """A data set with one to three changes."""
    draw = chance("tables", seed)
    name = draw.choice(FORMATS)
    root = whole_set(folder, name)
    done = "; ".join(mutate(draw, root) for _ in range(draw.choice([1, 1, 2, 3])))
    return Case(f"{name}: {done}", seed, root)


def run(case: Case) -> object:
    """Open the set and read all of it, leaving out what is bad, and say what was left out."""
    opened = open_data({"root": case.path, "strict": False})
    for split in ("train", "val", "test"):
        samples = [sample for sample in opened._samples if sample.split == split]
        read_all(samples, (32, 32), opened.report)
        list(read_clips([clip for clip in opened._clips if clip.split == split], opened.report))
    said = str(opened.report)
    assert all(line.isprintable() for line in said.splitlines()), said
    return opened.report.to_dict()


def write(path: Path, rows: list[list[object]]) -> None:
    """A table."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def heart(radius: float = 12, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Labels of a small heart."""
    return labels_of(size, 24, radius, 5, (24.0, 30.0))


def _png(root: Path) -> None:
    rows: list[list[object]] = [list(COLUMNS)]
    for patient, split in (("p1", "train"), ("p2", "val")):
        for phase in ("ED", "ES"):
            name = f"{patient}_{phase}"
            cv2.imwrite(str(root / f"{name}.png"), heart() * 60)
            cv2.imwrite(str(root / f"{name}_gt.png"), heart())
            rows.append([patient, split, "4CH", phase, f"{name}.png", 48, 64, "0.3"])
    write(root / "index.csv", rows)


def _folder(root: Path) -> None:
    for part in ("images", "masks"):
        (root / part).mkdir()
    for name in ("p1_4CH_ED", "p2_4CH_ES"):
        cv2.imwrite(str(root / "images" / f"{name}.png"), heart() * 60)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), heart())


def _echonet(root: Path) -> None:
    (root / "Videos").mkdir()
    listed = "FileName EF ESV EDV FrameHeight FrameWidth FPS NumberOfFrames Split".split()
    files: list[list[object]] = [
        [*listed],
        ["A", 55, 40, 90, 48, 64, 50, 4, "TRAIN"],
        ["B", 55, 40, 90, 48, 64, 50, 4, "VAL"],
    ]
    traced: list[list[object]] = [["FileName", "X1", "Y1", "X2", "Y2", "Frame"]]
    for name in ("A", "B"):
        for frame, width in ((1, 8), (3, 12)):
            traced.append([f"{name}.avi", 32, 8, 32, 40, frame])
            traced += [[f"{name}.avi", 32 - width, y, 32 + width, y, frame] for y in (14, 20, 26, 32)]
        write_video(root / "Videos" / f"{name}.avi", np.full((4, 48, 64), 90, np.uint8), 50, "mjpeg", "yuvj420p")
    write(root / "FileList.csv", files)
    write(root / "VolumeTracings.csv", traced)


def _camus(root: Path) -> None:
    folder = root / "patient0001"
    folder.mkdir()
    masks = np.stack([heart(12), heart(10), heart(8)])
    for part, labels in (("ED", masks[:1]), ("ES", masks[2:]), ("half_sequence", masks)):
        for end, frames in (("", labels * 60), ("_gt", labels)):
            stored = frames.transpose(2, 1, 0) if part == "half_sequence" else frames[0].T
            image = nibabel.Nifti1Image(stored.astype(np.uint8), np.diag([-0.3, -0.3, 1, 1]))
            nibabel.save(image, folder / f"patient0001_4CH_{part}{end}.nii.gz")
    (folder / "Info_4CH.cfg").write_text("ED: 1\nES: 3\nNbFrame: 3\nFrameRate: 47.3\n")
    (root / "database_split").mkdir()
    (root / "database_split" / "subgroup_training.txt").write_text("patient0001\n")


def _hmcqu(root: Path) -> None:
    (root / "LV Ground-truth Segmentation Masks").mkdir()
    book = openpyxl.Workbook()
    for row in (["ECHO", "Reference Frame", "End of Cycle"], ["ES1", 2, 4]):
        book.active.append(row)
    book.save(root / "A4C.xlsx")
    write_video(root / "ES1.avi", np.full((6, 48, 64), 90, np.uint8), 25, "mjpeg", "yuvj420p")
    walls = np.stack([heart(radius, (64, 64)) == 2 for radius in (12, 10, 8)]).astype(np.uint8)
    savemat(root / "LV Ground-truth Segmentation Masks" / "Mask_ES1.mat", {"predicted": walls})


def _negatives(root: Path) -> None:
    rows: list[list[object]] = [["file", "source", "organ_or_view", "patient_or_clip"]]
    for name in ("a", "b"):
        cv2.imwrite(str(root / f"{name}.png"), heart() * 60)
        rows.append([f"{name}.png", f"lab {name}", "liver", name])
    write_video(root / "c.avi", np.full((4, 48, 64), 90, np.uint8), 25, "mjpeg", "yuvj420p")
    write(root / "index.csv", [*rows, ["c.avi", "lab c", "PLAX", "c"]])


MAKERS = {
    "png": _png,
    "folder": _folder,
    "echonet": _echonet,
    "camus": _camus,
    "hmcqu": _hmcqu,
    "negatives": _negatives,
}


@cache
def written(name: str) -> Path:
    """A whole set, made once."""
    folder = Path(tempfile.mkdtemp(prefix="echo-rt-sets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    MAKERS[name](folder)
    return folder


def whole_set(folder: Path, name: str) -> Path:
    """A copy of a set."""
    return Path(shutil.copytree(written(name), folder / name))


def mutate(draw: Random, root: Path) -> str:
    """Change a cell, a row, the bytes of a file, or what a file is; what was done."""
    tables = sorted(
        path for path in root.rglob("*") if path.suffix in (".csv", ".xlsx", ".cfg", ".txt") and path.is_file()
    )
    others = sorted(path for path in root.rglob("*.*") if path.is_file())
    what = draw.choice(["cell", "cell", "cell", "bytes", "bytes", "file"])
    if what == "cell" and tables and (path := draw.choice(tables)).suffix == ".csv":
        return f"{path.name}: {_mutate_cell(draw, path)}"
    if what == "cell" and tables and path.suffix == ".xlsx":
        return f"{path.name}: {_mutate_sheet(draw, path)}"
    if not others:
        return "nothing"
    path = draw.choice(tables if what == "cell" and tables else others)
    if what == "file":
        done = put_in_place_of(draw, path, ["missing", "empty", "a folder", "a pipe", "a large picture"])
        return f"{path.name}: {done}"
    done, data = damaged(draw, path.read_bytes())
    path.write_bytes(data)
    return f"{path.name}: {done}"


def _mutate_cell(draw: Random, path: Path) -> str:
    lines = [line.split(",") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()] or [[""]]
    row = draw.choice(lines)
    at = draw.randrange(len(row)) if row else 0
    what = draw.choice(["cell", "cell", "cell", "cell", "row", "column", "doubled"])
    if what == "cell" and row:
        row[at] = draw.choice(CELLS)
        what = ascii(row[at])[:40]
    elif what == "row":
        lines.remove(row)
    elif what == "column" and row:
        del row[at]
    else:
        lines.append(row)
    path.write_text("\n".join(",".join(cells) for cells in lines), encoding="utf-8", errors="replace")
    return f"{what} in column {at}"


def _mutate_sheet(draw: Random, path: Path) -> str:
    """The table of HMC-QU as CSV, which has the same door, with a cell changed."""
    path.unlink()
    table = path.with_suffix(".csv")
    write(table, [["ECHO", "Reference Frame", "End of Cycle"], ["ES1", 2, 4]])
    return _mutate_cell(draw, table)


def corpus(folder: Path) -> Iterator[Case]:
    """What once gave a traceback."""
    cells = [
        ("png", "index.csv", 1, 7, "inf"), ("png", "index.csv", 1, 7, "nan"), ("png", "index.csv", 1, 4, "/"),
        ("png", "index.csv", 1, 4, "a\x00b"), ("png", "index.csv", 1, 4, "é" * 300), ("png", "index.csv", 1, 4, ".."),
        ("png", "index.csv", 1, 0, "\x1b[31m"), ("echonet", "FileList.csv", 1, 4, "inf"),
        ("echonet", "FileList.csv", 1, 5, "1000000000"), ("echonet", "FileList.csv", 1, 7, "nan"),
        ("echonet", "FileList.csv", 1, 6, "inf"), ("echonet", "VolumeTracings.csv", 1, 5, "inf"),
        ("echonet", "VolumeTracings.csv", 1, 1, "1e308"), ("negatives", "index.csv", 1, 0, "é" * 300),
        ("negatives", "index.csv", 3, 0, "../../../../dev/zero"),
    ]  # fmt: skip
    for number, (name, table, line, column, cell) in enumerate(cells):
        root = whole_set(folder / str(number), name)
        rows = [row.split(",") for row in (root / table).read_text().splitlines()]
        rows[line][column] = cell
        (root / table).write_text("\n".join(",".join(row) for row in rows))
        yield Case(f"{table}: {ascii(cell)[:40]} in column {column}", None, root)
    root = whole_set(folder / "frames", "hmcqu")
    (root / "A4C.xlsx").unlink()
    write(root / "A4C.csv", [["ECHO", "Reference Frame", "End of Cycle"], ["ES1", "9" * 400, 4]])
    yield Case("a frame of 400 digits", None, root)
    root = whole_set(folder / "split", "camus")
    (root / "database_split" / "subgroup_training.txt").write_bytes(b"patient0001\xff\n")
    yield Case("a subgroup that is not UTF-8", None, root)
