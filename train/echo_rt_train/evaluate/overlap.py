"""How well two masks overlap, class by class.

Definitions as in Taha and Hanbury, Metrics for evaluating 3D medical image segmentation, BMC Medical Imaging 15:29,
2015, with TP, FP, FN and TN counted in pixels of the image at its native resolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from echo_rt.model import CLASSES

FOREGROUND = CLASSES[1:]

OVERLAP = ("dice", "iou", "precision", "recall", "accuracy", "f1")
"""Columns of `overlap`. ``f1``, the harmonic mean of precision and recall, is Dice by another name; both are given
because papers do."""


def confusion(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by (label of the expert, label of the model): (classes, classes).

    Args:
        found, truth: (H, W) labels.
    """
    n = len(CLASSES)
    return np.bincount(n * truth.ravel().astype(np.int64) + found.ravel(), minlength=n * n).reshape(n, n)


def overlap(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dice 2TP / (2TP + FP + FN), IoU TP / (TP + FP + FN), precision TP / (TP + FP), recall TP / (TP + FN), accuracy
    (TP + TN) / all, and F1, of each foreground class.

    A class that neither mask has is agreed upon: 1. One that only the other mask has leaves precision or recall without
    a denominator: 0, so that a model gains nothing by drawing nothing.

    Args:
        counts: of `confusion`.

    Returns:
        (foreground classes, figures), the columns as in `OVERLAP`, each from 0 to 1.
    """
    rows = []
    for label in range(1, len(CLASSES)):
        both, model, expert = (int(x) for x in (counts[label, label], counts[:, label].sum(), counts[label].sum()))
        either, total = model + expert - both, int(counts.sum())
        accuracy = 1 - (either - both) / total
        if not either:
            rows.append((1.0, 1.0, 1.0, 1.0, accuracy, 1.0))
            continue
        precision, recall = both / model if model else 0.0, both / expert if expert else 0.0
        f1 = 2 * precision * recall / (precision + recall) if both else 0.0
        rows.append((2 * both / (model + expert), both / either, precision, recall, accuracy, f1))
    return np.array(rows)


def joined_dice(counts: NDArray[np.int64], labels: Sequence[int]) -> float:
    """Dice of several classes taken as one, such as cavity and wall; 1 where neither mask has any of them.

    Args:
        counts: of `confusion`.
        labels: the classes.
    """
    chosen = list(labels)
    both = counts[np.ix_(chosen, chosen)].sum()
    sizes = counts[chosen].sum() + counts[:, chosen].sum()
    return float(2 * both / sizes) if sizes else 1.0
