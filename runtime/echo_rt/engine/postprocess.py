"""From the network's output to probabilities and labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def postprocess(logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Softmax over the classes, and the winner.

    Args:
        logits: (classes, h, w) float32.

    Returns:
        Probabilities (classes, h, w) float32 and labels (h, w) uint8, both new arrays.
    """
    highest = logits.max(axis=0)
    labels = np.zeros(highest.shape, np.uint8)
    for label in range(1, len(logits)):
        labels[logits[label] == highest] = label
    probability = np.exp(logits - highest)
    probability /= probability.sum(axis=0)
    return probability, labels
