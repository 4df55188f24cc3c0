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
class Frame:
    """One image of a recording or a feed.

    Attributes:
        image: (H, W) grey or (H, W, 3) BGR, uint8. The source hands it over: it does not write to it again.
        t_s: seconds on the source's own clock, strictly increasing from frame to frame.
        index: number of the frame since the source was opened, counting frames that were dropped.
        spacing_mm: height and width of a pixel in mm (row, column), or None where the scale is not known.
    """

    image: NDArray[np.uint8]
    t_s: float
    index: int
    spacing_mm: tuple[float, float] | None = None
