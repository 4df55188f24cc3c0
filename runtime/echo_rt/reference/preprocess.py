"""From an image to the network's input: luma, area-weighted letterbox, normalisation.

A grid pixel is the mean of the image over a square of max(scale, 1) image pixels, centred where it lies in the image.
Each image pixel counts by the area of it that the square covers. A reduction is the area average (no aliasing), an
enlargement is bilinear interpolation, by one formula. What lies outside of the image counts as black. Both axes are
independent, so that the whole is rows @ luma @ columns.T.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from echo_rt.arrays import Field, Image
from echo_rt.grid_map import GridMap

LUMA_BGR = (0.114, 0.587, 0.299)
"""ITU-R BT.601 weights of blue, green and red."""


@lru_cache(maxsize=32)
def coverage(scale: float, shift: float, grid: int, image: int) -> Field:
    """How much each image pixel counts in each grid pixel, along one axis.

    Args:
        scale, shift: grid position p lies at scale * p + shift in the image.
        grid, image: numbers of pixels.

    Returns:
        (grid, image), read-only; a row adds up to 1 where it lies wholly inside the image.
    """
    width = max(scale, 1.0)
    centre = scale * np.arange(grid)[:, None] + shift
    edge = np.arange(image)[None, :] - 0.5
    overlap = np.minimum(edge + 1, centre + width / 2) - np.maximum(edge, centre - width / 2)
    weights: Field = (np.clip(overlap, 0.0, None) / width).astype(np.float32)
    weights.setflags(write=False)
    return weights


def preprocess(image: Image, place: GridMap, mean: float, std: float) -> Field:
    """The network's input (h, w) for one image: (luma - mean) / std.

    Args:
        image: (H, W) grey or (H, W, 3) BGR, H and W as in `place`.
        place: from the grid to the image.
        mean, std: grey levels.
    """
    luma = np.asarray(image if image.ndim == 2 else image @ np.asarray(LUMA_BGR, np.float32), np.float32)
    rows = coverage(place.scale, place.y0, place.grid[0], place.image[0])
    columns = coverage(place.scale, place.x0, place.grid[1], place.image[1])
    grey = rows @ luma @ columns.T
    return np.asarray((grey - np.float32(mean)) / np.float32(std), np.float32)


class Preprocess:
    """`preprocess` for images of one size.

    Args:
        place: from the grid to the images.
        mean, std: grey levels.
    """

    def __init__(self, place: GridMap, mean: float, std: float) -> None:
        self._place, self._mean, self._std = place, mean, std

    def __call__(self, image: Image, out: Field) -> None:
        """Write the network's input for one image into `out` (h, w)."""
        out[...] = preprocess(image, self._place, self._mean, self._std)
