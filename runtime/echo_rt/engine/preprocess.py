"""From an image of any size to the network's input."""

from __future__ import annotations

import numpy as np

from echo_rt import native
from echo_rt.arrays import Field, Image
from echo_rt.errors import FrameError
from echo_rt.grid_map import GridMap


def check_image(image: Image) -> None:
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


class Preprocess:
    """The preprocess, whose weights are kept until the size of the images changes.

    Args:
        grid: (height, width) of the network's input.
        mean, std: grey levels.
    """

    def __init__(self, grid: tuple[int, int], mean: float, std: float) -> None:
        self.grid, self.mean, self.std = grid, mean, std
        self._map: GridMap | None = None

    def __call__(self, image: Image, out: Field) -> GridMap:
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
            self._plan = native.Preprocess(self._map, self.mean, self.std)
        # The plan wants the pixels of a row side by side; rows may be apart, as in a crop.
        rows_whole = image.strides[1:] == ((1,) if image.ndim == 2 else (3, 1))
        self._plan(image if rows_whole else np.ascontiguousarray(image), out)
        return self._map
