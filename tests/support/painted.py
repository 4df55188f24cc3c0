"""A heart that is painted: each label has a grey level of its own, so that an engine without a network sees it again,
whatever a codec, a network or a disk did to the picture meanwhile."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from echo_rt.frame import Frame
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.segmentation import GridMap, Segmentation
from support.hearts import volume_at
from support.shapes import labels_of

EF_PERCENT, RATE_BPM, FPS = 50.0, 100.0, 30.0

SIZE, OTHER_SIZE = (120, 160), (96, 128)
"""Rows and columns."""

SPEC = ModelSpec("painted", "1", ModelInput(240, 240, 40.0, 50.0))

LEVELS = np.array([40, 170, 100, 230], np.uint8)
"""Of background, cavity, wall and atrium: wall lies between background and cavity, so that no blur makes a third."""

NOISE = 14
"""Levels, less than half of the distance of two labels: no two pictures are alike."""


@lru_cache(maxsize=256)
def labels(size: tuple[int, int], moment: int) -> np.ndarray:
    """(H, W) labels at a hundredth of a beat."""
    scale = size[0] / 120
    factor = float(volume_at(moment / 100, edv=1.0, ef=EF_PERCENT))
    return labels_of(size, 62 * scale, 24 * scale * factor**0.5, 8 * scale, (size[1] / 2, 84 * scale), atrium=False)


def picture(heart_s: float, size: tuple[int, int] = SIZE, colour: bool = False) -> np.ndarray:
    """The heart at a time of its own: (H, W) grey, or (H, W, 3) of the same levels."""
    rng = np.random.default_rng(round(1e3 * heart_s))
    image = LEVELS[labels(size, round(100 * heart_s * RATE_BPM / 60) % 100)]
    image = image + rng.integers(-NOISE, NOISE + 1, size, np.int16)
    grey = image.astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2) if colour else grey


def garbled(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W) a picture of noise."""
    return np.random.default_rng(index).integers(0, 256, size, np.uint8)


class PaintedEngine:
    """Sees the labels by their levels. It keeps nothing, and several feeds may ask it at once."""

    device, description, spec = "cpu", "an eye for painted hearts", SPEC

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        from echo_rt.engine.preprocess import check_image

        check_image(image)
        grey = image if image.ndim == 2 else image[..., 1]
        seen = _NEAREST[grey]
        one_hot = (np.arange(4, dtype=np.uint8)[:, None, None] == seen).astype(np.float32)
        return Segmentation(one_hot, seen, GridMap.letterbox(seen.shape, seen.shape), time_ms={})

    def close(self) -> None: ...

    def __enter__(self) -> PaintedEngine:
        return self

    def __exit__(self, *what: object) -> None: ...


_NEAREST = np.abs(np.arange(256)[:, None] - LEVELS[None].astype(int)).argmin(axis=1).astype(np.uint8)


def painted_frames(seconds: float, fps: float = FPS) -> list[Frame]:
    """A plain recording of the heart."""
    return [Frame(picture(n / fps), n / fps, n) for n in range(round(seconds * fps))]
