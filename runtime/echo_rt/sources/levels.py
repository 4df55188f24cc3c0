"""Grey levels of more than 8 bits, brought to 8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Image


def significant_bits(image: NDArray[np.integer[Any]]) -> int:
    """How many bits, 8 to 16, the levels of `image` need."""
    # What a header says is no help: 8 or 12 bit levels in 16 bit files are common, and would come out black.
    return max(8, int(image.max(initial=0)).bit_length())


def to_eight_bits(image: NDArray[np.integer[Any]], bits: int) -> Image:
    """Levels of `bits` bits as 8 bits, any shape; those that need more are clipped to 255.

    A shift by whole bits, found once on the first frame, keeps all frames comparable. A picture stretched to its own
    range would flicker with the brightest valve.
    """
    return np.asarray(np.minimum(image >> (bits - 8), 255), np.uint8)
