"""Where each tissue point is at each instant, and back: the deformation that carries the speckle.

Along the axis everything moves with the base and stands still at the apex and behind the atria. Across it, at each
height, the borders of wall and cavity are carried from where they are at rest to where they are now, what lies between
them in proportion, and what lies outside less and less with its distance. The same function maps both ways, with the
two states exchanged.
"""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.cavity import SIDE

REACH_MM = 22.0
"""Over which the motion across the axis fades outside the heart's wall."""

_BELOW = np.array([1.0, 0.62, 0.28, 0.08, 0.0])
_BELOW_MM = np.array([-4.0, -22.0, -42.0, -62.0, -85.0])
"""Share of the base's motion at distances below the annulus: the roof of the atria stands still."""


def carry(x: Array, z: Array, start: State, end: State) -> tuple[Array, Array]:
    """Heart-frame positions at `end` of the tissue that is at (x, z) at `start`; mm, any shape."""
    z_end = _along(x, z, start, end)
    below_start, below_end = _borders(start), _borders(end)
    e_l, c_l, c_r, e_r = (np.interp(z, *border) for border in below_start)
    f_l, g_l, g_r, f_r = (np.interp(z_end, *border) for border in below_end)
    eps = 1e-3
    inside = g_l + (x - c_l) * (g_r - g_l) / np.maximum(c_r - c_l, eps)
    left = f_l + (x - e_l) * (g_l - f_l) / np.maximum(c_l - e_l, eps)
    right = g_r + (x - c_r) * (f_r - g_r) / np.maximum(e_r - c_r, eps)
    x_end = np.where(x < c_l, left, np.where(x > c_r, right, inside))
    far_left = x + (f_l - e_l) * np.exp(np.minimum(x - e_l, 0) / REACH_MM)
    far_right = x + (f_r - e_r) * np.exp(np.minimum(e_r - x, 0) / REACH_MM)
    x_end = np.where(x < e_l, far_left, np.where(x > e_r, far_right, x_end))
    return x_end, z_end


def _along(x: Array, z: Array, start: State, end: State) -> Array:
    def knots(state: State) -> Array:
        # From deep in the atria up to the chest wall; the last one stands for all that never moves.
        apex, tip = state.endo[SIDE - 1, 1], state.epi[SIDE - 1, 1]
        below = (_BELOW_MM + state.base * _BELOW)[::-1]
        return np.concatenate([[-300.0], below, [state.base, apex, tip, tip + 25, 400.0]])

    a, b = knots(start), knots(end)
    # The chest wall above the tip stands still, whatever the tip does.
    a[-2], b[-2] = max(a[-3], b[-3]) + 20, max(a[-3], b[-3]) + 20
    z_end = np.interp(z, a, b)
    # Far beside the heart there is less motion: neighbours are not attached to it.
    beside = np.clip((np.abs(x - 5) - 50) / 50, 0, 1)
    return np.asarray(z_end + (z - z_end) * 0.7 * beside * beside * (3 - 2 * beside))


def _borders(state: State) -> list[tuple[Array, Array]]:
    """Epicardium, endocardium, endocardium, epicardium from left to right, each as (z rising, x)."""
    endo_l, endo_r = state.endo[:SIDE], state.endo[: SIDE - 2 : -1]
    epi_l, epi_r = state.epi[:SIDE], state.epi[: SIDE - 2 : -1]
    borders = []
    for border, sign in ((epi_l, -1), (endo_l, -1), (endo_r, 1), (epi_r, 1)):
        # Below the annulus the borders go on into the atria, and stand still (at a fixed distance from the axis) at
        # their roof.
        z = np.r_[-70.0, -25.0 + 0.5 * state.base, border[:, 1]]
        x = np.r_[sign * 24.0, 0.5 * border[0, 0] + sign * (12.0 + 2.5 * state.contraction), border[:, 0]]
        if border is epi_l or border is epi_r:
            x[:2] += sign * 8.0
        borders.append((z, x))
    return borders
