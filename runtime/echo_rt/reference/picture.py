"""The coarse grid of an image, and the sector in it."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Image


def coarse(
    image: Image, size: tuple[int, int], dark: int, chroma: int, window: tuple[int, int, int, int]
) -> tuple[Image, Image, float]:
    """An image on a coarse grid: one of its pixels for each coarse one, as it is.

    Args:
        image: (H, W) grey or (H, W, 3) BGR.
        size: height and width of the grid, at most those of the image.
        dark: levels up to which a pixel is not lit.
        chroma: levels between the strongest and the weakest colour from which on a pixel may be saturated; it is, where
            the weakest is below that difference.
        window: first and last row (the last one not included), first and last column in which saturated pixels are
            counted.

    Returns:
        (h, w) strongest colour; (h, w) 1 where it is lit, else 0; and of the window the share of saturated pixels in
        lit ones, those that a line or a letter of one pixel's width makes left out.
    """
    (height, width), (rows, columns) = image.shape[:2], size
    picked = image[(np.arange(rows) * height // rows)[:, None], np.arange(columns) * width // columns]
    if picked.ndim == 2:
        return picked, (picked > dark).astype(np.uint8), 0.0
    level, weakest = picked.max(axis=2), picked.min(axis=2)
    lit = (level > dark).astype(np.uint8)
    difference = level - weakest
    saturated = np.pad((difference > chroma) & (difference > weakest), ((1, 0), (1, 0)), constant_values=True)
    flow = saturated[1:, 1:] & saturated[1:, :-1] & saturated[:-1, 1:] & saturated[:-1, :-1]
    inside = slice(*window[:2]), slice(*window[2:])
    lit_count = int(lit[inside].sum())
    return level, lit, int(flow[inside].sum()) / lit_count if lit_count else 0.0


def sector(lit: Image, speck: float) -> Array | None:
    """The convex hull of what is lit.

    Args:
        lit: (h, w), 1 where it is, else 0. Gaps up to two pixels wide are closed, and what is thinner than three pixels
            is left out.
        speck: pieces smaller than this share of the largest one are left out.

    Returns:
        Its corners (N, 2) x, y, in order; None where nothing is lit that has an area.
    """
    square = np.ones((3, 3), np.uint8)
    lit = np.asarray(cv2.morphologyEx(cv2.morphologyEx(lit, cv2.MORPH_CLOSE, square), cv2.MORPH_OPEN, square), np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    size = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    size[0] = 0.0  # of what is dark
    y, x = np.nonzero(lit * (size >= speck * size.max())[pieces])
    corners: Array = (
        cv2.convexHull(np.stack([x, y], axis=1).astype(np.int32))[:, 0, :].astype(np.float64)
        if len(x)
        else np.zeros((0, 2))
    )
    return corners if len(corners) > 2 else None


def depth(hull: Array, points: Array) -> Array:
    """How deep points (N, 2) lie inside a convex polygon (M, 2), no two corners the same: (N,) to the nearest side,
    negative outside."""
    sides = np.roll(hull, -1, axis=0) - hull
    inward = sides[:, ::-1] * (1, -1) / np.sqrt((sides * sides).sum(axis=1, keepdims=True))
    if (hull[2] - hull[0]) @ inward[0] < 0:
        inward = -inward
    depths: Array = (points @ inward.T - (hull * inward).sum(axis=1)).min(axis=1)
    return depths
