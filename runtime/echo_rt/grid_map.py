"""The map between a model's grid and the pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.arrays import Array


@dataclass(frozen=True, slots=True)
class GridMap:
    """The affine map from a model's grid to the pixels of the image: a shift, and one scale for both directions.

    Positions are those of pixel centres, (0, 0) being the centre of the first pixel:
    ``x_image = scale * x_grid + x0`` and ``y_image = scale * y_grid + y0``.

    Attributes:
        scale: image pixels per grid pixel.
        x0, y0: where the centre of the grid's first pixel lies in the image, in image pixels.
        grid: (height, width) of the grid.
        image: (height, width) of the image.
    """

    scale: float
    x0: float
    y0: float
    grid: tuple[int, int]
    image: tuple[int, int]

    @classmethod
    def letterbox(cls, image: tuple[int, int], grid: tuple[int, int]) -> GridMap:
        """The map that shows the whole image, centred, as large as the grid allows, its aspect ratio kept."""
        scale = max(image[0] / grid[0], image[1] / grid[1])
        # Centres coincide: (grid - 1) / 2 in the grid is (image - 1) / 2 in the image.
        x0 = (image[1] - 1) / 2 - scale * (grid[1] - 1) / 2
        y0 = (image[0] - 1) / 2 - scale * (grid[0] - 1) / 2
        return cls(scale, x0, y0, grid, image)

    def to_image(self, points: Array) -> Array:
        """Points (N, 2) as (x, y) on the grid, in image pixels."""
        return points * self.scale + (self.x0, self.y0)

    def to_grid(self, points: Array) -> Array:
        """Points (N, 2) as (x, y) in image pixels, on the grid."""
        return (points - (self.x0, self.y0)) / self.scale
