"""The monitor's loops over contours, a coarse picture and the samples of a systole: some hundred points each, where NumPy would spend its
time on the calls alone.

Each is there twice. Those whose names begin with `reference_` are the definitions, in NumPy; the others are the same sums in native code,
and the definitions themselves where it was not built. Positions are x, y; a field is zero outside of its array.
"""

from __future__ import annotations

from math import atan2, floor, pi

import cv2
import numpy as np
from numpy.typing import NDArray

try:
    from echo_rt import _native
except ImportError:  # installed without a C++ compiler: the references do the same, more slowly
    _native = None  # type: ignore[assignment]

Array = NDArray[np.float64]
Field = NDArray[np.float32]
Grey = NDArray[np.uint8]

Pair = tuple[float, float]

LongAxis = tuple[float, float, tuple[float, float], tuple[float, ...]]
"""Length of the long axis, area inside the contour, apex, diameters of the disks; in the unit of the contour, the area in its square."""


def reference_trace(
    field: Field, chain: NDArray[np.int32], level: float, wall: Field, atrium: Field, pad: float, reach: float
) -> tuple[Array, Array, Array, float]:
    """Move a closed chain of pixels to where the field has the level, and look beside it.

    The pixels go along the gradient, in three Newton steps of at most a pixel.

    Args:
        field: (H + 2 pad, W + 2 pad), with a margin around the grid.
        chain: (N, 2) pixels of `field`, none of them at its edge.
        level: of the field, inside above it.
        wall, atrium: (H, W) probabilities on the grid.
        pad: width of the margin in pixels.
        reach: how far outside of the border `wall` and `atrium` are read, as a fraction of the square root of its area.

    Returns:
        (N, 2) points on the grid, clockwise on the screen; (N,) wall and (N,) atrium beside them; the area inside, in grid pixels.
    """
    x, y = chain[:, 0], chain[:, 1]
    gradient = np.stack([field[y, x + 1] - field[y, x - 1], field[y + 1, x] - field[y - 1, x]], axis=1).astype(np.float64) / 2
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
    beside = points + reach * np.sqrt(area) * np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) - pad
    return points - pad, sample(wall, beside), sample(atrium, beside), area


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
    # The middle of a gap of an even number of points lies between two: always the one after it, whatever the last digit.
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
    return np.vstack([_sharpened(points, first, reach, sharpen), points[first + 1 : last], _sharpened(points, last, reach, sharpen)])


def _corner(points: Array, near: int, reach: int) -> int:
    """The sharpest point of the border within `reach` steps of `near`: the one farthest from the chord between the ends."""
    begin = max(0, near - reach)
    arc = points[begin : near + reach + 1]
    (along_x, along_y), (x, y) = arc[-1] - arc[0], (arc - arc[0]).T
    return begin + int(np.abs(x * along_y - y * along_x).argmax())


def _sharpened(points: Array, corner: int, reach: int, most: float) -> Array:
    """Where the two sides of a corner would meet, had the smoothing not rounded it; the corner itself where they do not meet near."""
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
        shell: the apex lies in the direction of the mean of all points at least this fraction as far from there as the farthest one.
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
    # A side of the polygon that crosses the level upwards counts its position as plus, downwards as minus: what is left is the length of
    # the chord inside the polygon, also where the polygon is folded.
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
) -> tuple[Array, Array, NDArray[np.int8]]:
    """Where the endocardium lies at some levels of each side of the long axis, and how thick the wall is from there along its normal.

    The wall ends where cavity and wall together fall below one half; between two samples, in proportion.

    Args:
        cavity, wall: (H, W) probabilities on the grid.
        points: (N, 2) the endocardium from hinge to hinge, N at least 3, isotropic, from the middle between the hinges on.
        up: unit vector of the long axis, towards the apex.
        length: of the axis.
        origin: on the grid, where `points` have zero.
        to_grid: grid pixels to one unit of length, along x and y.
        levels: (L + 2,) as fractions of the axis, from base to apex; the first and the last one are for the tangents beside them alone.
        reach: how far along the normal the end of the wall is looked for.
        samples: how many along each normal.

    Returns:
        (2, L) distance of the endocardium from the axis, on the side that the contour begins with and on the other one; (2, L)
        thickness, NaN where no wall or no end of it is seen; both in the unit of `points`. And (N,) of each point the third of the axis
        that it belongs to: from 0 at the base to 2 at the apex on the first side, from 3 at the apex to 5 at the base on the other.
    """
    along_axis, across = np.array(up), np.array([-up[1], up[0]])
    level, lateral = points @ along_axis / length, points @ across
    # From hinge to hinge over the apex: the first side up to it, the second one back from the other end, so that both go from base to apex.
    tip = min(max(int(level.argmax()), 1), len(level) - 2)
    out = np.array([-1.0, 1.0]) if lateral[0] < lateral[-1] else np.array([1.0, -1.0])
    profile = np.empty((2, len(levels)))
    for side, along in enumerate((slice(None, tip + 1), slice(None, tip - 1, -1))):
        profile[side] = np.interp(levels, np.maximum.accumulate(level[along]), out[side] * lateral[along])
    # On the grid, the outward normal for each unit of length.
    upwards, outwards = along_axis * to_grid, out[:, None, None] * across * to_grid
    start = np.array(origin) + length * levels[1:-1, None] * upwards + profile[:, 1:-1, None] * outwards
    rise, slope = length * (levels[2:] - levels[:-2]), profile[:, 2:] - profile[:, :-2]
    normal = rise[:, None] * outwards - slope[..., None] * upwards
    normal /= np.maximum(np.hypot(rise, slope), 1e-9)[..., None]

    unit = reach / (samples - 1)
    lines = start[..., None, :] + normal[..., None, :] * (unit * np.arange(samples))[:, None]
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
    return profile[:, 1:-1], thickness, segment


def reference_depth(hull: Array, points: Array) -> Array:
    """How deep points (N, 2) lie inside a convex polygon (M, 2), no two corners the same: (N,) to the nearest side, negative outside."""
    sides = np.roll(hull, -1, axis=0) - hull
    inward = sides[:, ::-1] * (1, -1) / np.sqrt((sides * sides).sum(axis=1, keepdims=True))
    if (hull[2] - hull[0]) @ inward[0] < 0:
        inward = -inward
    depths: Array = (points @ inward.T - (hull * inward).sum(axis=1)).min(axis=1)
    return depths


def reference_coarse(
    image: Grey, size: tuple[int, int], dark: int, chroma: int, window: tuple[int, int, int, int]
) -> tuple[Grey, Grey, float]:
    """An image on a coarse grid: one of its pixels for each coarse one, as it is.

    Args:
        image: (H, W) grey or (H, W, 3) BGR.
        size: height and width of the grid, at most those of the image.
        dark: levels up to which a pixel is not lit.
        chroma: levels between the strongest and the weakest colour from which on a pixel may be saturated; it is, where the weakest is
            below that difference.
        window: first and last row (the last one not included), first and last column in which saturated pixels are counted.

    Returns:
        (h, w) strongest colour; (h, w) 1 where it is lit, else 0; and of the window the share of saturated pixels in lit ones, those that
        a line or a letter of one pixel's width makes left out.
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


def reference_sector(lit: Grey, speck: float) -> Array | None:
    """The convex hull of what is lit.

    Args:
        lit: (h, w), 1 where it is, else 0. Gaps up to two pixels wide are closed, and what is thinner than three pixels is left out.
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
    corners: Array = cv2.convexHull(np.stack([x, y], axis=1).astype(np.int32))[:, 0, :].astype(np.float64) if len(x) else np.zeros((0, 2))
    return corners if len(corners) > 2 else None


def systole_form(t: Array, begins: Array, lasts: Array) -> Array:
    """The parts of K systoles of a certain form, see `echo_rt.cardiac.systole`.

    Args:
        t: (N,) times.
        begins, lasts: (3, K) when the kick, the ejection and the filling begin, and how long they last.

    Returns:
        (K, N, 4): one, and those three. The kick goes from -1 to 0, the ejection from 0 to -1, the filling from 0 to 1.
    """
    u = np.clip((t - begins[..., None]) / lasts[..., None], 0.0, 1.0)
    form = np.empty((begins.shape[1], len(t), 4))
    form[..., 0] = 1.0
    form[..., 1] = u[0] * u[0] * (3 - 2 * u[0]) - 1
    flow = u[1:] * (0.7 + u[1:] * (1.4 - 1.1 * u[1:]))
    form[..., 2] = -flow[0]
    form[..., 3] = flow[1]
    return form


def systole_heights(form: Array, y: Array) -> tuple[Array, Array]:
    """For K forms (K, N, 4) and C curves (C, N): heights (K, C, 4) of the parts, none but the first negative, and what is left over,
    squared (K, C)."""
    square, right = (form.transpose(0, 2, 1) @ form)[:, None], y @ form
    # A part that is zero in all samples has a height of zero.
    square = square + 1e-9 * form.shape[1] * np.eye(4)
    heights: Array = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    for _ in range(2):
        # What would be negative is left out: the best without it, in all but contrived cases.
        wrong = heights < 0
        wrong[..., 0] = False
        if not wrong.any():
            break
        left = ~wrong
        square, right = square * (left[..., :, None] & left[..., None, :]), right * left
        square = square + wrong[..., :, None] * np.eye(4)
        heights = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    return heights, (y * y).sum(axis=1) - (heights * right).sum(axis=-1)


def reference_systole_misfits(t: Array, y: Array, begins: Array, lasts: Array) -> Array:
    """(K, C) what K systoles, see `systole_form`, leave over of C curves (C, N), squared."""
    return systole_heights(systole_form(t, begins, lasts), y)[1]


trace = _native.trace if _native is not None else reference_trace
walled = _native.walled if _native is not None else reference_walled
long_axis = _native.long_axis if _native is not None else reference_long_axis
wall_lines = _native.wall_lines if _native is not None else reference_wall_lines
depth = _native.depth if _native is not None else reference_depth
coarse = _native.coarse if _native is not None else reference_coarse
sector = _native.sector if _native is not None else reference_sector
systole_misfits = _native.systole_misfits if _native is not None else reference_systole_misfits
