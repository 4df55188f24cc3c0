"""Evenly spaced marks along a line: where a ruler may stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.sources.screen.fan import Fan
from echo_rt.sources.screen.marks import Marks

Flags = NDArray[np.bool_]

LEAST_MARKS = 5
"""Fewer marks on a line say nothing: a ruler of 6 cm has six."""

STEPS_PX = (5.0, 1.004)
"""The smallest distance of marks that is looked for, and the ratio from one distance to the next."""

COARSEST = 4.5
"""The largest distance is the depth over this."""

EVEN = 0.62
"""How even marks must be spaced: length of the mean of their phases, 1 for a perfect ruler and about 0.3 by chance."""

OBLIQUE_DEG = np.concatenate([np.arange(-60, -17.5, 0.5), np.arange(18, 60.5, 0.5)])
"""Against the vertical: rulers along a side of the sector."""

AXIS = 0.05
"""Share of the depth within which a ruler on the sector's axis lies beside the tip as it was found."""

NEAR_TIP = 0.08
"""Share of the depth by which such a ruler passes beside the tip."""

LEAST_BRIGHT = 90.0, 0.0
"""Grey levels from which on marks take part: first the bright ones alone, for the sector's own edge has faint ones."""

MOST, MOST_ALIKE = 10, 3
"""Lattices that are looked at more closely, upright and oblique; of the same step."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Evenly spaced points on a line, in pixels of the screen.

    Attributes:
        angle_deg: of the line against the vertical, positive to the right on the way down.
        across: the line's distance from the origin, along (cos, -sin) of the angle.
        first: the place of one of the points along the line, along (sin, cos) of the angle.
        step: from point to point.
        score: how sure it is; for comparisons alone.
    """

    angle_deg: float
    across: float
    first: float
    step: float
    score: float

    def axes(self) -> tuple[Array, Array]:
        """Unit vectors (x, y) along the line and across it."""
        return axes(self.angle_deg)


def axes(angle_deg: float) -> tuple[Array, Array]:
    """Unit vectors (x, y) along a line at that angle and across it."""
    sine, cosine = np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))
    return np.array([sine, cosine]), np.array([cosine, -sine])


def find_lattices(marks: Marks, fan: Fan) -> list[Lattice]:
    """Where evenly spaced marks stand beside the sector, on its axis or along a side of it; the best first."""
    waves = Waves(fan.depth)
    found = []
    for least in LEAST_BRIGHT:
        bright = marks.peak >= least
        found += _best(_upright(marks, bright, fan, waves)) + _best(_oblique(marks, bright, fan, waves))
    return found


class Waves:
    """The phase of each place in each step.

    Args:
        depth: of the sector in pixels.
    """

    def __init__(self, depth: float) -> None:
        count = int(np.log(max(depth / COARSEST / STEPS_PX[0], 1.1)) / np.log(STEPS_PX[1]))
        self.depth, self.steps = depth, STEPS_PX[0] * STEPS_PX[1] ** np.arange(count)
        turns = np.arange(int(1.3 * depth) + 2, dtype=np.float32)[:, None] / self.steps[None, :].astype(np.float32)
        turns -= np.floor(turns)
        turns *= np.float32(2 * np.pi)
        self._cosine, self._sine = np.cos(turns), np.sin(turns)

    def even(self, places: NDArray[np.int64]) -> tuple[float, float, float] | None:
        """Step, one place and score of the evenly spaced among some places in order; None where there are none.

        The Rayleigh statistic: with the right step, all places have one phase. So they have with half of it, and thus
        the largest such step counts.
        """
        start = int(places[0])
        inside = (places - start)[places - start < len(self._cosine)]
        real, imaginary = self._cosine[inside].sum(axis=0), self._sine[inside].sum(axis=0)
        even = np.hypot(real, imaginary) / len(places)
        best = float(even.max())
        if best < EVEN:
            return None
        # On the flank of a peak the statistic is high as well: of the last run of high values the highest.
        high = np.flatnonzero(even > max(0.9 * best, EVEN))
        gaps = np.flatnonzero(np.diff(high) > 1)
        run = high[gaps[-1] + 1 if len(gaps) else 0 :]
        n = int(run[np.argmax(even[run])])
        turn = float(np.arctan2(imaginary[n], real[n])) / (2 * np.pi)
        return float(self.steps[n]), start + turn * float(self.steps[n]), float(even[n]) * float(np.sqrt(len(places)))


def _upright(marks: Marks, bright: Flags, fan: Fan, waves: Waves) -> Iterator[Lattice]:
    """Lattices of marks that are level at their left ends, their right ends or in their middle."""
    depth, reach = fan.depth, (fan.tip[1] - 0.12 * fan.depth, fan.bottom + 0.06 * fan.depth)
    inside = bright & (marks.y > reach[0]) & (marks.y < reach[1]) & (marks.thick < max(5.0, 0.05 * depth))
    # In the sector tissue makes marks of its own. There a ruler stands on the axis alone.
    inside &= ~fan.holds(marks.x, marks.y) | (np.abs(marks.x - fan.tip[0]) < AXIS * depth)
    y, alone = marks.y[inside], marks.alone[inside]
    for across in ((marks.left - 0.5)[inside], (marks.right + 0.5)[inside], marks.x[inside]):
        yield from _in_bins(across, y, alone, 1.6, waves, 0.0)


def _oblique(marks: Marks, bright: Flags, fan: Fan, waves: Waves) -> Iterator[Lattice]:
    depth = fan.depth
    keep = bright & (marks.thick < max(6.0, 0.05 * depth)) & ~fan.holds(marks.x, marks.y)
    keep &= np.hypot(marks.x - fan.tip[0], marks.y - fan.tip[1]) < 1.1 * depth
    points, alone = np.stack([marks.x, marks.y], axis=1)[keep], marks.alone[keep]
    for angle in OBLIQUE_DEG:
        along, across = axes(float(angle))
        u, v = points @ across, points @ along
        near = np.abs(u - across @ np.array(fan.tip)) < NEAR_TIP * depth
        yield from _in_bins(u[near], v[near], alone[near], 0.004 * depth + 1.0, waves, float(angle))


def _in_bins(u: Array, v: Array, alone: Flags, width: float, waves: Waves, angle_deg: float) -> Iterator[Lattice]:
    """Lattices among points (u across, v along), each in a strip of `width`; strips overlap by half. Those of letters
    score least."""
    order = np.argsort(u)
    u, v, alone = u[order], v[order], alone[order]
    starts = np.arange(u[0] - width / 2, u[-1], width / 2) if len(u) else np.empty(0)
    lows, highs = np.searchsorted(u, starts), np.searchsorted(u, starts + width)
    for low, high in zip(lows, highs, strict=True):
        if high - low < LEAST_MARKS:
            continue
        places = np.unique(np.round(v[low:high]).astype(int))
        if len(places) < LEAST_MARKS or places[-1] - places[0] < 0.45 * waves.depth:
            continue
        if (fit := waves.even(places)) is not None:
            step, first, score = fit
            score *= 0.25 + float(alone[low:high].mean())
            yield Lattice(angle_deg, float(np.median(u[low:high])), first, step, score)


def _best(found: Iterator[Lattice]) -> list[Lattice]:
    """The best of them; of those that are nearly the same one, and of those of one step a few: a menu has many."""
    kept: list[Lattice] = []
    for lattice in sorted(found, key=lambda one: -one.score):
        alike = [one for one in kept if abs(one.step / lattice.step - 1) < 0.03]
        if len(alike) < MOST_ALIKE and not any(_same(lattice, one) for one in alike):
            kept.append(lattice)
        if len(kept) == MOST:
            break
    return kept


def _same(one: Lattice, two: Lattice) -> bool:
    """Of nearly the same step and place; in a strip across the tip a line is found at several angles."""
    if one.angle_deg:
        return abs(one.angle_deg - two.angle_deg) < 3
    return abs(one.across - two.across) <= 3
