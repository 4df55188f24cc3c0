"""The definitions of the loops over pixels, contours and samples, in NumPy and OpenCV.

`echo_rt.native` has them in C++ too, under the same names. Positions are x, y; a field is zero outside of its array.
May import the arrays, the map of the grid and the rules of a model.
"""

from __future__ import annotations

from echo_rt.reference.axis import long_axis
from echo_rt.reference.contour import over_the_roof, smoothed, trace, walled
from echo_rt.reference.drawing import tint
from echo_rt.reference.mask import enlarge
from echo_rt.reference.picture import coarse, depth, sector
from echo_rt.reference.postprocess import postprocess, tally
from echo_rt.reference.preprocess import Preprocess
from echo_rt.reference.speckle import cells, follow_speckle
from echo_rt.reference.systole import systole_misfits
from echo_rt.reference.wall import wall_lines

__all__ = [
    "Preprocess",
    "cells",
    "coarse",
    "depth",
    "enlarge",
    "follow_speckle",
    "long_axis",
    "over_the_roof",
    "postprocess",
    "sector",
    "smoothed",
    "systole_misfits",
    "tally",
    "tint",
    "trace",
    "wall_lines",
    "walled",
]
