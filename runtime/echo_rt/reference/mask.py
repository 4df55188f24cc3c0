"""Labels at image size."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Field, Image
from echo_rt.grid_map import GridMap


def enlarge(probability: Field, place: GridMap) -> Image:
    """The label of each pixel of an image (H, W): the class whose interpolated probability is highest, of equals the
    first.

    Args:
        probability: (classes, h, w) on the grid, four classes. Beyond its rim the last pixel goes on.
        place: from the grid to the image.
    """
    height, width = place.image
    # warpAffine wants the map from the output (image) to the input (grid), which WARP_INVERSE_MAP says it is.
    inverse = np.array([[1, 0, -place.x0], [0, 1, -place.y0]]) / place.scale
    best = np.zeros((height, width), np.uint8)
    highest = np.full((height, width), -1.0, np.float32)
    for channel, layer in enumerate(probability):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        full = cv2.warpAffine(layer, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        above = full > highest
        best[above] = channel
        np.maximum(highest, full, out=highest)
    return best
