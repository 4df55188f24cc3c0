"""What the network says beside the labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from echo_rt.arrays import Field
from echo_rt.model import VIEWS


def read_heads(heads: Mapping[str, Field]) -> tuple[str | None, float | None]:
    """The view, and the Dice that the model expects of itself.

    Args:
        heads: output of each head by its name: ``view`` (views,) logits, ``confidence`` (1,) logit.

    Returns:
        None for what the model has no head for.
    """
    view = VIEWS[int(heads["view"].argmax())] if "view" in heads else None
    confidence = float(1 / (1 + np.exp(-np.clip(heads["confidence"][0], -30, 30)))) if "confidence" in heads else None
    return view, confidence
