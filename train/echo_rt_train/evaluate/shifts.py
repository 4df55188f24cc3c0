"""Twenty shifts: a data set's images as other scanners, probes, hands and screens would show them.

The strength of each is fixed, and so is its noise: the same image is always changed in the same way. Images keep their
size; a mask moves with its image.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt_train import changes

Mask = NDArray[np.uint8]
Shift = Callable[[changes.Grey, Mask, np.random.Generator], tuple[NDArray[np.float32], Mask]]
"""From an image (H, W) of 0 to 255, its labels (H, W) and a generator to the image, (H, W) or BGR (H, W, 3), and the
labels."""

SEED = 20190222

BLUR_SHARE = 0.006
"""Standard deviation of the blur as a share of the image's height: 3.8 of 630 pixels."""

SPECKLE_SHARE = 0.3
"""Standard deviation of the multiplicative noise."""

JPEG_QUALITY = 15
COARSE_PX = 112
"""Side of the pictures of EchoNet-Dynamic."""

SHADOW_DEG, SHADOW_DB = 12.0, 25.0
"""A shadow that wide and deep hides a wall and leaves the rest of the ventricle."""

HAZE_GREY = 90.0
"""Grey levels of the veil at the probe; it falls to a seventh of that at full depth."""

TINT_BGR = (0.55, 0.8, 1.0)
"""The sepia map of many scanners."""

NARROW_DEG = 27.0
"""Half angle of the narrow sector."""


def shifted(name: str, image: NDArray[np.uint8], mask: Mask, key: str) -> tuple[NDArray[np.uint8], Mask]:
    """An image and its mask under one of `SHIFTS`.

    Args:
        name: of the shift.
        image: (H, W) uint8 grey.
        mask: (H, W) labels.
        key: the image's own name, from which its noise is drawn.

    Returns:
        The image, (H, W) grey or (H, W, 3) BGR, and the mask (H, W).
    """
    rng = np.random.default_rng([SEED, zlib.crc32(f"{name} {key}".encode())])
    found, labels = SHIFTS[name](image.astype(np.float32), mask, rng)
    return np.ascontiguousarray(np.clip(np.rint(found), 0, 255).astype(np.uint8)), np.ascontiguousarray(labels)


def lateral_deg(mask: Mask, sector: changes.Sector) -> float:
    """The angle at which the beams meet the wall on the picture's right side: the lateral wall in an A4C view as it is
    commonly displayed. Without a wall the right half of the cavity stands in; without both, the sector's middle."""
    cavity, x = mask == 1, np.arange(mask.shape[1])
    width = cavity.sum(axis=1)
    middle = (cavity * x).sum(axis=1) / np.maximum(width, 1)
    right = (x > middle[:, None]) & (width > 0)[:, None]
    for side in ((mask == 2) & right, cavity & right):
        if side.any():
            return float(np.median(sector.beams(mask.shape)[1][side]))
    return (sector.left + sector.right) / 2


def _grey(change: Callable[[changes.Grey], NDArray[np.float32]]) -> Shift:
    """A shift that leaves every structure where it is."""
    return lambda image, mask, rng: (change(image), mask)


def _in_sector(change: Callable[[changes.Grey, changes.Sector], changes.Grey]) -> Shift:
    return _grey(lambda image: change(image, changes.Sector.of(image)))


def _flipped(axis: int) -> Shift:
    return lambda image, mask, rng: (np.flip(image, axis), np.flip(mask, axis))


def _moved(degrees: float = 0.0, zoom: float = 1.0) -> Shift:
    """Turned counter-clockwise and enlarged about the middle of the image, black where nothing is known."""

    def move(image: changes.Grey, mask: Mask, rng: np.random.Generator) -> tuple[changes.Grey, Mask]:
        height, width = image.shape
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
        moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
        labels = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_NEAREST)
        return np.asarray(moved, np.float32), np.asarray(labels, np.uint8)

    return move


def _gamma(image: changes.Grey, gamma: float) -> changes.Grey:
    return np.asarray(255 * (image / 255) ** gamma, np.float32)


def _blurred(image: changes.Grey) -> changes.Grey:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_SHARE * image.shape[0]), np.float32)


def _tinted(image: changes.Grey) -> NDArray[np.float32]:
    return np.asarray(image[..., None] * np.array(TINT_BGR, np.float32), np.float32)


def _shadow_on_wall(image: changes.Grey, mask: Mask, rng: np.random.Generator) -> tuple[changes.Grey, Mask]:
    sector = changes.Sector.of(image)
    return changes.shadowed(image, sector, lateral_deg(mask, sector), SHADOW_DEG, SHADOW_DB), mask


SHIFTS: Mapping[str, Shift] = {
    "as is": _grey(lambda image: image),
    "gain +8 dB": _grey(partial(changes.more_gain, db=8.0)),
    "gain -12 dB": _grey(partial(changes.more_gain, db=-12.0)),
    "gamma 0.6": _grey(partial(_gamma, gamma=0.6)),
    "gamma 1.6": _grey(partial(_gamma, gamma=1.6)),
    "blur": _grey(_blurred),
    "speckle": lambda image, mask, rng: (changes.speckled(image, SPECKLE_SHARE, rng), mask),
    f"JPEG quality {JPEG_QUALITY}": _grey(partial(changes.compressed, quality=JPEG_QUALITY)),
    f"{COARSE_PX}x{COARSE_PX} pixels": _grey(partial(changes.coarsened, side=COARSE_PX)),
    "rotation +15 deg": _moved(degrees=15),
    "rotation -15 deg": _moved(degrees=-15),
    "zoom 0.8": _moved(zoom=0.8),
    "zoom 0.6": _moved(zoom=0.6),
    "mirrored": _flipped(1),
    "upside down": _flipped(0),
    "ECG and text": lambda image, mask, rng: (changes.annotated(image, rng), mask),
    "shadow on lateral wall": _shadow_on_wall,
    "haze": _in_sector(partial(changes.hazed, grey=HAZE_GREY)),
    "tint": _grey(_tinted),
    "narrow sector": _in_sector(partial(changes.narrowed, half_deg=NARROW_DEG)),
}
"""Every shift by its name, in the order in which they are printed. Upside down is the one that should be refused."""
