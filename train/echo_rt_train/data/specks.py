"""Specks in masks: what resizing label values leaves behind.

Between wall (2) and background (0) an interpolated mask passes through 1 and so gets a dotted rim of false cavity. All
masks of the 2CH form of CAMUS that was stretched and restored have some fifty such specks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

SPECK = 0.05
"""A piece smaller than this share of the largest piece of its label is a speck. Cavity, wall and atrium are each of one
piece in an apical view; a wall that the sector cuts in two has larger ones."""


def without_specks(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels (H, W) in which each speck has the label of the nearest pixel that is in none; the same array where there
    is no speck."""
    specks = np.zeros(mask.shape, bool)
    for label in np.unique(mask[mask > 0]):
        count, pieces, found, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8), connectivity=4)
        if count > 2:
            sizes = found[:, cv2.CC_STAT_AREA].astype(float)
            sizes[0] = 0  # the background of this label
            small = (sizes < SPECK * sizes.max()) & (sizes > 0)
            specks |= small[pieces]
    if not specks.any():
        return mask
    nearest = distance_transform_edt(specks, return_distances=False, return_indices=True)
    return np.asarray(mask[tuple(nearest)])
