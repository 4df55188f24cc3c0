"""Random changes of a training image, geometric first: they carry over between scanners.

An image comes at twice the network's grid and leaves at the grid itself by 2x2 means. So the one interpolation that a warp costs
happens at the finer grid, and an image that is not changed is exactly what the runtime's letterbox gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augment:
    """How much of each change; conf/train.yaml says what the figures mean. Zero switches one off."""

    rotation_deg: float = 0.0
    log_scale: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    log_gamma: float = 0.0
    gain: float = 0.0
    noise_grey: float = 0.0
    blur: float = 0.0
    no_heart: float = 0.0

    def __call__(
        self, image: NDArray[np.uint8], covered: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Change one sample.

        Args:
            image: (2n, 2n) uint8.
            covered: (2n, 2n, classes) uint8.

        Returns:
            Grey levels (n, n) float32 and class coverage (classes, n, n) float32 in 0 to 1.
        """
        half = (image.shape[0] // 2, image.shape[0] // 2)
        if rng.random() < self.no_heart:
            grey = no_heart(image, rng)
            covered = np.zeros_like(covered)
        else:
            matrix = self._matrix(image.shape[0], rng)
            grey = cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
            covered = cv2.warpAffine(covered, matrix, image.shape[::-1], flags=cv2.INTER_LINEAR)
        grey = self._intensity(grey, rng)
        small = cv2.resize(grey, half, interpolation=cv2.INTER_AREA)
        target = cv2.resize(covered.astype(np.float32), half, interpolation=cv2.INTER_AREA) / 255
        if self.noise_grey:
            small = small + rng.normal(0, rng.uniform(0, self.noise_grey), small.shape).astype(np.float32)
        return np.clip(small, 0, 255).astype(np.float32), np.ascontiguousarray(target.transpose(2, 0, 1))

    def _matrix(self, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
        angle = np.deg2rad(np.clip(rng.normal(0, self.rotation_deg), -2.5 * self.rotation_deg, 2.5 * self.rotation_deg))
        scale = np.exp(rng.uniform(-self.log_scale, self.log_scale))
        stretch = np.exp(rng.uniform(-self.log_scale, self.log_scale) / 4)
        shear = rng.uniform(-self.shear, self.shear)
        mirror = -1.0 if rng.random() < self.flip else 1.0
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[stretch, shear], [0, 1 / stretch]]) @ np.diag([mirror, 1.0]) * scale
        centre = np.full(2, (side - 1) / 2)
        shift = rng.uniform(-self.shift, self.shift, 2) * side
        return np.column_stack([linear, centre + shift - linear @ centre])

    def _intensity(self, grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        gamma = np.exp(rng.uniform(-self.log_gamma, self.log_gamma))
        gain = 1 + rng.uniform(-self.gain, self.gain)
        if rng.random() < self.blur:
            grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.5, 2.0)).astype(np.float32)
        return (255 * gain * (grey / 255) ** gamma).astype(np.float32)


def no_heart(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A picture without a heart, (n, n) float32: empty, noise, speckle, or the tissue of `image` in the wrong order.

    Without these a network that has seen nothing but hearts finds one in everything.
    """
    side = image.shape[0]
    kind = rng.integers(5)
    if kind == 0:
        picture = np.full((side, side), rng.uniform(0, 255) if rng.random() < 0.3 else 0.0)
    elif kind == 1:
        picture = rng.uniform(0, 255, (side, side))
    elif kind == 2:
        speckle = np.hypot(*(cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), rng.uniform(1, 4)) for _ in range(2)))
        picture = np.clip(speckle / speckle.max() * rng.uniform(60, 300), 0, 255)
    elif kind == 3:
        tiles = image.reshape(8, side // 8, 8, side // 8).swapaxes(1, 2).reshape(64, side // 8, side // 8)
        shuffled = tiles[rng.permutation(64)].reshape(8, 8, side // 8, side // 8)
        picture = shuffled.swapaxes(1, 2).reshape(side, side).astype(float)
    else:
        picture = cv2.GaussianBlur(image.astype(float), (0, 0), rng.uniform(0.08, 0.2) * side)
    return picture.astype(np.float32)
