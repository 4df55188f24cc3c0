"""How the speckle of the wall moves from one picture to the next."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field, Image
from echo_rt.reference.types import SpecklePicture, SpeckleSearch

_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def cells(image: Image, corner: tuple[int, int], size: tuple[int, int], cell: int, stride: int) -> Field:
    """A part of an image in square cells, smoothed.

    Args:
        image: (H, W) grey or (H, W, 3) BGR, of which the green is taken.
        corner: row and column of the first cell, counted in cells from the image's first pixel.
        size: rows and columns of cells, all of them whole in the image.
        cell: pixels along the side of a cell.
        stride: the mean of a cell is that of every so many pixels along each side, from its first one on; 16 of them at
            most.

    Returns:
        (h, w) means of cells, smoothed by the weights 1, 4, 6, 4, 1 along both sides; beyond the part they go on as at
        its edge.
    """
    (row, column), (rows, columns) = corner, size
    grey = image if image.ndim == 2 else image[:, :, 1]
    part = grey[row * cell : (row + rows) * cell, column * cell : (column + columns) * cell].reshape(
        rows, cell, columns, cell
    )
    mean = part[:, ::stride, :, ::stride].mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(cv2.sepFilter2D(mean, -1, _BINOMIAL, _BINOMIAL, borderType=cv2.BORDER_REPLICATE), np.float32)


def follow_speckle(
    before: SpecklePicture, after: SpecklePicture, start: Array, normal: Array, search: SpeckleSearch
) -> tuple[Array, Array]:
    """How the wall moved and thickened between two pictures, in each third of its two sides, by the motion of its
    grain.

    In a third all moves by one distance along the wall and, across it, by another one that changes linearly from the
    inside to the outside: that change is the strain. The three are found as Lucas and Kanade find a shift (IJCAI 1981,
    674-679): by least squares of the difference between the pictures over all samples, linear in their mean slope, anew
    from where the last round has led.

    Args:
        before, after: smooth pictures in the same cells.
        start, normal: (2, L, 2) for L lines of each side, from base to apex, where it begins in `after` and its unit
            vector outwards.
        search: along these lines.

    Returns:
        (2, 3, 3) shift of the middle of the wall outwards; strain, positive where the wall thickens; shift along it, to
        the right of the normal on the screen. (2, 3) how certain the strain is, the inverse of its variance but for a
        factor: 0 where nothing can be told. A sample of which either place is outside of its picture is left out.
    """
    unit = search.unit
    across = normal.reshape(2, 3, -1, 1, 2)
    along = np.stack([-across[..., 1], across[..., 0]], axis=-1)
    depth = np.arange(search.samples) * unit
    later = start.reshape(across.shape) + depth[:, None] * across
    outwards = depth - depth.mean()
    value, slope, inside = _read(after, later, search)
    found, most = np.zeros((2, 3, 3)), np.array([1.2 * unit, 0.3, 1.2 * unit])
    certain = np.zeros((2, 3))
    for _ in range(search.rounds):
        shift, strain, slide = (part[..., None, None, None] for part in np.moveaxis(found, -1, 0))
        earlier = later - (shift + strain * outwards[:, None]) * across - slide * along
        value_before, slope_before, inside_before = _read(before, earlier, search)
        both = inside & inside_before
        mean = 0.5 * (slope + slope_before) * search.to_cells
        by_shift, by_slide = (mean * across).sum(-1) * both, (mean * along).sum(-1) * both
        by = np.stack([by_shift, by_shift * outwards, by_slide], axis=-1).reshape(2, 3, -1, 3)
        step, certain = _least_squares(by, ((value_before - value) * both).reshape(2, 3, -1, 1))
        found += np.clip(step, -most, most)
    return found, certain


def _least_squares(by: Array, differs: Array) -> tuple[Array, Array]:
    """(2, 3, 3) the steps that explain differences (2, 3, N, 1) best by their slopes (2, 3, N, 3).

    Beside them (2, 3) how certain the second step is; 0 where nothing can be told.
    """
    square = np.swapaxes(by, -1, -2) @ by
    right = (by * differs).sum(axis=-2)
    (a, b, c), (_, d, e), (_, _, f) = np.moveaxis(square, (-2, -1), (0, 1))
    # The inverse by cofactors.
    minor = a * f - c * c
    cofactors = np.array(
        [
            [d * f - e * e, c * e - b * f, b * e - c * d],
            [c * e - b * f, minor, b * c - a * e],
            [b * e - c * d, b * c - a * e, a * d - b * b],
        ]
    )
    whole = a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2]
    known = whole > 1e-9 * a * d * f
    step = np.einsum("ij...,...j->...i", cofactors, right) / np.where(known, whole, 1.0)[..., None]
    certain = np.where(known & (minor > 0), whole / np.where(minor > 0, minor, 1.0), 0.0)
    return np.where(known[..., None], step, 0.0), certain


def _read(picture: SpecklePicture, places: Array, search: SpeckleSearch) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Bilinear at places (..., 2) of the lines: the values, the slopes (..., 2) of the same surface, and which of the
    places are inside."""
    points = places * search.to_cells + search.origin - picture.corner[::-1]
    height, width = picture.field.shape
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    column, row = x.astype(np.intp), y.astype(np.intp)
    fx, fy = x - column, y - row
    if not inside.any():
        return np.zeros(x.shape), np.zeros(points.shape), inside
    field = picture.field.astype(np.float64)
    a, b = field[row, column], field[row, column + 1]
    c, d = field[row + 1, column], field[row + 1, column + 1]
    value = (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy
    slope = np.stack([(b - a) * (1 - fy) + (d - c) * fy, (c - a) * (1 - fx) + (d - b) * fx], axis=-1)
    return value, slope, inside
