"""From the network's output to probabilities and labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from echo_rt.model import VIEWS


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


def read_heads(heads: Mapping[str, NDArray[np.float32]]) -> tuple[str | None, float | None]:
    """The view, and the Dice that the model expects of itself.

    Args:
        heads: output of each head by its name: ``view`` (views,) logits, ``confidence`` (1,) logit.

    Returns:
        None for what the model has no head for.
    """
    view = VIEWS[int(heads["view"].argmax())] if "view" in heads else None
    confidence = float(1 / (1 + np.exp(-np.clip(heads["confidence"][0], -30, 30)))) if "confidence" in heads else None
    return view, confidence
