"""Images with masks for training and evaluation, and their place on the network's grid."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.engine.preprocess import coverage, reference
from echo_rt.errors import DataError
from echo_rt.model import CLASSES
from echo_rt.segmentation import GridMap

COLUMNS = ("patient", "split", "view", "phase", "file", "height", "width", "spacing_mm")


@dataclass(frozen=True)
class Sample:
    """One image and its mask, not yet read.

    Attributes:
        patient, split, view, phase: as in index.csv; view 4CH or 2CH, phase ED or ES.
        image_path, mask_path: 8-bit grey PNGs of one size; the mask holds labels 0 to 3.
        spacing_mm: height and width of a pixel, or None where unknown.
    """

    patient: str
    split: str
    view: str
    phase: str
    image_path: Path
    mask_path: Path
    spacing_mm: tuple[float, float] | None

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The image and the mask, both (H, W) uint8.

        Raises:
            DataError: a file is missing, is no picture, or the two do not fit each other.
        """
        image, mask = _read_grey(self.image_path), _read_grey(self.mask_path)
        if image.shape != mask.shape:
            raise DataError(f"{self.mask_path}: expected a mask of the image's size {image.shape}, found {mask.shape}")
        if mask.max() >= len(CLASSES):
            raise DataError(f"{self.mask_path}: expected labels 0 to {len(CLASSES) - 1}, found {mask.max()}")
        return image, mask


def _read_grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(f"{path}: expected a readable image, found {'an unreadable file' if path.exists() else 'no file'}")
    if image.ndim != 2 or image.dtype != np.uint8:
        raise DataError(f"{path}: expected 8-bit grey, found {image.shape} {image.dtype}")
    return image.astype(np.uint8, copy=False)


def read_index(root: Path) -> list[Sample]:
    """All samples of a folder with ``index.csv`` (columns as in `COLUMNS`); the mask of ``a.png`` is ``a_gt.png``.

    Raises:
        DataError: no index, wrong columns, a listed file that is missing, or one patient in two splits.
    """
    index = root / "index.csv"
    if not index.is_file():
        raise DataError(f"{index}: expected a data folder with index.csv, found none")
    with index.open(newline="") as stream:
        reader = csv.DictReader(stream)
        if missing := [c for c in COLUMNS if c not in (reader.fieldnames or ())]:
            raise DataError(f"{index}: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} not found")
        samples = [_sample(root, row) for row in reader]
    lost = [p for s in samples for p in (s.image_path, s.mask_path) if not p.is_file()]
    if lost:
        raise DataError(f"{index}: {len(lost)} of the files it names are missing, the first is {lost[0]}")
    splits: dict[str, str] = {}
    for sample in samples:
        if splits.setdefault(sample.patient, sample.split) != sample.split:
            raise DataError(f"{index}: expected each patient in one split, found {sample.patient} in two")
    return samples


def _sample(root: Path, row: dict[str, str]) -> Sample:
    image = root / row["file"]
    spacing = float(row["spacing_mm"]) if row["spacing_mm"] else None
    return Sample(
        row["patient"], row["split"], row["view"], row["phase"], image, image.with_name(image.stem + "_gt.png"),
        (spacing, spacing) if spacing else None,
    )  # fmt: skip


def select(samples: Sequence[Sample], split: str, views: Sequence[str]) -> list[Sample]:
    """Those of one split and of some views.

    Raises:
        DataError: none is left.
    """
    chosen = [s for s in samples if s.split == split and s.view in views]
    if not chosen:
        found = sorted({(s.split, s.view) for s in samples})
        raise DataError(f"expected images of split {split!r} and views {list(views)}, found only {found}")
    return chosen


def on_grid(sample: Sample, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A sample brought to a square grid by the runtime's own letterbox.

    Returns:
        The image (side, side) uint8, and how much of each grid pixel each foreground class covers (side, side, 3) uint8, 255
        being all of it. Coverage instead of the nearest label keeps the border where it is, to a fraction of a pixel.
    """
    image, mask = sample.read()
    place = GridMap.letterbox((image.shape[0], image.shape[1]), (side, side))
    grey = reference(image, place, 0.0, 1.0)
    rows = coverage(place.scale, place.y0, side, place.image[0])
    columns = coverage(place.scale, place.x0, side, place.image[1])
    covered = np.stack([rows @ (mask == label).astype(np.float32) @ columns.T for label in range(1, len(CLASSES))], axis=-1)
    return np.rint(grey).astype(np.uint8), np.rint(covered * 255).astype(np.uint8)
