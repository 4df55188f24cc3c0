"""Offsets of the classes' logits, chosen for the highest Dice on patients that the network has not learned from.

Cross-entropy puts a border where both sides are equally likely. The mask with the highest expected Dice reaches further
out, the more so the less sure the network is (Lipton, Elkan and Naryanaswamy, Thresholding classifiers to maximize F1
score, ECML PKDD 2014: the best threshold is half of the best score). On the images it has learned from a network is
surer than on others, so that its own training images would say too little: part of the training patients is held out of
a training of its own, and these say how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from echo_rt.engine import Engine
from echo_rt.errors import DataError
from echo_rt.segmentation import Segmentation
from echo_rt_train.data import DataReport, Sample, read_all
from echo_rt_train.evaluate.overlap import FOREGROUND, confusion, overlap

TRIED = tuple(round(0.1 * k, 1) for k in range(-5, 11))
"""Logits. Beyond them a mask would be another one."""

VIEW = "4CH"
"""In which the runtime measures."""


def fit_offsets(engine: Engine, samples: Sequence[Sample], report: DataReport | None = None) -> dict[str, Any]:
    """The offset of each foreground class with the highest Dice, mean over classes and images; each class by itself.

    Args:
        engine: of a network that has not learned from these patients.
        samples: of those held out; the 4CH view counts.
        report: as in `echo_rt_train.evaluate.measurement.measure`.

    Returns:
        ``{"logits": {class: offset}, "dice": {class: with them}, "dice_before": {class: without}, "images", "view"}``.

    Raises:
        DataError: there is no 4CH image, or one that does not label every class.
    """
    chosen = [sample for sample in samples if sample.view == VIEW]
    if not chosen or any(len(sample.known) < len(FOREGROUND) for sample in chosen):
        raise DataError(
            f"--fit-offsets: expected {VIEW} images with {', '.join(FOREGROUND)} labelled, found others; "
            "give another data set"
        )
    none = (0.0,) * len(FOREGROUND)
    alone = [[(*none[:at], offset, *none[at + 1 :]) for offset in TRIED] for at in range(len(FOREGROUND))]
    kept, rows = [], []
    pairs = read_all(chosen, report if report is not None else DataReport("data", strict=True))
    for _, (image, truth) in track(pairs, "fitting offsets", total=len(chosen), transient=True):
        segmentation = engine.segment(image)
        kept.append((segmentation, truth))
        rows.append([[_dice(segmentation, truth, offsets).mean() for offsets in tried] for tried in alone])
    means = np.mean(rows, axis=0)
    best = []
    for of_class in means:
        # What makes no difference is left as it is.
        at = max(range(len(TRIED)), key=lambda k: (of_class[k], -abs(TRIED[k])))
        best.append(TRIED[at])
    after, before = (
        np.mean([_dice(s, truth, offsets) for s, truth in kept], axis=0) for offsets in (tuple(best), none)
    )
    return {
        "logits": dict(zip(FOREGROUND, best, strict=True)),
        "dice": dict(zip(FOREGROUND, after.tolist(), strict=True)),
        "dice_before": dict(zip(FOREGROUND, before.tolist(), strict=True)),
        "images": len(kept),
        "view": VIEW,
    }


def shifted(segmentation: Segmentation, offsets: Sequence[float]) -> Segmentation:
    """What the network would give with `offsets` added to the logits of the foreground classes."""
    factors = np.exp(np.array([0.0, *offsets], np.float32))[:, None, None]
    probability = segmentation.probability * factors
    return replace(segmentation, probability=probability / probability.sum(axis=0))


def _dice(segmentation: Segmentation, truth: NDArray[np.uint8], offsets: Sequence[float]) -> NDArray[np.float64]:
    return overlap(confusion(shifted(segmentation, offsets).mask(), truth))[:, 0]
