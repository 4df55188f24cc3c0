"""What an engine gives: the labels of one frame, on the model's grid, and the way back to the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

try:
    from echo_rt import _native
except ImportError:  # installed without a C++ compiler: the same, more slowly
    _native = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class GridMap:
    """The affine map from a model's grid to the pixels of the image: a scale and a shift, the same scale in both
    directions.

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

    def to_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) as (x, y) on the grid, in image pixels."""
        return points * self.scale + (self.x0, self.y0)

    def to_grid(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) as (x, y) in image pixels, on the grid."""
        return (points - (self.x0, self.y0)) / self.scale


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The labels of one frame.

    Attributes:
        probability: (classes, h, w) float32 on the model's grid; over the classes they add up to 1.
        labels: (h, w) uint8 on the model's grid: 0 background, 1 LV cavity, 2 LV wall, 3 left atrium.
        map: from the grid to the image.
        view: A4C, A2C or other, where the model tells; else None.
        confidence: the Dice of the cavity that the model expects of itself, 0 to 1, where it tells; else None.
        state: a temporal model's state after this frame, opaque: it is given back to the engine with the next frame.
        time_ms: milliseconds that each step took in the engine, by name.
        tally: (3, classes) float64, see `tally`; where an engine does not count, it is counted here.

    The arrays are this frame's own: nobody writes to them again, so that a reading can be kept.
    """

    probability: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)
    map: GridMap
    view: str | None = None
    confidence: float | None = None
    state: object = field(default=None, repr=False)
    time_ms: dict[str, float] | None = None
    tally: NDArray[np.float64] = field(default=None, repr=False)  # type: ignore[arg-type]  # set once it is made

    def __post_init__(self) -> None:
        if self.tally is None:
            object.__setattr__(self, "tally", tally(self.probability, self.labels))

    def mask(self, label: int | None = None) -> NDArray[np.uint8]:
        """At image size (H, W), uint8: the labels, or for one label 1 inside it and 0 elsewhere.

        The probabilities, not the labels, are interpolated (bilinear), so that the border is as fine as the network
        knows it. It is done anew at every call: what nobody asks for costs nothing.
        """
        import numpy as np

        at, (height, width) = self.map, self.map.image
        if _native is None or len(self.probability) != 4:
            best = self.reference_mask()
        else:
            best = _native.enlarge(np.ascontiguousarray(self.probability), at.scale, at.x0, at.y0, height, width)
        return best if label is None else (best == label).astype(np.uint8)

    def reference_mask(self) -> NDArray[np.uint8]:
        """What `mask` gives for all labels, by OpenCV: the definition of the native kernel."""
        import cv2
        import numpy as np

        height, width = self.map.image
        # warpAffine wants the map from the output (image) to the input (grid), which WARP_INVERSE_MAP says it is.
        inverse = np.array([[1, 0, -self.map.x0], [0, 1, -self.map.y0]]) / self.map.scale
        best = np.zeros((height, width), np.uint8)
        highest = np.full((height, width), -1.0, np.float32)
        for channel, probability in enumerate(self.probability):
            full = cv2.warpAffine(
                probability,
                inverse,
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            above = full > highest
            best[above] = channel
            np.maximum(highest, full, out=highest)
        return best


def tally(probability: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What is counted of a segmentation on its grid.

    Args:
        probability: (classes, h, w).
        labels: (h, w).

    Returns:
        (3, classes) float64; for each class the number of pixels that are labelled so, the sum of its probability over
        all pixels, and that over those which are labelled so.
    """
    import numpy as np

    won = labels == np.arange(len(probability), dtype=labels.dtype)[:, None, None]
    return np.stack([np.asarray(a.sum((1, 2), dtype=np.float64)) for a in (won, probability, probability * won)])
