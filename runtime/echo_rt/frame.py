"""What a source gives: one image with its time and its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOCK_S = 1e-6
"""Times closer than that are the same: sums of frame times carry rounding, and windows often end on a frame, such as
0.1 s at 30 frames a second."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What may be kept of the picture that a frame was made of.

    Attributes:
        image: (H', W') grey or (H', W', 3) BGR, uint8: the whole screen, or its ultrasound with what belongs to it.
        x, y: the column and row of it at which the frame's image begins.
        outline: (N, 2) x, y, a convex polygon in its pixels; the frame's image is black outside. None: it is not.
    """

    image: NDArray[np.uint8]
    x: int
    y: int
    outline: NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image of a recording or a feed.

    Attributes:
        image: (H, W) grey or (H, W, 3) BGR, uint8. The source hands it over: it does not write to it again.
        t_s: seconds on the source's own clock, strictly increasing from frame to frame.
        index: number of the frame since the source was opened, counting frames that were dropped.
        spacing_mm: height and width of a pixel in mm (row, column), or None where the scale is not known.
        kept: what outputs keep in place of the image, where that is something else.
    """

    image: NDArray[np.uint8]
    t_s: float
    index: int
    spacing_mm: tuple[float, float] | None = None
    kept: Kept | None = None
