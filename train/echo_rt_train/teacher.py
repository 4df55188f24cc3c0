"""A larger model's opinion beside the expert's mask (distillation: Hinton, Vinyals and Dean, arXiv 1503.02531).

What the teacher is unsure of, and where it smooths a hand that slipped, is more than the labels alone tell a small
network.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.engine import Engine
from echo_rt.errors import ParameterError
from echo_rt.segmentation import GridMap


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
        """The coverage by the expert, (h, w, classes) uint8 as of `covered_on_grid`, with the teacher's probabilities
        mixed in."""
        found = self.engine.segment(image)
        height, width = covered.shape[:2]
        ours, theirs = GridMap.letterbox(found.map.image, (height, width)), found.map
        # warpAffine wants the map from the output (our grid, by way of the image) to the input (the teacher's grid).
        inverse = np.array([[ours.scale, 0, ours.x0 - theirs.x0], [0, ours.scale, ours.y0 - theirs.y0]]) / theirs.scale
        opinion = np.ascontiguousarray(found.probability[1:].transpose(1, 2, 0))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        probability = cv2.warpAffine(opinion, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.rint((1 - self.share) * covered + self.share * 255 * probability.clip(0, 1)).astype(np.uint8)
