"""The array types of the whole package. Shapes stand in docstrings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Field = NDArray[np.float32]
Image = NDArray[np.uint8]
