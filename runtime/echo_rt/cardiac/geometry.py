"""From probabilities to a measured ventricle: sub-pixel contour, mitral hinge points, apex, method of disks.

Method of disks (modified Simpson) and area-length as in Lang et al., J Am Soc Echocardiogr 28:1-39, 2015. The long axis
runs from the mid-point between the mitral hinge points to the apex, the contour's point farthest from there. 20 disks
are perpendicular to it. The cavity ends at the straight line between the hinge points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.arrays import Array, Field
from echo_rt.chambers import Disks, LeftVentricle, Scale
from echo_rt.model import DEFAULT_CONTOUR, ContourRule
from echo_rt.segmentation import Segmentation

DISKS = 20

ML_PER_MM3 = 1e-3

CONTOUR_SIGMA = 0.8
"""Standard deviation in grid pixels of the smoothing before the contour is drawn. It turns hard labels into a slope on
which a sub-pixel border exists, and moves the border of a circle of 8 pixels' radius by only 0.04 pixels."""

MARGIN = 10
"""Grid pixels around the cavity that take part: further away nothing is smoothed into the border, nor does it move
there."""

PAD = 2
"""Pixels of zeros around the grid: they close contours that run into its edge."""

MIN_PIXELS = 30
"""A cavity of fewer grid pixels has no shape worth measuring."""


# To more than three standard deviations.
_SMOOTHING = np.asarray(cv2.getGaussianKernel(7, CONTOUR_SIGMA)[:, 0], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The cavity's border on the grid, and what lies outside it.

    Attributes:
        points: (N, 2) x, y on the grid; closed (the last point is followed by the first), clockwise on the screen.
        wall, atrium: (N,) probability of wall and of atrium a little outside each point.
        area: inside, in grid pixels.
    """

    points: Array
    wall: Array
    atrium: Array
    area: float


def outline(segmentation: Segmentation, rule: ContourRule = DEFAULT_CONTOUR) -> Outline | None:
    """The border of the largest piece of cavity, its holes filled; None where there is no cavity to speak of."""
    cavity, wall, atrium = segmentation.probability[1:4]
    found = largest_piece(cavity)
    if found is None:
        return None
    field, chain, origin = found
    return Outline(*native.trace(field, chain, 0.5, wall, atrium, origin, rule.beside))


def largest_piece(label: Field) -> tuple[Field, NDArray[np.int32], tuple[int, int]] | None:
    """The largest piece of a label on the grid.

    Args:
        label: (h, w) its probability.

    Returns:
        The smoothed part of the grid that holds it, the pixels (N, 2) along its border there, and where that part
        begins; None where there is no piece to speak of.
    """
    smoothed = native.smoothed(label, 0.5, MARGIN, PAD, _SMOOTHING)
    if smoothed is None:
        return None
    field, origin = smoothed
    pieces, _ = cv2.findContours((field > 0.5).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not pieces:
        return None
    area, place = max((cv2.contourArea(piece), place) for place, piece in enumerate(pieces))
    chain = np.asarray(pieces[place][:, 0, :], np.int32)
    return None if len(chain) < 8 or area < MIN_PIXELS else (field, chain, origin)


def endocardium(border: Outline, rule: ContourRule = DEFAULT_CONTOUR) -> Array | None:
    """The part of the border that has wall beside it: (N, 2) on the grid, from one mitral hinge point to the other.

    The mitral plane is found from what lies behind the border, not from image rows: from the middle of the contact with
    the atrium both ways until there is wall. None where the border has no such opening.
    """
    # The wall beside a point is seen along its normal, which turns at the corner: the corner itself lies a little
    # further on.
    reach = max(2, round(rule.corner_reach * border.area**0.5))
    return native.walled(border.points, border.wall, border.atrium, reach, rule)


def disks_volume(one: Disks, other: Disks, *, same_scale: bool = True) -> float:
    """Method of disks: elliptical disks with the diameters of two views, or twice the same for one view.

    Args:
        one, other: the two views; of a single plane both are the same.
        same_scale: whether their lengths can be compared: the guideline (Lang 2015) takes the longer of the two axes.
            Where one image has no scale, the length of `one` is taken; the volume is then in a unit of its own, and a
            ratio of two such volumes still is one.

    Returns:
        pi / 4 times the sum of diameter times diameter times height, in the cube of the unit of length.
    """
    length = max(one.length, other.length) if same_scale else one.length
    # NumPy would take ten times as long to make arrays of so few.
    products = sum(a * b for a, b in zip(one.diameters, other.diameters, strict=True))
    return math.pi / 4 * products * length / len(one.diameters)


def polyline_length(points: Array) -> float:
    """Length of a line through points (N, 2), in their unit."""
    steps = points[1:] - points[:-1]
    return float(np.sqrt((steps * steps).sum(axis=1)).sum())


def measure(
    contour: Array, spacing_mm: tuple[float, float] | None, rule: ContourRule = DEFAULT_CONTOUR
) -> LeftVentricle | None:
    """Measure a cavity by its endocardial contour.

    Args:
        contour: (N, 2) x, y in image pixels, from one hinge point to the other.
        spacing_mm: height and width of a pixel (row, column), or None.
        rule: of the model.

    Returns:
        None where the contour has no length.
    """
    row, column = spacing_mm or (1.0, 1.0)
    scale = np.array([column, row])
    measured = native.long_axis(contour * scale, rule.apex_shell, DISKS)
    if measured is None:
        return None
    length, area, apex, diameters = measured
    disks = Disks(diameters, length)
    to_ml = ML_PER_MM3 if spacing_mm else 1.0
    return LeftVentricle(
        contour=contour,
        apex=apex / scale,
        hinges=contour[[0, -1]],
        length=length,
        area=area,
        volume=disks_volume(disks, disks) * to_ml,
        volume_area_length=8 * area**2 / (3 * np.pi * length) * to_ml,
        scale=Scale.of(spacing_mm),
        disks=disks,
        endocardium=polyline_length(contour * scale),
    )


def find_ventricle(
    segmentation: Segmentation,
    border: Outline,
    spacing_mm: tuple[float, float] | None,
    rule: ContourRule = DEFAULT_CONTOUR,
) -> LeftVentricle | None:
    """The measured ventricle of a frame whose cavity has `border`; None where it has no mitral plane."""
    wall_side = endocardium(border, rule)
    return None if wall_side is None else measure(segmentation.map.to_image(wall_side), spacing_mm, rule)
