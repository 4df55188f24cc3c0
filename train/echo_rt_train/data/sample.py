"""What every data set is made of: one image and its mask, not yet read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError
from echo_rt.model import CLASSES

SPLITS = ("train", "val", "test")
VIEWS = ("4CH", "2CH", "other")
"""Apical four-chamber, apical two-chamber, and pictures that are neither: no ventricle is measured in them."""

PHASES = ("ED", "ES", "other")
LABELS = tuple(range(1, len(CLASSES)))
"""The labels of the foreground: 1 LV cavity, 2 LV wall, 3 left atrium."""

Pair: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class SampleError(DataError):
    """One image, mask or clip of a data set is not as it should be; the rest may be.

    Attributes:
        kind: under what `echo_rt_train.data.report.DataReport` counts it.
    """

    def __init__(self, message: str, kind: str = "unreadable file") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Sample:
    """One image and its mask, not yet read. It can be sent to another process.

    Attributes:
        patient: whose image it is; a patient is in one split alone.
        split: train, val or test.
        view: one of `VIEWS`.
        phase: one of `PHASES`.
        name: where it comes from, for messages: a path, with the frame where the path is a recording.
        load: reads image and mask.
        spacing_mm: height and width of a pixel, or None where unknown. Pixels are square in what `read` gives.
        known: the labels that were traced. Where the mask has 0, none of *these* is there; a label that is not among
            them may be, so that a loss adds its probability to that of the background.
    """

    patient: str
    split: str
    view: str
    phase: str
    name: str
    load: Callable[[], Pair]
    spacing_mm: tuple[float, float] | None = None
    known: tuple[int, ...] = LABELS

    def read(self) -> Pair:
        """The image and the mask, both (H, W) uint8, the mask with labels 0 to 3.

        Raises:
            DataError: a file is missing or unreadable, or the two do not fit each other.
        """
        image, mask = self.load()
        if image.shape != mask.shape:
            raise SampleError(
                f"{self.name}: expected a mask of the image's size {image.shape}, found {mask.shape}; "
                "export the pair again",
                "mask of another size",
            )
        check_labels(mask, self.name)
        return image, mask


def check_labels(mask: NDArray[np.uint8], name: str) -> None:
    """Refuse a mask, of any shape, that holds more than the labels 0 to 3.

    Raises:
        SampleError: says which label was found.
    """
    if mask.size and mask.max() >= len(CLASSES):
        raise SampleError(
            f"{name}: expected labels 0 to {len(CLASSES) - 1}, found {mask.max()} in the mask", "unknown labels"
        )


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
