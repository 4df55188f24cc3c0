"""The long axis of a contour, and the disks along it."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.reference.points import signed_area
from echo_rt.reference.types import LongAxis


def long_axis(points: Array, shell: float, disks: int) -> LongAxis | None:
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
