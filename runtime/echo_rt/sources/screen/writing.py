"""What is written beside the marks of a ruler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.sources.screen.lattice import Lattice
from echo_rt.sources.screen.mark_shapes import Flags

HIGH, HALF_WAY = 0.013, 0.45
"""Half the height of a number, as a share of the screen's shorter side; as a share of the way to the next number at
most."""

REACH, APART = 0.06, 0.006
"""How far from its mark a number ends, and how far apart its digits stand, as shares of that side."""

CLOSE_PX = 2
"""Pixels beside the end of a mark that still may be its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """What is written beside each mark: arrays of (2, K) for either side, and of (K,).

    Attributes:
        columns: how many columns are lit beside the mark, across the ruler; 0 for nothing.
        widths: pixels from left to right of the number; 0 for none.
        crowded: whether much is lit beside the mark, as beside a letter or a bullet.
        plain: how much the marks themselves are ticks or dots and no words, see `likeness`.
    """

    columns: Array
    widths: Array
    crowded: Flags
    plain: float


def number_widths(small: Image, lattice: Lattice, points: Array, ends: Array, least: float) -> Array:
    """(2, K) how wide the number beside each mark is on the screen, on either side; 0 for none.

    Numbers stand upright beside oblique rulers too.

    Args:
        small: (H, W) what `small_things` gave.
        lattice: the ruler, on which every second mark or fewer have a number.
        points: (K, 2) x, y of its points.
        ends: (2, K) where each mark ends, in pixels across the ruler from its point.
        least: brightness of a number.
    """
    along, across = lattice.axes()
    side_px = min(small.shape)
    high = max(2, round(min(HIGH * side_px, HALF_WAY * 2 * lattice.step * along[1])))
    reach, apart = round(REACH * side_px), max(2, round(APART * side_px))
    widths = np.zeros((2, len(points)))
    for k, point in enumerate(points):
        for side, sign in enumerate((-1, 1)):
            x, y = np.round(point + across * ends[side, k]).astype(int)
            rows = small[max(y - high, 0) : y + high + 1]
            first = x + sign * CLOSE_PX
            beside = (
                rows[:, first : first + reach] if sign > 0 else rows[:, max(first - reach, 0) : max(first, 0)][:, ::-1]
            )
            lit = np.flatnonzero((beside > least).any(axis=0)) if beside.size else np.empty(0, int)
            if len(lit):
                word = np.split(lit, np.flatnonzero(np.diff(lit) > apart) + 1)[0]
                widths[side, k] = word[-1] - word[0] + 1
    return widths
