"""The border of the cavity: where it runs, and which part of it has wall beside it."""

from __future__ import annotations

from math import atan2, floor, pi

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field
from echo_rt.model import ContourRule
from echo_rt.reference.points import sample, signed_area
from echo_rt.reference.types import Pair


def smoothed(
    cavity: Field, level: float, margin: int, pad: int, weights: NDArray[np.float32]
) -> tuple[Field, tuple[int, int]] | None:
    """The part of a field where it lies above a level, smoothed, with a margin around it.

    Args:
        cavity: (H, W).
        level: what lies above it counts.
        margin: pixels of the field around what counts that take part, as far as there are any.
        pad: pixels of zeros around that; beyond them there are zeros too.
        weights: (2 R + 1,) of the smoothing along both sides.

    Returns:
        (h, w) the part, padded and smoothed, and x and y of its first pixel on the field; None where nothing lies above
        the level.
    """
    x, y, width, height = cv2.boundingRect((cavity > level).view(np.uint8))
    if not width:
        return None
    left, top = max(0, x - margin), max(0, y - margin)
    part = cavity[top : y + height + margin, left : x + width + margin]
    padded = cv2.copyMakeBorder(part, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
    smooth = cv2.sepFilter2D(padded, -1, weights, weights, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(smooth, np.float32), (left - pad, top - pad)


def trace(
    field: Field, chain: NDArray[np.int32], level: float, wall: Field, atrium: Field, origin: Pair, reach: float
) -> tuple[Array, Array, Array, float]:
    """Move a closed chain of pixels to where the field has the level, and look beside it.

    The pixels go along the gradient, in three Newton steps of at most a pixel.

    Args:
        field: (h, w), the part of the grid with the border, and a margin around it.
        chain: (N, 2) pixels of `field`, none of them at its edge.
        level: of the field, inside above it.
        wall, atrium: (H, W) probabilities on the grid.
        origin: x and y of the first pixel of `field` on the grid.
        reach: how far outside of the border `wall` and `atrium` are read, as a fraction of the square root of its area.

    Returns:
        (N, 2) points on the grid, clockwise on the screen; (N,) wall and (N,) atrium beside them; the area inside, in
        grid pixels.
    """
    x, y = chain[:, 0], chain[:, 1]
    gradient = (
        np.stack([field[y, x + 1] - field[y, x - 1], field[y + 1, x] - field[y - 1, x]], axis=1).astype(np.float64) / 2
    )
    slope = np.maximum((gradient**2).sum(axis=1), 1e-4)
    points = chain.astype(np.float64)
    for _ in range(3):
        step = ((level - sample(field, points)) / slope)[:, None] * gradient
        points = points + step / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1.0)[:, None]
    area = signed_area(points)
    if area < 0:
        points, area = points[::-1], -area
    # Outward unit normals, from the points two steps before and after.
    tangent = np.roll(points, -2, axis=0) - np.roll(points, 2, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    beside = points + reach * np.sqrt(area) * np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) + origin
    return points + origin, sample(wall, beside), sample(atrium, beside), area


def walled(points: Array, wall: Array, atrium: Array, reach: int, rule: ContourRule) -> Array | None:
    """The part of a closed border that has wall beside it, from one end of the opening in the wall to the other.

    Args:
        points: (N, 2) of the border, the last one followed by the first.
        wall, atrium: (N,) probability of either beside each point.
        reach: how many points from the end of the wall the corner of the border is looked for.
        rule: of the model.

    Returns:
        (M, 2), M at most N; None where there is no opening, or too little wall.
    """
    n = len(points)
    middle = _middle_of_the_opening(wall, atrium, rule)
    if middle is None:
        return None
    points, has_wall = np.roll(points, -middle, axis=0), np.roll(wall, -middle) > rule.wall_probability
    if has_wall[0]:
        # A spot of wall in the middle of the opening (valve tissue); start beside it, or there is none.
        opened = np.flatnonzero(~has_wall[: int(rule.max_valve * n)])
        if not len(opened):
            return None
        points, has_wall = np.roll(points, -opened[0], axis=0), np.roll(has_wall, -opened[0])
    least = max(1, int(rule.min_wall * n))
    if has_wall.sum() < least:
        return None
    first, last = int(np.argmax(has_wall)), n - 1 - int(np.argmax(has_wall[::-1]))
    first, last = _corner(points, first, reach), _corner(points, last, reach)
    if last - first < least:
        return None
    begin, end = (_sharpened(points, corner, reach, rule) for corner in (first, last))
    return np.vstack([begin, points[first + 1 : last], end])


def _middle_of_the_opening(wall: Array, atrium: Array, rule: ContourRule) -> int | None:
    """The place of the point nearest to it; None where there is no opening."""
    n = len(wall)
    contact = np.maximum(atrium - wall, 0)
    if contact.sum() < rule.min_atrium_contact * n:
        # No atrium in the picture: the widest gap in the wall is the opening.
        contact = _widest_gap(wall < rule.wall_probability)
        if contact.sum() < rule.min_gap * n:
            return None
    # Circular mean of the position along the border.
    turn = 2 * pi / n * np.arange(n)
    # The middle of a gap of an even number of points lies between two: always the one after it, whatever the last
    # digit.
    return floor(n * atan2(contact @ np.sin(turn), contact @ np.cos(turn)) / (2 * pi) + 0.5 + 1e-6)


def _corner(points: Array, near: int, reach: int) -> int:
    """The sharpest point of the border within `reach` steps of `near`: the one farthest from the chord between the
    ends."""
    begin = max(0, near - reach)
    arc = points[begin : near + reach + 1]
    (along_x, along_y), (x, y) = arc[-1] - arc[0], (arc - arc[0]).T
    return begin + int(np.abs(x * along_y - y * along_x).argmax())


def _sharpened(points: Array, corner: int, reach: int, rule: ContourRule) -> Array:
    """Where the two sides of a corner would meet, had the smoothing not rounded it; the corner itself where they do not
    meet near."""
    away = np.arange(2, reach + 2)
    here: Array = points[corner]
    before, after = points[(corner - away) % len(points)], points[(corner + away) % len(points)]
    d1, d2 = before[0] - before[-1], after[0] - after[-1]
    cross = d1[0] * d2[1] - d1[1] * d2[0]
    if abs(cross) < rule.min_corner_sine * np.hypot(*d1) * np.hypot(*d2):
        return here
    m1, m2 = before.mean(axis=0), after.mean(axis=0)
    meeting: Array = m1 + ((m2[0] - m1[0]) * d2[1] - (m2[1] - m1[1]) * d2[0]) / cross * d1
    return meeting if np.hypot(*(meeting - here)) <= rule.max_sharpen_px else here


def _widest_gap(gap: NDArray[np.bool_]) -> Array:
    """1 on the longest run of True around the circle."""
    kept = np.zeros(len(gap))
    if gap.all() or not gap.any():
        return kept
    begin = int(np.argmin(gap))
    turned = np.concatenate([[False], np.roll(gap, -begin), [False]]).astype(np.int8)
    starts, ends = np.flatnonzero(np.diff(turned) == 1), np.flatnonzero(np.diff(turned) == -1)
    widest = int(np.argmax(ends - starts))
    kept[starts[widest] : ends[widest]] = 1
    return np.roll(kept, begin)


def over_the_roof(points: Array, hinges: Array, apex: tuple[float, float]) -> Array:
    """The part of the atrium's closed border that is not the mitral plane.

    Args:
        points: (N, 2) of the border, the last one followed by the first.
        hinges: (2, 2) both ends of the mitral plane.
        apex: of the ventricle: the roof lies the other way.

    Returns:
        (M, 2) from the first hinge point over the roof to the second.
    """
    apart = points - hinges[:, None]
    first, last = np.square(apart).sum(axis=-1).argmin(axis=1).tolist()
    low, high = min(first, last), max(first, last)
    inner, outer = points[low : high + 1], np.concatenate([points[high:], points[: low + 1]])
    down = hinges[0] + hinges[1] - 2 * np.array(apex)
    inside = float((inner @ down).sum()) * len(outer) > float((outer @ down).sum()) * len(inner)
    way = inner if inside else outer
    # The outer part runs from the higher place over the end of the border to the lower one.
    way = way if (first <= last) == inside else way[::-1]
    return np.concatenate([hinges[:1], way, hinges[1:]])
