"""R peaks in a trace, found stretch by stretch."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.sources.screen.pens import Columns

STRETCH_S, OVERLAP_S = 6.0, 1.0
"""R peaks are looked for in stretches of that length; the end of one is looked at again with the next."""

CANDIDATE, R_SHARE = 0.35, 0.6
"""Of the tallest deflection, from which on a narrow one may be an R wave; of the usual one of these, from which it
is."""

STEEP, STEEP_S = 0.5, 0.035
"""On both sides of an R peak, that many seconds away, less than that share of its height is left: a T wave is wider."""

LEAST_PX, LEAST_THICK = 5.0, 2.5
"""A lower R wave, in pixels or in thicknesses of the trace, cannot be told from its tremble."""

SHORTEST_S, LONGEST_S = 0.25, 2.5
"""From one R peak to the next."""


class PeakFinder:
    """Takes the columns of a trace and gives the times of its R peaks. It keeps one stretch of columns."""

    def __init__(self) -> None:
        self._columns: list[Columns] = []
        self._first_s = self._last_s = 0.0
        self._found: list[float] = []

    def add(self, columns: Columns) -> None:
        """Take columns that are later than all before."""
        if not len(columns[0]):
            return
        if not self._columns:
            self._first_s = float(columns[0][0])
        self._columns.append(columns)
        self._last_s = float(columns[0][-1])
        if self._last_s - self._first_s >= STRETCH_S:
            self._look(self._last_s - OVERLAP_S)

    def result(self) -> tuple[float, ...]:
        """The peaks so far, in seconds; none where they are no heart's."""
        self._look(np.inf)
        found = np.array(self._found)
        steps = np.diff(found)
        if not len(steps) or np.mean((steps >= SHORTEST_S) & (steps <= LONGEST_S)) < 0.7:
            return ()
        return tuple(found.tolist())

    def _look(self, until_s: float) -> None:
        """Find the peaks before a time, and forget the columns before it but for the last second."""
        if not self._columns:
            return
        times, top, bottom = (np.concatenate([columns[n] for columns in self._columns]) for n in range(3))
        since_s = self._found[-1] + SHORTEST_S if self._found else -np.inf
        self._found += [t_s for t_s in r_peaks(times, top, bottom) if since_s <= t_s < until_s]
        keep = times > until_s - OVERLAP_S
        self._columns = [(times[keep], top[keep], bottom[keep])] if keep.any() else []
        if self._columns:
            self._first_s = float(times[keep][0])


def r_peaks(times_s: Array, top: Array, bottom: Array) -> list[float]:
    """Times in seconds of the R peaks of a trace.

    Args:
        times_s: (N,) of its columns, in order.
        top, bottom: (N,) highest and lowest row in each.
    """
    if len(times_s) < 10:
        return []
    middle, tall = (top + bottom) / 2, bottom - top
    base, thick = float(np.median(middle)), float(np.median(tall)) + 1
    found: list[tuple[float, list[float]]] = []
    for height in (base - top, bottom - base):
        tallest = float(np.quantile(height, 0.995))
        if tallest < max(LEAST_PX, LEAST_THICK * thick):
            continue
        candidates = _groups(times_s, height, CANDIDATE * tallest)
        kept = [(t, h) for t, h in candidates if _is_narrow(times_s, height, t, h)]
        usual = float(np.median([h for _, h in kept])) if kept else 0.0
        found.append((usual, [t for t, h in kept if h >= R_SHARE * usual]))
    return max(found, key=lambda one: one[0], default=(0.0, []))[1]


def _groups(times_s: Array, height: Array, least: float) -> list[tuple[float, float]]:
    """Time and height of each deflection that is at least so high, of those close to each other the highest."""
    high = np.flatnonzero(height >= least)
    if not len(high):
        return []
    groups = np.split(high, np.flatnonzero(np.diff(times_s[high]) > SHORTEST_S / 2) + 1)
    peaks = []
    for group in groups:
        crest = group[height[group] >= height[group].max() - 0.5]
        peaks.append((float(times_s[crest].mean()), float(height[group].max())))
    return peaks


def _is_narrow(times_s: Array, height: Array, t_s: float, tall: float) -> bool:
    """Whether the trace falls on both sides of a peak."""
    return all(float(np.interp(t_s + side_s, times_s, height)) < STEEP * tall for side_s in (-STEEP_S, STEEP_S))
