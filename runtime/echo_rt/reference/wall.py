"""The wall beside the endocardium."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field
from echo_rt.reference.points import sample
from echo_rt.reference.types import WallLines


def wall_lines(
    cavity: Field, wall: Field, points: Array, lines: WallLines
) -> tuple[Array, Array, NDArray[np.int8], Array, Array]:
    """Where the endocardium lies at some levels of each side of the long axis, and how thick the wall is there.

    The first side is the one that the contour begins with. Lengths are in the unit of `points`.

    Args:
        cavity, wall: (H, W) probabilities on the grid.
        points: (N, 2) the endocardium from hinge to hinge, N at least 3, isotropic, from the middle between the hinges
            on.
        lines: through the wall.

    Returns:
        (2, L) distance of the endocardium from the axis; (2, L) thickness, NaN where no wall or no end of it is seen;
        (N,) of each point the third of the axis, from 0 at the base to 2 at the apex on the first side, from 3 at the
        apex to 5 at the base on the other; (2, L, 2) where each line begins; and its unit vector outwards.
    """
    up, across, length, levels = np.array(lines.up), np.array([-lines.up[1], lines.up[0]]), lines.length, lines.levels
    level, lateral = points @ up / length, points @ across
    # From hinge to hinge over the apex: the first side up to it, the second one back from the other end, so that both
    # go from base to apex.
    tip = min(max(int(level.argmax()), 1), len(level) - 2)
    out = np.array([-1.0, 1.0]) if lateral[0] < lateral[-1] else np.array([1.0, -1.0])
    profile = np.empty((2, len(levels)))
    for side, along in enumerate((slice(None, tip + 1), slice(None, tip - 1, -1))):
        profile[side] = np.interp(levels, np.maximum.accumulate(level[along]), out[side] * lateral[along])
    outwards = out[:, None, None] * across
    start = length * levels[1:-1, None] * up + profile[:, 1:-1, None] * outwards
    rise, slope = length * (levels[2:] - levels[:-2]), profile[:, 2:] - profile[:, :-2]
    normal = rise[:, None] * outwards - slope[..., None] * up
    normal /= np.maximum(np.hypot(rise, slope), 1e-9)[..., None]

    segment = np.minimum(3 * np.maximum(level, 0), 2).astype(np.int8)
    segment[tip + 1 :] = 5 - segment[tip + 1 :]
    return profile[:, 1:-1], _thickness(cavity, wall, start, normal, lines), segment, start, normal


def _thickness(cavity: Field, wall: Field, start: Array, normal: Array, lines: WallLines) -> Array:
    """(2, L) along each line. The wall ends where cavity and wall together fall below one half; between two samples, in
    proportion."""
    unit = lines.reach / (lines.samples - 1)
    steps = np.arange(lines.samples)
    along = start[..., None, :] + normal[..., None, :] * (unit * steps)[:, None]
    places = np.array(lines.origin) + lines.to_grid * along
    muscle = sample(wall, places)
    heart = sample(cavity, places) + muscle
    ended = heart < 0.5
    ended[..., 0] = False
    end = ended.argmax(axis=-1)
    seen = (end > 0) & ((muscle > 0.5) & (steps < end[..., None])).any(axis=-1)
    before, after = (np.take_along_axis(heart, at[..., None], axis=-1)[..., 0] for at in (end - 1, end))
    return np.where(seen, (end - (0.5 - after) / np.maximum(before - after, 1e-6)) * unit, np.nan)
