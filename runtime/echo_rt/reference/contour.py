"""The loops over a contour: where its border runs, which part of it has wall, its long axis, the wall beside it."""

from __future__ import annotations

from math import atan2, floor, pi

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field
from echo_rt.reference.types import LongAxis, Pair


def reference_smoothed(
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


def reference_trace(
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


def reference_walled(points: Array, wall: Array, atrium: Array, reach: int, sharpen: float) -> Array | None:
    """The part of a closed border that has wall beside it, from one end of the opening in the wall to the other.

    Args:
        points: (N, 2) of the border, the last one followed by the first.
        wall, atrium: (N,) probability of either beside each point.
        reach: how many points from the end of the wall the corner of the border is looked for.
        sharpen: how far a rounded corner is moved out at most.

    Returns:
        (M, 2), M at most N; None where there is no opening, or too little wall.
    """
    n = len(points)
    contact = np.maximum(atrium - wall, 0)
    if contact.sum() < 0.02 * n:
        # No atrium in the picture: the widest gap in the wall is the opening.
        contact = _widest_gap(wall < 0.5)
        if contact.sum() < 0.05 * n:
            return None
    # Circular mean of the position along the border.
    turn = 2 * pi / n * np.arange(n)
    # The middle of a gap of an even number of points lies between two: always the one after it, whatever the last
    # digit.
    middle = floor(n * atan2(contact @ np.sin(turn), contact @ np.cos(turn)) / (2 * pi) + 0.5 + 1e-6)
    points, walled = np.roll(points, -middle, axis=0), np.roll(wall, -middle) > 0.5
    if walled[0]:
        # A spot of wall in the middle of the opening (valve tissue); start beside it, or there is none.
        opened = np.flatnonzero(~walled[: n // 4])
        if not len(opened):
            return None
        points, walled = np.roll(points, -opened[0], axis=0), np.roll(walled, -opened[0])
    if walled.sum() < max(1, n // 4):
        return None
    first, last = int(np.argmax(walled)), n - 1 - int(np.argmax(walled[::-1]))
    first, last = _corner(points, first, reach), _corner(points, last, reach)
    if last - first < max(1, n // 4):
        return None
    return np.vstack(
        [_sharpened(points, first, reach, sharpen), points[first + 1 : last], _sharpened(points, last, reach, sharpen)]
    )


def _corner(points: Array, near: int, reach: int) -> int:
    """The sharpest point of the border within `reach` steps of `near`: the one farthest from the chord between the
    ends."""
    begin = max(0, near - reach)
    arc = points[begin : near + reach + 1]
    (along_x, along_y), (x, y) = arc[-1] - arc[0], (arc - arc[0]).T
    return begin + int(np.abs(x * along_y - y * along_x).argmax())


def _sharpened(points: Array, corner: int, reach: int, most: float) -> Array:
    """Where the two sides of a corner would meet, had the smoothing not rounded it; the corner itself where they do not
    meet near."""
    away = np.arange(2, reach + 2)
    here: Array = points[corner]
    before, after = points[(corner - away) % len(points)], points[(corner + away) % len(points)]
    d1, d2 = before[0] - before[-1], after[0] - after[-1]
    cross = d1[0] * d2[1] - d1[1] * d2[0]
    if abs(cross) < 0.3 * np.hypot(*d1) * np.hypot(*d2):
        return here
    m1, m2 = before.mean(axis=0), after.mean(axis=0)
    meeting: Array = m1 + ((m2[0] - m1[0]) * d2[1] - (m2[1] - m1[1]) * d2[0]) / cross * d1
    return meeting if np.hypot(*(meeting - here)) <= most else here


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


def reference_long_axis(points: Array, shell: float, disks: int) -> LongAxis | None:
    """Measure an open contour along its own long axis.

    The axis begins in the middle between the ends of the contour.

    Args:
        points: (N, 2) from hinge to hinge, isotropic.
        shell: the apex lies in the direction of the mean of all points at least this fraction as far from there as the
            farthest one.
        disks: how many of equal height, perpendicular to the axis, from the mitral plane to the apex.

    Returns:
        None where the contour has no length.
    """
    if len(points) < 2 or not np.isfinite(points).all():
        return None
    origin = (points[0] + points[-1]) / 2
    away = np.hypot(*(points - origin).T)
    far = points[away >= shell * away.max()]
    towards = far.sum(axis=0) / len(far) - origin
    norm = float(np.hypot(*towards))
    if norm < 1e-6:
        return None
    direction = towards / norm
    axial, lateral = (points - origin) @ direction, (points - origin) @ np.array([-direction[1], direction[0]])
    crossing = np.flatnonzero((lateral[:-1] < 0) != (lateral[1:] < 0))
    if not len(crossing):
        return None
    a, b = lateral[crossing], lateral[crossing + 1]
    length = float((axial[crossing] + a / (a - b) * (axial[crossing + 1] - axial[crossing])).max())
    if length <= 0:
        return None
    level = (np.arange(disks)[:, None] + 0.5) * (length / disks)
    u0, u1, v0, v1 = axial, np.roll(axial, -1), lateral, np.roll(lateral, -1)
    # A side of the polygon that crosses the level upwards counts its position as plus, downwards as minus: what is left
    # is the length of the chord inside the polygon, also where the polygon is folded.
    sign = (u1 >= level).astype(np.float64) - (u0 >= level)
    rise = np.where(u1 == u0, 1.0, u1 - u0)
    diameters = np.abs((sign * (v0 + (level - u0) / rise * (v1 - v0))).sum(axis=1))
    apex = origin + length * direction
    return length, abs(signed_area(points)), (float(apex[0]), float(apex[1])), tuple(diameters.tolist())


def reference_wall_lines(
    cavity: Field,
    wall: Field,
    points: Array,
    up: Pair,
    length: float,
    origin: Pair,
    to_grid: Pair,
    levels: Array,
    reach: float,
    samples: int,
) -> tuple[Array, Array, NDArray[np.int8], Array, Array]:
    """Where the endocardium lies at some levels of each side of the long axis, and how thick the wall is from there
    along its normal.

    The wall ends where cavity and wall together fall below one half; between two samples, in proportion.

    Args:
        cavity, wall: (H, W) probabilities on the grid.
        points: (N, 2) the endocardium from hinge to hinge, N at least 3, isotropic, from the middle between the hinges
            on.
        up: unit vector of the long axis, towards the apex.
        length: of the axis.
        origin: on the grid, where `points` have zero.
        to_grid: grid pixels to one unit of length, along x and y.
        levels: (L + 2,) as fractions of the axis, from base to apex; the first and the last one are for the tangents
            beside them alone.
        reach: how far along the normal the end of the wall is looked for.
        samples: how many along each normal.

    Returns:
        (2, L) distance of the endocardium from the axis, on the side that the contour begins with and on the other one;
        (2, L) thickness, NaN where no wall or no end of it is seen; both in the unit of `points`. And (N,) of each
        point the third of the axis that it belongs to: from 0 at the base to 2 at the apex on the first side, from 3 at
        the apex to 5 at the base on the other. And (2, L, 2) where each normal begins and its unit vector outwards, as
        `points` are.
    """
    along_axis, across = np.array(up), np.array([-up[1], up[0]])
    level, lateral = points @ along_axis / length, points @ across
    # From hinge to hinge over the apex: the first side up to it, the second one back from the other end, so that both
    # go from base to apex.
    tip = min(max(int(level.argmax()), 1), len(level) - 2)
    out = np.array([-1.0, 1.0]) if lateral[0] < lateral[-1] else np.array([1.0, -1.0])
    profile = np.empty((2, len(levels)))
    for side, along in enumerate((slice(None, tip + 1), slice(None, tip - 1, -1))):
        profile[side] = np.interp(levels, np.maximum.accumulate(level[along]), out[side] * lateral[along])
    outwards = out[:, None, None] * across
    start = length * levels[1:-1, None] * along_axis + profile[:, 1:-1, None] * outwards
    rise, slope = length * (levels[2:] - levels[:-2]), profile[:, 2:] - profile[:, :-2]
    normal = rise[:, None] * outwards - slope[..., None] * along_axis
    normal /= np.maximum(np.hypot(rise, slope), 1e-9)[..., None]

    unit = reach / (samples - 1)
    lines = np.array(origin) + to_grid * (
        start[..., None, :] + normal[..., None, :] * (unit * np.arange(samples))[:, None]
    )
    muscle = sample(wall, lines)
    heart = sample(cavity, lines) + muscle
    ended = heart < 0.5
    ended[..., 0] = False
    end = ended.argmax(axis=-1)
    seen = (end > 0) & ((muscle > 0.5) & (np.arange(samples) < end[..., None])).any(axis=-1)
    before, after = (np.take_along_axis(heart, at[..., None], axis=-1)[..., 0] for at in (end - 1, end))
    thickness = np.where(seen, (end - (0.5 - after) / np.maximum(before - after, 1e-6)) * unit, np.nan)

    segment = np.minimum(3 * np.maximum(level, 0), 2).astype(np.int8)
    segment[tip + 1 :] = 5 - segment[tip + 1 :]
    return profile[:, 1:-1], thickness, segment, start, normal


def reference_depth(hull: Array, points: Array) -> Array:
    """How deep points (N, 2) lie inside a convex polygon (M, 2), no two corners the same: (N,) to the nearest side,
    negative outside."""
    sides = np.roll(hull, -1, axis=0) - hull
    inward = sides[:, ::-1] * (1, -1) / np.sqrt((sides * sides).sum(axis=1, keepdims=True))
    if (hull[2] - hull[0]) @ inward[0] < 0:
        inward = -inward
    depths: Array = (points @ inward.T - (hull * inward).sum(axis=1)).min(axis=1)
    return depths
