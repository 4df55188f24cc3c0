"""The wall of one frame: its six segments, their distance from the long axis and their thickness.

**Segments.** Each is a third of the long axis, perpendicular to it, on its side of the axis (Cerqueira et al.,
Circulation 105:539-542, 2002; Lang et al., J Am Soc Echocardiogr 28:1-39, 2015): basal, mid and apical from the mitral
plane to the apex. The septum is on the left of the picture, as the standard display has it. The labels cannot tell: a
`mirrored` display has to be told.

**Frame of reference.** Position is the distance from the long axis at a level, the level being a fraction of the axis.
Each picture has its own axis, from the middle of the mitral annulus to the apex. So a shift of the heart, its swing and
the descent of the base are no wall motion, as they would be in a frame fixed to the image (Clayton et al., Circulation
65:1518-1521, 1982). The price of a floating reference is known too (Schnittger et al., Circulation 70:242-254, 1984;
Pearlman et al., J Am Coll Cardiol 16:986-992, 1990): a reference made of the contour follows it, so that a static
segment seems to move a little and the one across from it a little less. A centroid goes half the way of each wall. The
axis hangs on annulus and apex alone, and errs where a hinge or the tip is misplaced: half the error of a hinge at the
base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.chambers import LeftVentricle
from echo_rt.reference.types import WallLines
from echo_rt.segmentation import Segmentation

LEVELS = 12
"""Levels of each segment at which the wall is measured: so many that the stairs of a mask even out."""

WALL_SAMPLES = 48
"""Along each normal, through the wall."""

WALL_REACH = 0.5
"""How far along the normal the epicardium is looked for, as a fraction of the long axis: a thick wall at the end of a
vigorous systole has 0.4."""

# Levels of one side from base to apex, and one more at each end for the tangent there.
_LEVEL = np.clip((np.arange(-1, 3 * LEVELS + 1) + 0.5) / (3 * LEVELS), 0, 1)
# What lies at the border of a segment belongs half to its neighbour: the middle counts most.
_WEIGHT = np.minimum(np.arange(LEVELS) + 0.5, LEVELS - np.arange(LEVELS) - 0.5)
_WEIGHT /= _WEIGHT.sum()


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredWall:
    """The wall of one frame.

    Attributes:
        measured: (2, 6) mean distance of the endocardium from the long axis and mean thickness of the wall by segment,
            mm or px, thickness NaN where no wall is seen.
        segment: (N,) of each point of the contour.
        start, normal: (2, 3 LEVELS, 2) lines through the wall, those of the septal side first.
    """

    measured: Array
    segment: NDArray[np.int8]
    start: Array
    normal: Array


def measure_wall(
    segmentation: Segmentation, ventricle: LeftVentricle, spacing_mm: tuple[float, float] | None, mirrored: bool = False
) -> MeasuredWall:
    """The wall of one frame, by segment.

    Args:
        segmentation: of the frame.
        ventricle: measured in it.
        spacing_mm: height and width of a pixel (row, column), or None.
        mirrored: the septum is on the right of the picture.
    """
    row, column = spacing_mm or (1.0, 1.0)
    length, place = ventricle.length, segmentation.map
    (x0, y0), (x1, y1) = ventricle.hinges.tolist()
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    apex_x, apex_y = ventricle.apex.tolist()
    cavity, wall = segmentation.probability[1:3]
    lines = WallLines(
        up=((apex_x - x) * column / length, (apex_y - y) * row / length),
        length=length,
        origin=((x - place.x0) / place.scale, (y - place.y0) / place.scale),
        to_grid=(1 / (column * place.scale), 1 / (row * place.scale)),
        levels=_LEVEL,
        reach=WALL_REACH * length,
        samples=WALL_SAMPLES,
    )
    points = (ventricle.contour - (x, y)) * (column, row)
    distances, found, segment, start, normal = native.wall_lines(cavity, wall, points, lines)
    by_side = np.array([distances.reshape(2, 3, LEVELS) @ _WEIGHT, _mean_thickness(found)])
    # The septal hinge is the one further to the left in the picture, whichever way up it is.
    if (ventricle.hinges[0, 0] > ventricle.hinges[1, 0]) != mirrored:
        by_side, segment, start, normal = by_side[:, ::-1], (5 - segment).astype(np.int8), start[::-1], normal[::-1]
    return MeasuredWall(by_segment(by_side), segment, start, normal)


def by_segment(by_side: Array) -> Array:
    """What is known by side and third (..., 2, 3), the septal side first, from base to apex, as (..., 6) in the order
    of `SEGMENTS`."""
    return np.concatenate([by_side[..., 0, :], by_side[..., 1, ::-1]], axis=-1)


def _mean_thickness(found: Array) -> Array:
    """(2, 3) by side and third, from the thickness (2, levels) along the normals; NaN where less than half of a third
    has one."""
    by_third = found.reshape(2, 3, LEVELS)
    seen = np.isfinite(by_third)
    whole = seen @ _WEIGHT
    mean: Array = np.where(whole >= 0.5, np.where(seen, by_third, 0.0) @ _WEIGHT / np.maximum(whole, 1e-9), np.nan)
    return mean
