"""Fields at points, and the area of points."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Field


def sample(field: Field, points: Array) -> Array:
    """A field (H, W) at points (..., 2), bilinear: (...)."""
    height, width = field.shape
    # A margin of zeros on which everything outside comes to lie; fmax and fmin put NaN there too.
    field = np.asarray(cv2.copyMakeBorder(field, 1, 2, 1, 2, cv2.BORDER_CONSTANT, value=0.0), np.float32)
    x, y = np.fmin(np.fmax(points[..., 0], -1.0), width), np.fmin(np.fmax(points[..., 1], -1.0), height)
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    column, row = left.astype(np.intp) + 1, top.astype(np.intp) + 1
    above = field[row, column] * (1 - fx) + field[row, column + 1] * fx
    below = field[row + 1, column] * (1 - fx) + field[row + 1, column + 1] * fx
    values: Array = above * (1 - fy) + below * fy
    return values


def signed_area(points: Array) -> float:
    """Inside a contour (N, 2), closed by a straight line; positive where it runs clockwise on the screen."""
    x, y = points.T
    return 0.5 * float(x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0])
