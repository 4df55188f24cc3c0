"""From an image of any size to the network's input."""

from __future__ import annotations

import numpy as np

from echo_rt import native
from echo_rt.arrays import Field, Image
from echo_rt.errors import FrameError
from echo_rt.grid_map import GridMap


def check_image(image: Image) -> None:
    """Raise FrameError unless it is (H, W) or (H, W, 3) uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray):
        raise FrameError(f"expected an image as a NumPy array, found {type(image).__name__}")
    planes = image.shape[2:] in ((), (3,)) and image.ndim > 1
    if image.dtype != np.uint8 or not planes or 0 in image.shape:
        raise FrameError(f"expected an image of (H, W) or (H, W, 3) uint8, found {image.shape} {image.dtype}")


class Preprocess:
    """From images to a grid of (height, width), normalised by grey levels.

    Its weights are kept until the size of the images changes.
    """

    def __init__(self, grid: tuple[int, int], mean: float, std: float) -> None:
        self.grid, self.mean, self.std = grid, mean, std
        self._map: GridMap | None = None

    def __call__(self, image: Image, out: Field) -> GridMap:
        """Write the network's input for one image, and return the map from the grid to the image. Releases the GIL.

        Args:
            image: as for `check_image`, of any size and memory layout.
            out: (h, w) float32, the caller's; every element is overwritten.
        """
        check_image(image)
        size = (image.shape[0], image.shape[1])
        if self._map is None or self._map.image != size:
            self._map = GridMap.letterbox(size, self.grid)
            self._plan = native.Preprocess(self._map, self.mean, self.std)
        # The plan wants the pixels of a row side by side; rows may be apart, as in a crop.
        rows_whole = image.strides[1:] == ((1,) if image.ndim == 2 else (3, 1))
        self._plan(image if rows_whole else np.ascontiguousarray(image), out)
        return self._map
