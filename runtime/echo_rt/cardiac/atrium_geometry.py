"""The left atrium of one frame: its border from one mitral hinge point over the roof to the other, and its volume.

Method of disks and area-length as for the ventricle (Lang et al., J Am Soc Echocardiogr 28:1-39, 2015). The axis runs
from the middle between the hinge points to the roof; appendage and veins are left out by whoever labels.
"""

from __future__ import annotations

import numpy as np

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.cardiac.curve import NOT_SEEN
from echo_rt.cardiac.geometry import DISKS, ML_PER_MM3, disks_volume, largest_piece
from echo_rt.cardiac.picture import Picture
from echo_rt.chambers import Disks, LeftAtrium, LeftVentricle, Scale
from echo_rt.model import CLASSES
from echo_rt.segmentation import Segmentation

ROOF_SHELL = 0.9
"""The roof is flat: the axis points to the mean of all points at least this fraction as far away as the farthest."""

CUT_SHARE = 0.15
"""Share of the border that may lie on the sector's edge. Of simulated atria with less of it at most 1 % is cut off,
with twice as much a tenth and more."""

CUT_OFF, UNCLEAR = "the atrium is cut off by the sector", "the atrium is not seen clearly"


_ATRIUM = CLASSES.index("left_atrium")


def find_atrium(
    segmentation: Segmentation,
    ventricle: LeftVentricle,
    picture: Picture,
    spacing_mm: tuple[float, float] | None,
    least_confidence: float = 0.0,
) -> LeftAtrium | None:
    """The left atrium below a ventricle; None where no atrium is seen.

    Args:
        segmentation: of the frame.
        ventricle: measured in it.
        picture: its image, whose sector may cut the atrium off.
        spacing_mm: height and width of a pixel (row, column), or None.
        least_confidence: mean probability of the atrium where it won, below which it is drawn where one usually is.
    """
    cavity, wall, atrium = segmentation.probability[1:4]
    found = largest_piece(atrium)
    if found is None:
        return None
    field, chain, origin = found
    border = native.trace(field, chain, 0.5, wall, cavity, origin, 0.0)
    points = segmentation.map.to_image(border[0])
    won, _, sum_won = segmentation.tally[:, _ATRIUM].tolist()
    reason = None
    if picture.edge_share(points) > CUT_SHARE:
        reason = CUT_OFF
    elif sum_won < least_confidence * won:
        reason = UNCLEAR
    apex_x, apex_y = ventricle.apex.tolist()
    over_roof = native.over_the_roof(points, ventricle.hinges, (apex_x, apex_y))
    return measure_atrium(over_roof, spacing_mm, reason)


def measure_atrium(
    contour: Array, spacing_mm: tuple[float, float] | None, reason: str | None = None
) -> LeftAtrium | None:
    """Measure an atrium by its border (N, 2) x, y in image pixels, from one hinge point over the roof to the other;
    None where it has no length. The `reason` is passed on."""
    row, column = spacing_mm or (1.0, 1.0)
    measured = native.long_axis(contour * (column, row), ROOF_SHELL, DISKS)
    if measured is None:
        return None
    length, area, _, diameters = measured
    disks, to_ml = Disks(diameters, length), ML_PER_MM3 if spacing_mm else 1.0
    return LeftAtrium(
        length=length,
        area=area,
        volume=disks_volume(disks, disks) * to_ml,
        volume_area_length=8 * area**2 / (3 * np.pi * length) * to_ml,
        reason=reason,
        scale=Scale.of(spacing_mm),
    )


def atrium_volumes(atrium: LeftAtrium | None) -> tuple[float, float]:
    """By disks, and by area and length; NaN where they are not to be trusted."""
    if atrium is None or atrium.reason is not None:
        return NOT_SEEN
    return atrium.volume, atrium.volume_area_length
