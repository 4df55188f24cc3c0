"""A larger model's opinion beside the expert's mask (distillation: Hinton, Vinyals and Dean, arXiv 1503.02531).

What the teacher is unsure of, and where it smooths a hand that slipped, is more than the labels alone tell a small network.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.engine import Engine
from echo_rt.errors import ParameterError


@dataclass(frozen=True)
class Teacher:
    """A model that has its say on every training image.

    Attributes:
        engine: an open engine; it runs as in the product.
        share: of the target that is the teacher's, 0 to 1; the rest is the expert's.

    Raises:
        ParameterError: the share is out of its range.
    """

    engine: Engine
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ParameterError(f"teacher.share: expected 0 to 1, found {self.share}")

    def blend(self, image: NDArray[np.uint8], covered: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The coverage by the expert, (side, side, classes) uint8 as of `covered_on_grid`, with the teacher's probabilities mixed in."""
        side = covered.shape[0]
        # Both grids show the whole image, centred: one is the other, scaled.
        probability = cv2.resize(
            self.engine.segment(image).probability[1:].transpose(1, 2, 0), (side, side), interpolation=cv2.INTER_LINEAR
        )
        return np.rint((1 - self.share) * covered + self.share * 255 * probability).astype(np.uint8)
