"""From the network's logits to probabilities, labels and what is counted of them."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array, Field, Image


def postprocess(logits: Field) -> tuple[Field, Image, Array]:
    """Softmax over the classes, the winner (of equals the last), and the tally.

    Args:
        logits: (classes, h, w).

    Returns:
        Probabilities (classes, h, w), labels (h, w) and `tally` of both, all new arrays.
    """
    highest = logits.max(axis=0)
    labels = np.zeros(highest.shape, np.uint8)
    for label in range(1, len(logits)):
        labels[logits[label] == highest] = label
    probability = np.exp(logits - highest)
    probability /= probability.sum(axis=0)
    return probability, labels, tally(probability, labels)


def tally(probability: Field, labels: Image) -> Array:
    """What is counted of a segmentation on its grid.

    Args:
        probability: (classes, h, w).
        labels: (h, w).

    Returns:
        (3, classes): for each class the number of pixels that are labelled so, the sum of its probability over all
        pixels, and that over the pixels that are labelled so.
    """
    won = labels == np.arange(len(probability), dtype=labels.dtype)[:, None, None]
    return np.stack([np.asarray(a.sum((1, 2), dtype=np.float64)) for a in (won, probability, probability * won)])
