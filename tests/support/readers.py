"""Engines that read the labels of drawn hearts off their grey levels, and can be made to err."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation
from echo_rt_train.data import Sample
from echo_rt_train.data.pictures import PictureFiles
from support.shapes import labels_of, segmentation_of
from support.training import write_index

GREY = np.array([20, 60, 180, 80], np.uint8)


class Reader:
    """An engine that knows the labels by their grey levels, and can be made to err: `spoil` changes the labels it
    found."""

    def __init__(self, spoil=lambda labels: labels, view: str | None = None, calibration=None) -> None:
        self.spec = ModelSpec("reader", "1", 64, 64, 0.0, 1.0, ef_calibration=calibration)
        self.spoil, self.view, self.description, self.device = spoil, view, "reader", "cpu"

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        found = segmentation_of(self.spoil(np.abs(image[..., None].astype(int) - GREY).argmin(-1).astype(np.uint8)))
        return replace(found, view=self.view)


class Shy(Reader):
    """An engine that is unsure along the borders, and draws the atrium too small: its logit is 0.6 too low."""

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        sure = super().segment(image, state)
        soft = np.stack([cv2.GaussianBlur(channel, (0, 0), 4) for channel in sure.probability])
        soft[3] *= np.exp(-0.6)
        soft /= soft.sum(axis=0)
        return replace(sure, probability=soft, labels=soft.argmax(axis=0).astype(np.uint8))


def drawn_samples(folder: Path) -> list[Sample]:
    """Four patients in both views; the scale is known in 4CH alone."""
    found = []
    for number, (ed, es) in enumerate(((40, 28), (42, 36), (38, 24), (40, 32))):
        for view, spacing in (("4CH", (0.5, 0.5)), ("2CH", None)):
            for phase, radius in (("ED", ed), ("ES", es)):
                labels = labels_of((220, 240), 110, radius, 14, (120.0, 150.0))
                image, mask = (folder / f"p{number}_{view}_{phase}{end}.png" for end in ("", "_gt"))
                cv2.imwrite(str(image), GREY[labels])
                cv2.imwrite(str(mask), labels)
                found.append(Sample(f"p{number}", "val", view, phase, str(image), PictureFiles(image, mask), spacing))
    return found


def write_index_of(samples: list[Sample], folder: Path, split: str = "val") -> None:
    """Make the samples a data folder, all of one split."""
    rows = [
        [s.patient, split, s.view, s.phase, Path(s.name).name, 220, 240, 0.5 if s.spacing_mm else ""] for s in samples
    ]
    write_index(folder, rows)
