"""From the network's output to probabilities, labels and what is counted of them.

`reference` is the definition, in NumPy; the native kernel does the same in one pass and is used where it was built.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from echo_rt.model import VIEWS
from echo_rt.segmentation import tally

try:
    from echo_rt import _native
except ImportError:  # installed without a C++ compiler: the reference does the same, more slowly
    _native = None  # type: ignore[assignment]

Output = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float64]]


def reference(logits: NDArray[np.float32]) -> Output:
    """Softmax over the classes, the winner (of equals the last), and the tally.

    Args:
        logits: (classes, h, w) float32.

    Returns:
        Probabilities (classes, h, w) float32, labels (h, w) uint8 and `echo_rt.segmentation.tally` of both, all new
        arrays.
    """
    highest = logits.max(axis=0)
    labels = np.zeros(highest.shape, np.uint8)
    for label in range(1, len(logits)):
        labels[logits[label] == highest] = label
    probability = np.exp(logits - highest)
    probability /= probability.sum(axis=0)
    return probability, labels, tally(probability, labels)


def postprocess(logits: NDArray[np.float32]) -> Output:
    """What `reference` gives, by the native kernel where there is one; the GIL is released meanwhile."""
    return reference(logits) if _native is None else _native.postprocess(np.ascontiguousarray(logits))


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
