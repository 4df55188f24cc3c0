"""What the kernels take and give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Field = NDArray[np.float32]
Grey = NDArray[np.uint8]

Pair = tuple[float, float]

LongAxis = tuple[float, float, tuple[float, float], tuple[float, ...]]
"""Length of the long axis, area inside the contour, apex, diameters of the disks; in the unit of the contour, the area in its square."""
