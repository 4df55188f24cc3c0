"""From an image to the network's input: luma, area-weighted letterbox, normalisation.

`reference` is the definition, in NumPy; the native kernel is the same sum in another order and is used where it was
built.

The grid's pixel (i, j) is the mean of the image over a square of max(scale, 1) image pixels centred where the pixel
lies in the image, each image pixel being counted by the area of it that the square covers. For a reduction that is the
area average (no aliasing); for an enlargement it is bilinear interpolation; both are one formula. What lies outside the
image counts as black. Both axes are independent, so that the whole is rows @ luma @ columns.T.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import FrameError
from echo_rt.segmentation import GridMap

try:
    from echo_rt import _native
except ImportError:  # installed without a C++ compiler: the reference does the same, more slowly
    _native = None  # type: ignore[assignment]

LUMA_BGR = (0.114, 0.587, 0.299)
"""ITU-R BT.601 weights of blue, green and red."""


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not an image: (H, W) or (H, W, 3) uint8 with at least one pixel.

    Raises:
        FrameError: says what was found.
    """
    if not isinstance(image, np.ndarray):
        raise FrameError(f"expected an image as a NumPy array, found {type(image).__name__}")
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or (image.ndim == 3 and image.shape[2] != 3)
        or 0 in image.shape
    ):
        raise FrameError(f"expected an image of (H, W) or (H, W, 3) uint8, found {image.shape} {image.dtype}")


@lru_cache(maxsize=32)
def coverage(scale: float, shift: float, grid: int, image: int) -> NDArray[np.float32]:
    """How much each image pixel counts in each grid pixel, along one axis.

    Args:
        scale, shift: grid position p lies at scale * p + shift in the image.
        grid, image: numbers of pixels.

    Returns:
        (grid, image) float32, read-only; a row adds up to 1 where it lies wholly inside the image.
    """
    width = max(scale, 1.0)
    centre = scale * np.arange(grid)[:, None] + shift
    edge = np.arange(image)[None, :] - 0.5
    overlap = np.minimum(edge + 1, centre + width / 2) - np.maximum(edge, centre - width / 2)
    weights: NDArray[np.float32] = (np.clip(overlap, 0.0, None) / width).astype(np.float32)
    weights.setflags(write=False)
    return weights


def reference(image: NDArray[np.uint8], grid_map: GridMap, mean: float, std: float) -> NDArray[np.float32]:
    """The network's input for one image, by definition.

    Args:
        image: (H, W) grey or (H, W, 3) BGR uint8, H and W as in `grid_map`.
        grid_map: from the grid to the image.
        mean, std: grey levels.

    Returns:
        (h, w) float32, (luma - mean) / std.
    """
    luma = np.asarray(image if image.ndim == 2 else image @ np.asarray(LUMA_BGR, np.float32), np.float32)
    rows = coverage(grid_map.scale, grid_map.y0, grid_map.grid[0], grid_map.image[0])
    columns = coverage(grid_map.scale, grid_map.x0, grid_map.grid[1], grid_map.image[1])
    grey = rows @ luma @ columns.T
    return np.asarray((grey - np.float32(mean)) / np.float32(std), np.float32)


class Preprocess:
    """The preprocess with its weights kept from frame to frame; native where the kernel was built.

    Args:
        grid: (height, width) of the network's input.
        mean, std: grey levels.
        native: False forces the NumPy reference.
    """

    def __init__(self, grid: tuple[int, int], mean: float, std: float, native: bool = True) -> None:
        self.grid, self.mean, self.std = grid, mean, std
        self.native = native and _native is not None
        self._map: GridMap | None = None
        self._plan: Any = None

    def __call__(self, image: NDArray[np.uint8], out: NDArray[np.float32]) -> GridMap:
        """Write the network's input for one image into `out`, (h, w) float32; the GIL is released meanwhile.

        Args:
            image: (H, W) grey or (H, W, 3) BGR uint8, of any size and memory layout.
            out: the caller's buffer; every element of it is overwritten.

        Returns:
            The map from the grid to this image.

        Raises:
            FrameError: the image is of another type or shape.
        """
        check_image(image)
        size = (image.shape[0], image.shape[1])
        if self._map is None or self._map.image != size:
            self._map = GridMap.letterbox(size, self.grid)
            m = self._map
            self._plan = (
                _native.Preprocess(m.scale, m.x0, m.y0, *self.grid, *size, self.mean, self.std) if self.native else None
            )
        if self._plan is not None:
            # The kernel wants the pixels of a row side by side; rows may be apart, as in a crop.
            rows_whole = image.strides[1:] == ((1,) if image.ndim == 2 else (3, 1))
            self._plan(image if rows_whole else np.ascontiguousarray(image), out)
        else:
            out[...] = reference(image, self._map, self.mean, self.std)
        return self._map
