"""Folders of images and masks: the PNG form with its index.csv, and plain folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from echo_rt.checked import shown
from echo_rt.errors import DataError
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import LABELS, Pair, Sample, SampleError
from echo_rt_train.data.specks import without_specks
from echo_rt_train.data.splits import check_splits, hash_split
from echo_rt_train.data.tables import Row, is_file, number, read_table

COLUMNS = ("patient", "split", "view", "phase", "file", "height", "width", "spacing_mm")
SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
MOST_PIXELS, MOST_MM = 2**26, 1000
MASK_ENDINGS = ("_gt", "_mask")


@dataclass(frozen=True)
class PictureFiles:
    """Reads an image and its mask from two files; specks in the mask are taken out, see `echo_rt_train.data.specks`.

    Attributes:
        image, mask: the files.
        colour: take the luma of a colour image; otherwise one is refused.
        values: what the values in the mask file stand for, as pairs (value, label); empty: they are labels.
    """

    image: Path
    mask: Path
    colour: bool = False
    values: tuple[tuple[int, int], ...] = ()

    def __call__(self) -> Pair:
        image, mask = read_grey(self.image, self.colour), read_grey(self.mask, False)
        return image, without_specks(mask if not self.values else self._labels(mask))

    def _labels(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        table = np.full(256, 255, np.uint8)
        table[0] = 0
        for value, label in self.values:
            table[value] = label
        labels = table[mask]
        if 255 in labels:
            strange = int(mask[labels == 255][0])
            expected = ", ".join(str(v) for v in sorted({0, *(v for v, _ in self.values)}))
            raise SampleError(
                f"{self.mask}: expected values {expected}, found {strange}; see data.labels", "unknown labels"
            )
        return labels


def read_grey(path: Path, colour: bool) -> NDArray[np.uint8]:
    """An 8-bit image file as (H, W) uint8; a colour one, if allowed, as its BT.601 luma.

    Raises:
        SampleError: it is missing, no picture, or of another kind.
    """
    image = decoded(path, cv2.IMREAD_UNCHANGED)
    if image is None:
        there = path.exists()
        found = "an unreadable file" if there else "no file"
        raise SampleError(
            f"{path}: expected a readable image, found {found}", "unreadable file" if there else "missing file"
        )
    if colour and image.ndim == 3 and image.dtype == np.uint8:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY if image.shape[2] == 4 else cv2.COLOR_BGR2GRAY)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise SampleError(f"{path}: expected 8-bit grey, found {image.shape} {image.dtype}; save it as such")
    return image.astype(np.uint8, copy=False)


def decoded(path: Path, flag: int) -> NDArray[Any] | None:
    """The picture as `cv2.imread` gives it; None where there is none that can be read.

    Raises:
        SampleError: it has more than `MOST_PIXELS`.
    """
    if not is_file(path):  # OpenCV would print a warning of its own, and wait for a pipe
        return None
    if _pixels_of(path) > MOST_PIXELS:
        raise SampleError(f"{path}: expected at most {MOST_PIXELS} pixels, found more; make it smaller")
    try:
        return cv2.imread(str(path), flag)
    except cv2.error:  # a header that OpenCV does not believe
        return None


def _pixels_of(path: Path) -> int:
    """Rows times columns by the header; 0 where it cannot be read, and OpenCV says why."""
    try:
        with Image.open(path) as picture:
            return picture.width * picture.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return MOST_PIXELS + 1 if isinstance(error, Image.DecompressionBombError) else 0


def read_index(root: Path, report: DataReport | None = None) -> list[Sample]:
    """All samples of the PNG form: ``index.csv`` (columns as in `COLUMNS`); the mask of ``a.png`` is ``a_gt.png``.

    Args:
        root: the folder.
        report: where files that are missing are noted; without it they are an error.

    Raises:
        DataError: no index, wrong columns, a listed file that is missing, or one patient in two splits.
    """
    index = root / "index.csv"
    if not index.is_file():
        raise DataError(f"{index}: expected a data folder with index.csv, found none")
    samples = []
    lost: list[Path] = []
    for line, row in enumerate(read_table(index, COLUMNS), 2):
        image = root / row["file"]
        mask = image.parent / f"{image.stem}_gt.png"
        if missing := [path for path in (image, mask) if not is_file(path)]:
            lost += missing
            if report is not None:
                report.add("missing file", f"{index}: expected {missing[0]} of line {line}, found no such file")
            continue
        files, spacing = PictureFiles(image, mask), _spacing(index, line, row)
        samples.append(Sample(row["patient"], row["split"], row["view"], row["phase"], str(image), files, spacing))
    if lost and (report is None or report.strict):
        raise DataError(f"{index}: {len(lost)} of the files it names are missing, the first is {lost[0]}")
    check_splits(samples, index)
    return samples


def _spacing(index: Path, line: int, row: Row) -> tuple[float, float] | None:
    if not row.get("spacing_mm"):
        return None
    spacing = number(index, line, "spacing_mm", row["spacing_mm"])
    if not 0 < spacing <= MOST_MM:
        found = f"found {shown(row['spacing_mm'])}"
        raise DataError(f"{index}: expected spacing_mm above 0 to {MOST_MM} or empty in line {line}, {found}")
    return spacing, spacing


def read_folder(
    root: Path,
    report: DataReport,
    val_fraction: float = 0.1,
    patient: str = "^[^_]+",
    labels: Mapping[int, int] | None = None,
) -> list[Sample]:
    """All samples of a plain folder: ``images/`` and ``masks/`` with equal stems, or ``a.png`` beside ``a_gt.png`` or
    ``a_mask.png``.

    An ``index.csv`` is optional and may have any of the columns patient, split, view, phase and spacing_mm beside
    ``file``, the image's name or path in the folder. What it does not say comes from the file's name (4CH, A4C, 2CH,
    A2C; ED, ES), and the split from a hash of the patient.

    Args:
        root: the folder.
        report: where images without a mask, and masks without an image, are noted.
        val_fraction: share of the patients that judge.
        patient: regular expression that finds the patient in an image's stem: its first group, or all of it.
        labels: what the values in the masks stand for, such as {255: 1}; None: they are labels.

    Raises:
        DataError: there is no pair at all, a name without a patient, or one patient in two splits.
    """
    known = tuple(sorted(set(labels.values()) - {0})) if labels else LABELS
    index = root / "index.csv"
    said = (
        {Path(row["file"]).stem: (line, row) for line, row in enumerate(read_table(index, ("file",)), 2)}
        if index.is_file()
        else {}
    )
    samples = []
    for image, mask in _pairs(root, report):
        line, row = said.get(image.stem, (0, {}))
        name = row.get("patient") or _patient(image, patient)
        files = PictureFiles(image, mask, True, tuple((labels or {}).items()))
        split = row.get("split") or hash_split(name, val_fraction)
        view, phase = (row.get(key) or _token(image.stem, key) for key in ("view", "phase"))
        samples.append(Sample(name, split, view, phase, str(image), files, _spacing(index, line, row), known))
    check_splits(samples, index if said else root)
    return samples


def _pairs(root: Path, report: DataReport) -> Iterator[tuple[Path, Path]]:
    if (root / "images").is_dir() and (root / "masks").is_dir():
        images, masks = _by_stem(root / "images"), _by_stem(root / "masks")
        for ending in MASK_ENDINGS:  # masks/a_gt.png for images/a.png
            masks = {stem.removesuffix(ending): path for stem, path in masks.items()}
    else:
        found = _by_stem(root)
        masks = {stem.removesuffix(e): path for e in MASK_ENDINGS for stem, path in found.items() if stem.endswith(e)}
        images = {stem: path for stem, path in found.items() if not stem.endswith(MASK_ENDINGS)}
    if not images.keys() & masks.keys():
        raise DataError(
            f"{root}: expected images/ and masks/ with equal names, or a.png beside a_gt.png or a_mask.png; "
            f"found {len(images)} images "
            f"and {len(masks)} masks that do not pair"
        )
    for stem in sorted(images.keys() | masks.keys()):
        if stem in images and stem in masks:
            yield images[stem], masks[stem]
        elif stem in images:
            report.add("missing file", f"{images[stem]}: expected a mask of the same name, found none")
        else:
            report.add("missing file", f"{masks[stem]}: expected an image of the same name, found none")


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _patient(image: Path, pattern: str) -> str:
    found = re.search(pattern, image.stem)
    if not found or not (name := found[1] if found.re.groups else found[0]):
        raise DataError(f"{image}: expected a name in which data.patient={pattern!r} finds the patient, found none")
    return name


_TOKENS = {
    "view": {"4CH": "4CH", "A4C": "4CH", "2CH": "2CH", "A2C": "2CH", "OTHER": "other", "": "4CH"},
    "phase": {"ED": "ED", "ES": "ES", "": "other"},
}
"""What words in a file's name say; the empty one is what is taken where they say nothing."""


def _token(stem: str, key: str) -> str:
    words = re.split(r"[^A-Z0-9]+", stem.upper())
    return next((meaning for word, meaning in _TOKENS[key].items() if word in words), _TOKENS[key][""])
