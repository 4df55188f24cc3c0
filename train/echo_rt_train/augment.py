"""Random changes of a training image, geometric first: they carry over between scanners.

An image comes at twice the network's grid and leaves at the grid itself by 2x2 means. So the one interpolation that a
warp costs happens at the finer grid, and an image that is not changed is exactly what the runtime's letterbox gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

EASE = 0.25
"""How much smaller the changes of an image are that is spared: near to what the runtime will see, as most pictures
are."""

SHADING_POINTS = 5
"""Points along each side at which the shading is drawn; between them it is smooth."""


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
    log_shading: float = 0.0
    noise_grey: float = 0.0
    blur: float = 0.0
    no_heart: float = 0.0
    ease: float = 0.0

    def __call__(
        self, image: NDArray[np.uint8], covered: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Change one sample.

        Args:
            image: (2h, 2w) uint8.
            covered: (2h, 2w, classes) uint8.

        Returns:
            Grey levels (h, w) float32 and class coverage (classes, h, w) float32 in 0 to 1.
        """
        grey, target = self.of_one(rng)[0].clip(image[None], covered[None], rng, 1)
        return grey[0], target[0]

    def clip(
        self, images: NDArray[np.uint8], covered: NDArray[np.uint8], rng: np.random.Generator, frames: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Change a stretch of a recording, every frame in the same way but for the noise. It is not spared: see
        `of_one`.

        Args:
            images: (F, 2h, 2w) uint8. A single one (F = 1) becomes a clip of its own: a heart that stands still under a
                probe that drifts.
            covered: (F, 2h, 2w, classes) uint8.
            frames: F, or any number of frames where F is 1.

        Returns:
            Grey levels (frames, h, w) float32 and class coverage (frames, classes, h, w) float32 in 0 to 1.
        """
        size = images.shape[1:]
        if rng.random() < self.no_heart:
            images, covered = no_heart(images[0], rng)[None], np.zeros_like(covered[:1])
            matrices = np.repeat(np.eye(3)[None, :2], frames, axis=0)
        else:
            matrices = self._matrix(size, rng) @ (
                _drift(size, rng, frames) if len(images) < frames else np.eye(3)[None]
            )
            matrices = np.broadcast_to(matrices, (frames, 2, 3))
        half = (size[1] // 2, size[0] // 2)  # as cv2 has it: width, height
        intensity = self._intensity(rng)
        noise = rng.uniform(0, self.noise_grey)
        greys, targets = [], []
        for k, matrix in enumerate(matrices):
            image, cover = (of[min(k, len(of) - 1)] for of in (images, covered))
            warped = cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
            cover = cv2.warpAffine(cover, matrix, size[::-1], flags=cv2.INTER_LINEAR)
            small = cv2.resize(intensity(warped), half, interpolation=cv2.INTER_AREA)
            if noise:
                small = small + rng.normal(0, noise, small.shape)
            greys.append(np.clip(small, 0, 255))
            targets.append(cv2.resize(cover.astype(np.float32), half, interpolation=cv2.INTER_AREA) / 255)
        return np.asarray(greys, np.float32), np.ascontiguousarray(np.stack(targets).transpose(0, 3, 1, 2))

    def of_one(self, rng: np.random.Generator) -> tuple[Augment, bool]:
        """The changes of one item, and whether it is spared: `eased` ones with a probability of `ease`, else these."""
        spared = bool(rng.random() < self.ease)
        return self.eased() if spared else self, spared

    def eased(self) -> Augment:
        """The same changes, smaller by `EASE`, and blur by as much less likely; a mirror image is no change, and as
        likely as before."""
        sizes = (
            "rotation_deg",
            "log_scale",
            "shift",
            "shear",
            "log_gamma",
            "gain",
            "log_shading",
            "noise_grey",
            "blur",
        )
        return replace(self, ease=0.0, **{name: EASE * getattr(self, name) for name in sizes})

    def _matrix(self, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        angle = np.deg2rad(np.clip(rng.normal(0, self.rotation_deg), -2.5 * self.rotation_deg, 2.5 * self.rotation_deg))
        scale = np.exp(rng.uniform(-self.log_scale, self.log_scale))
        stretch = np.exp(rng.uniform(-self.log_scale, self.log_scale) / 4)
        shear = rng.uniform(-self.shear, self.shear)
        mirror = -1.0 if rng.random() < self.flip else 1.0
        cos, sin = np.cos(angle), np.sin(angle)
        linear = (
            np.array([[cos, -sin], [sin, cos]])
            @ np.array([[stretch, shear], [0, 1 / stretch]])
            @ np.diag([mirror, 1.0])
            * scale
        )
        centre = (np.array(size[::-1]) - 1) / 2
        shift = rng.uniform(-self.shift, self.shift, 2) * max(size)
        return np.column_stack([linear, centre + shift - linear @ centre])

    def _intensity(self, rng: np.random.Generator) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        gamma = np.exp(rng.uniform(-self.log_gamma, self.log_gamma))
        gain = 1 + rng.uniform(-self.gain, self.gain)
        sigma = rng.uniform(0.5, 2.0) if rng.random() < self.blur else 0.0
        # Time gain, a rib's shadow, haze: gain that changes slowly over the picture.
        shading = np.exp(rng.uniform(-self.log_shading, self.log_shading, (SHADING_POINTS, SHADING_POINTS))).astype(
            np.float32
        )

        def change(grey: NDArray[np.float32]) -> NDArray[np.float32]:
            if sigma:
                grey = cv2.GaussianBlur(grey, (0, 0), sigma).astype(np.float32)
            grey = 255 * gain * (grey / 255) ** gamma
            if self.log_shading:
                grey = grey * cv2.resize(shading, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
            return grey.astype(np.float32)

        return change


def _drift(size: tuple[int, ...], rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """(frames, 3, 3): a slow sway of the picture about its centre, by up to 1 % of its larger side, 2 degrees and 2 %
    in scale."""
    speed, phase = rng.uniform(0.02, 0.12, 4), rng.uniform(0, 1, 4)
    x, y, turn, zoom = (
        rng.uniform(0, 1, (4, 1)) * np.sin(2 * np.pi * (speed[:, None] * np.arange(frames) + phase[:, None]))
    ) * np.array([[0.01 * max(size)], [0.01 * max(size)], [np.deg2rad(2)], [0.02]])
    cos, sin = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
    middle_y, middle_x = (np.array(size) - 1) / 2
    matrices = np.tile(np.eye(3), (frames, 1, 1))
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2] = cos, -sin, middle_x + x - cos * middle_x + sin * middle_y
    matrices[:, 1, 0], matrices[:, 1, 1], matrices[:, 1, 2] = sin, cos, middle_y + y - sin * middle_x - cos * middle_y
    return matrices


def no_heart(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture without a heart, (h, w) uint8: empty, noise, speckle, or the tissue of `image` in the wrong order.

    Without these a network that has seen nothing but hearts finds one in everything.
    """
    size = image.shape
    kind = rng.integers(5)
    if kind == 0:
        picture = np.full(size, rng.uniform(0, 255) if rng.random() < 0.3 else 0.0)
    elif kind == 1:
        picture = rng.uniform(0, 255, size)
    elif kind == 2:
        speckle = np.hypot(*(cv2.GaussianBlur(rng.normal(size=size), (0, 0), rng.uniform(1, 4)) for _ in range(2)))
        picture = np.clip(speckle / speckle.max() * rng.uniform(60, 300), 0, 255)
    elif kind == 3:
        height, width = size[0] // 8, size[1] // 8
        tiles = image.reshape(8, height, 8, width).swapaxes(1, 2).reshape(64, height, width)
        picture = tiles[rng.permutation(64)].reshape(8, 8, height, width).swapaxes(1, 2).reshape(size).astype(float)
    else:
        picture = cv2.GaussianBlur(image.astype(float), (0, 0), rng.uniform(0.08, 0.2) * max(size))
    drawn: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return drawn
