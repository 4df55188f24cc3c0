"""What the loops take and give."""

from __future__ import annotations

from typing import NamedTuple

from echo_rt.arrays import Array, Field

Pair = tuple[float, float]

LongAxis = tuple[float, float, Pair, tuple[float, ...]]
"""Length of the long axis, area inside the contour, apex, diameters of the disks; in the unit of the contour, the area
in its square."""


class WallLines(NamedTuple):
    """The lines through the wall, from the endocardium outwards along its normals.

    Attributes:
        up: unit vector of the long axis, towards the apex.
        length: of the axis.
        origin: on the grid, where the endocardium has zero.
        to_grid: grid pixels to one unit of length, along x and y.
        levels: (L + 2,) where the lines begin, as fractions of the axis from base to apex; the first and the last one
            are for the tangents beside them alone.
        reach: how far along each line the end of the wall is looked for.
        samples: how many along each line.
    """

    up: Pair
    length: float
    origin: Pair
    to_grid: Pair
    levels: Array
    reach: float
    samples: int


class Tint(NamedTuple):
    """How a class is coloured in a picture.

    Attributes:
        label: of the class.
        to_grid: scale, and shift along x and y: picture pixel p shows grid position scale * p + shift.
        colour: blue, green, red.
        share: of the colour where the class is certain.
    """

    label: int
    to_grid: tuple[float, float, float]
    colour: tuple[int, int, int]
    share: float


class SpecklePicture(NamedTuple):
    """A part of an image in cells: (h, w), and row and column of the first cell."""

    field: Field
    corner: tuple[int, int]


class SpeckleSearch(NamedTuple):
    """How the motion of speckle along lines through the wall is searched for.

    Attributes:
        origin: cell, x and y, where the lines have zero.
        to_cells: cells to one unit of length, along x and y.
        unit: between two samples of a line.
        samples: along each line.
        rounds: of the search.
    """

    origin: Pair
    to_cells: Pair
    unit: float
    samples: int
    rounds: int
