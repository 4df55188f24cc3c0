"""A larger model's opinion beside the expert's mask (distillation: Hinton, Vinyals and Dean, arXiv 1503.02531).

What the teacher is unsure of, and where it smooths a hand that slipped, is more than the labels alone tell a small
network.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor, nn

from echo_rt.engine import Engine
from echo_rt.errors import ParameterError
from echo_rt.segmentation import GridMap
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights, weights_path


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


class OnlookingTeacher(nn.Module):
    """A network that sees each picture as the one that learns does, changed alike (Beyer et al., CVPR 2022, arXiv
    2106.05237).

    Its weights are no part of what is saved, and they do not change.

    Args:
        network: trained on the same data set, so that its grey levels are normalised alike.
        share: of the target that is the teacher's, 0 to 1; the rest is the expert's.
    """

    def __init__(self, network: UNet, share: float) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise ParameterError(f"teacher.share: expected 0 to 1, found {share}")
        self.network, self.share = deepcopy(network).eval().requires_grad_(False), share

    @classmethod
    def of(cls, config: DictConfig) -> OnlookingTeacher | None:
        """The one of ``teacher`` in conf/train.yaml; None where it names no weights."""
        return cls(load_weights(weights_path(config.weights))[0], config.share) if config.weights else None

    def train(self, mode: bool = True) -> OnlookingTeacher:
        """It stays as in use: its batch norms keep their statistics."""
        return self if mode else super().train(mode)

    @torch.no_grad()
    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """The target (N, classes, h, w) with the teacher's probabilities of the image (N, 1, h, w) mixed in."""
        return target.float().lerp(self.network(image).logits.float().softmax(1), self.share)
