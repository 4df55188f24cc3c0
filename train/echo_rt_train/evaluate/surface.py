"""How far apart the borders of two masks are.

As in CAMUS (Leclerc et al., IEEE Trans Med Imaging 38(9), 2019), whose d_H is the Hausdorff distance and d_m the mean
absolute distance. The border is the mask's own pixels that have a pixel outside among their four neighbours, and
distances are taken between pixel centres: the convention of MONAI, MedPy and ITK, so that figures compare.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SURFACE = ("hd95", "msd", "hd")
"""Columns of `surface`."""

PERCENTILE = 95
"""One stray pixel decides the Hausdorff distance; leaving out the farthest 5 % is the habit of segmentation
challenges."""


def border(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Positions (N, 2) as (y, x) of a mask's border pixels, in the unit of the spacing; what lies beyond the image is
    outside.

    Args:
        mask: (H, W) bool.
        spacing: height and width of a pixel.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    positions: NDArray[np.float64] = np.argwhere(mask & (inner == 0)).astype(np.float64) * spacing
    return positions


def surface(found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Distances between the borders of two masks.

    With d(a, B) the distance of a border pixel a of A to the nearest one of B: HD95 is the larger one of the 95th
    percentiles of d(a, B) and of d(b, A); the mean surface distance is the mean of all d(a, B) and d(b, A) together; HD
    has the maxima instead of percentiles.

    Args:
        found, truth: (H, W) bool.
        spacing: height and width of a pixel.

    Returns:
        (3,), as in `SURFACE`, in the unit of the spacing; NaN where one of the masks is empty, as there is no distance
        to nothing.
    """
    if not found.any() or not truth.any():
        return np.full(len(SURFACE), np.nan)
    a, b = border(found, spacing), border(truth, spacing)
    there, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    hd95 = max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE))
    return np.array([hd95, np.concatenate([there, back]).mean(), max(there.max(), back.max())])
