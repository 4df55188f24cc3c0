"""Random changes of a training image, geometric first: they carry over between scanners.

An image comes at twice the network's grid and leaves at the grid itself by 2x2 means. So the one interpolation that a
warp costs happens at the finer grid, and an image that is not changed is exactly what the runtime's letterbox gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import ParameterError
from echo_rt_train import changes
from echo_rt_train.no_heart import without_heart

Change = Callable[[changes.Grey], changes.Grey]

EASE = 0.25
"""How much smaller the changes of an image are that is spared: near to what the runtime will see, as most pictures
are."""

SHADING_POINTS = 5
"""Points along each side at which the shading is drawn; between them it is smooth."""

SPARED = "flip"
"""What a spared image is changed by as often as any other: a mirror image is no change."""


class Changed(NamedTuple):
    """A stretch of a recording after its changes.

    Attributes:
        grey: (F, h, w) float32, 0 to 255.
        covered: (F, classes, h, w) float32 in 0 to 1.
        heart: it still is a view of a heart that can be measured.
        traced: `covered` says where its parts are. It is false where they are seen and nobody knows where.
    """

    grey: NDArray[np.float32]
    covered: NDArray[np.float32]
    heart: bool
    traced: bool


@dataclass(frozen=True)
class Geometry:
    """How much a picture is turned, sized, moved and bent."""

    rotation_deg: float = 0.0
    log_scale: float = 0.0
    small: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    flip: float = 0.0

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """(2, 3), as `cv2.warpAffine` takes it, for pictures of that height and width."""
        angle = np.deg2rad(np.clip(rng.normal(0, self.rotation_deg), -2.5 * self.rotation_deg, 2.5 * self.rotation_deg))
        scale = np.exp(rng.uniform(-self.log_scale - self.small, self.log_scale))
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


@dataclass(frozen=True)
class Beams:
    """How often something happens along the beams: ribs, a narrower sector, haze, too little gain, speckle."""

    shadow: float = 0.0
    narrow: float = 0.0
    haze: float = 0.0
    dark: float = 0.0
    speckle: float = 0.0

    def draw(self, image: NDArray[np.uint8], rng: np.random.Generator) -> Change:
        """The change of every frame of the recording that `image` (H, W) begins."""
        parts = self._in_sector(changes.Sector.of(image), rng) if self.shadow or self.narrow or self.haze else []
        if rng.random() < self.dark:
            parts.append(partial(changes.more_gain, db=-rng.uniform(2, 16)))
        if rng.random() < self.speckle:
            share, drawing = rng.uniform(0.1, 0.4), np.random.default_rng(int(rng.integers(2**32)))
            parts.append(partial(changes.speckled, share=share, rng=drawing))
        return _one_after_the_other(parts)

    def _in_sector(self, sector: changes.Sector, rng: np.random.Generator) -> list[Change]:
        """What hangs on where the beams are."""
        parts: list[Change] = []
        if rng.random() < self.narrow:
            parts.append(partial(changes.narrowed, sector=sector, half_deg=rng.uniform(22, 36)))
        for _ in range(int(rng.binomial(2, self.shadow))):
            at, width = rng.uniform(sector.left, sector.right), rng.uniform(4, 22)
            db, start = rng.uniform(5, 35), rng.uniform(0, 0.3)
            parts.append(partial(changes.shadowed, sector=sector, at_deg=at, width_deg=width, db=db, start=start))
        if rng.random() < self.haze:
            parts.append(partial(changes.hazed, sector=sector, grey=rng.uniform(20, 140)))
        return parts


@dataclass(frozen=True)
class Screen:
    """How much the display and the export do: contrast, brightness, noise, sharpness, graphics, compression."""

    log_gamma: float = 0.0
    gain: float = 0.0
    log_shading: float = 0.0
    noise_grey: float = 0.0
    blur: float = 0.0
    marks: float = 0.0
    coarse: float = 0.0

    def draw(self, rng: np.random.Generator) -> Change:
        """The change of every frame of a recording, without the noise."""
        gamma = np.exp(rng.uniform(-self.log_gamma, self.log_gamma))
        gain = 1 + rng.uniform(-self.gain, self.gain)
        parts: list[Change] = []
        if rng.random() < self.blur:
            parts.append(partial(_blurred, sigma=rng.uniform(0.5, 2.0)))
        parts.append(lambda grey: np.asarray(255 * gain * (grey / 255) ** gamma, np.float32))
        # Time gain and the like: gain that changes slowly over the picture.
        shading = np.exp(rng.uniform(-self.log_shading, self.log_shading, (SHADING_POINTS, SHADING_POINTS)))
        if self.log_shading:
            parts.append(partial(_shaded, points=shading.astype(np.float32)))
        if rng.random() < self.marks:
            ecg, lines, drawing = bool(rng.random() < 0.6), int(rng.integers(1, 9)), int(rng.integers(2**32))
            # The same text in every frame.
            parts.append(lambda grey: changes.annotated(grey, np.random.default_rng(drawing), ecg, lines))
        if rng.random() < self.coarse:
            side, quality = int(rng.integers(90, 200)), int(rng.integers(15, 70))
            small = rng.random() < 0.5
            parts.append(
                partial(changes.coarsened, side=side) if small else partial(changes.compressed, quality=quality)
            )
        return _one_after_the_other(parts)


@dataclass(frozen=True)
class Augment:
    """How much of each change; conf/train.yaml says what the figures mean. Zero switches one off."""

    geometry: Geometry = Geometry()
    beams: Beams = Beams()
    screen: Screen = Screen()
    no_heart: float = 0.0
    ease: float = 0.0

    @classmethod
    def of(cls, config: Mapping[str, float]) -> Augment:
        """From a flat mapping such as Hydra's ``config.augment``; what it leaves out is not done.

        Raises:
            ParameterError: a key is unknown.
        """
        known = [field.name for group in (Geometry, Beams, Screen) for field in fields(group)] + ["no_heart", "ease"]
        if unknown := sorted(set(config) - set(known)):
            raise ParameterError(f"augment: expected some of {', '.join(known)}, found {', '.join(unknown)}")
        groups = _given(Geometry, config), _given(Beams, config), _given(Screen, config)
        return cls(*groups, config.get("no_heart", 0.0), config.get("ease", 0.0))

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
        changed = self.of_one(rng)[0].clip(image[None], covered[None], rng, 1)
        return changed.grey[0], changed.covered[0]

    def clip(
        self, images: NDArray[np.uint8], covered: NDArray[np.uint8], rng: np.random.Generator, frames: int
    ) -> Changed:
        """Change a stretch of a recording, every frame in the same way but for the noise. It is not spared: see
        `of_one`.

        Args:
            images: (F, 2h, 2w) uint8. A single one (F = 1) becomes a clip of its own: a heart that stands still under a
                probe that drifts.
            covered: (F, 2h, 2w, classes) uint8. Empty throughout, it stands for no heart, which is not taken out then.
            rng: draws the changes.
            frames: F, or any number of frames where F is 1.
        """
        size = images.shape[1:]
        heart, traced = bool(covered.any()), True
        if heart and rng.random() < self.no_heart:
            image, traced = without_heart(images[0], covered[0], rng)
            images, covered, heart = image[None], np.zeros_like(covered[:1]), False
        drifts = len(images) < frames
        matrices = self.geometry.draw(size, rng) @ (_drift(size, rng, frames) if drifts else np.eye(3)[None])
        matrices = np.broadcast_to(matrices, (frames, 2, 3))
        window, screen = self.beams.draw(images[0], rng), self.screen.draw(rng)
        half = (size[1] // 2, size[0] // 2)  # as cv2 has it: width, height
        noise = rng.uniform(0, self.screen.noise_grey)
        greys, targets = [], []
        for k, matrix in enumerate(matrices):
            image, cover = (of[min(k, len(of) - 1)] for of in (images, covered))
            seen = window(image.astype(np.float32))
            warped = cv2.warpAffine(seen, matrix, size[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
            cover = cv2.warpAffine(cover, matrix, size[::-1], flags=cv2.INTER_LINEAR)
            small = cv2.resize(screen(np.clip(warped, 0, 255)), half, interpolation=cv2.INTER_AREA)
            if noise:
                small = small + rng.normal(0, noise, small.shape)
            greys.append(np.clip(small, 0, 255))
            targets.append(cv2.resize(cover.astype(np.float32), half, interpolation=cv2.INTER_AREA) / 255)
        target = np.ascontiguousarray(np.stack(targets).transpose(0, 3, 1, 2))
        # What was moved out of the picture altogether is no heart any more.
        return Changed(np.asarray(greys, np.float32), target, heart and bool(target.any()), traced)

    def of_one(self, rng: np.random.Generator) -> tuple[Augment, bool]:
        """The changes of one item, and whether it is spared: `eased` ones with a probability of `ease`, else these."""
        spared = bool(rng.random() < self.ease)
        return self.eased() if spared else self, spared

    def eased(self) -> Augment:
        """The same changes, smaller by `EASE` or as much less likely. A mirror image and no heart are as likely."""
        groups = _smaller(self.geometry), _smaller(self.beams), _smaller(self.screen)
        return Augment(*groups, self.no_heart)


_Group = TypeVar("_Group", Geometry, Beams, Screen)


def _given(group: type[_Group], config: Mapping[str, float]) -> _Group:
    return group(**{field.name: config[field.name] for field in fields(group) if field.name in config})


def _smaller(group: _Group) -> _Group:
    names = [field.name for field in fields(group) if field.name != SPARED]
    return replace(group, **{name: EASE * getattr(group, name) for name in names})


def _one_after_the_other(parts: list[Change]) -> Change:
    def change(grey: changes.Grey) -> changes.Grey:
        for part in parts:
            grey = part(grey)
        return grey

    return change


def _blurred(grey: changes.Grey, sigma: float) -> changes.Grey:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)


def _shaded(grey: changes.Grey, points: changes.Grey) -> changes.Grey:
    return np.asarray(grey * cv2.resize(points, grey.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


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
