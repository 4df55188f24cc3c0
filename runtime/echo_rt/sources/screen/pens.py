"""When each column of a trace was written: by a sweep or by a scroll."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.sources.screen.strip import Profile

SPEEDS = (0.04, 1.5)
"""Widths of the screen a second: the speeds a trace may have. Some are a fifth of the screen long."""

SETTLED_S = 0.15
"""A column is read that long after it was written: by then its time is known well."""

JUMP = 0.08
"""Share of the screen's width by which the pen goes back for the next sweep."""

STRAY_S = 0.12
"""What appears that far from where the pen should be was not written by it."""

NEAR_PX, NEAR_S = 3.0, 0.02
"""How near to a steady pen each picture shows it, in pixels or in seconds."""

MEASURED = 16
"""Shifts from which the speed of a scroll is taken."""

LAG_S = 0.2
"""Between two pictures of which the shift is measured: several columns, and less than a beat."""

Columns = tuple[Array, Array, Array]
"""Of some columns in the order of time: seconds, highest and lowest row."""

_NOTHING: Columns = (np.empty(0), np.empty(0), np.empty(0))


class Pen(Protocol):
    """What writes a trace: it knows when each column was written."""

    def read(self, t_s: float, profile: Profile) -> Columns:
        """The columns that were settled since the last picture."""

    def rest(self) -> Columns:
        """The columns that were not read yet, after the last picture."""


def learn_pen(seen: list[tuple[float, Profile]], moved: tuple[int, int]) -> Pen | None:
    """The pen that wrote these pictures; None where nothing is written at a steady speed.

    Args:
        seen: times in seconds, and what the strip shows.
        moved: the first and the last column that moved in the first of them.
    """
    if len(seen) < 8:
        return None
    return learn_sweep(seen) or learn_scroll(seen, moved)


def _columns(times_s: Array, profile: Profile, columns: NDArray[np.int64]) -> Columns:
    """Those of the columns in which there is a trace."""
    there = profile.lit[columns]
    at = columns[there]
    return times_s[there], profile.top[at].astype(np.float64), profile.bottom[at].astype(np.float64)


# -- a sweep -----------------------------------------------------------------------------------------------------------


class SweepPen:
    """Writes from left to right. When it is at a column is known from where it is in each picture.

    Args:
        speed: columns a second.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._before: tuple[float, Profile] | None = None
        self._starts: list[float] = []  # when the pen was at column 0 in this sweep, by each picture
        self._head = self._done = -1

    def read(self, t_s: float, profile: Profile) -> Columns:
        """See `Pen`."""
        found = _NOTHING
        before, self._before = self._before, (t_s, profile)
        if before is None:
            return found
        head = written(before[1], profile)
        if head is None or t_s <= before[0]:
            return found
        start = t_s - head / self._speed
        if self._starts and head < self._head - JUMP * len(profile.lit):
            # A new sweep. What the last one wrote still stands at the right.
            found = self._between(before[1], self._head)
            self._starts, self._done = [], -1
        elif self._starts and abs(start - median(self._starts)) > STRAY_S:
            return found  # something else that appeared
        self._starts = [*self._starts[-24:], start]
        self._head = head
        settled = self._between(profile, head - round(SETTLED_S * self._speed))
        rest, new = found, settled
        return np.concatenate([rest[0], new[0]]), np.concatenate([rest[1], new[1]]), np.concatenate([rest[2], new[2]])

    def rest(self) -> Columns:
        """See `Pen`."""
        return _NOTHING if self._before is None else self._between(self._before[1], self._head)

    def _between(self, profile: Profile, last: int) -> Columns:
        """The columns from the last one read up to `last`."""
        if not self._starts or last <= self._done:
            return _NOTHING
        first = self._done + 1 if self._done >= 0 else max(0, self._head - round(SETTLED_S * self._speed) - 4)
        if len(self._starts) > 3 and self._done < 0:
            first = 0 if self._head < 0.4 * len(profile.lit) else first
        columns = np.arange(first, last + 1)
        self._done = last
        return _columns(median(self._starts) + columns / self._speed, profile, columns)


def written(before: Profile, after: Profile) -> int | None:
    """The last of the columns that were written between two pictures; None where none was."""
    new = np.flatnonzero(after.lit & ~before.lit)
    if not len(new):
        return None
    # Of runs with small holes the longest: elsewhere a pixel may flicker.
    runs = np.split(new, np.flatnonzero(np.diff(new) > 3) + 1)
    return int(max(runs, key=len)[-1])


def learn_sweep(seen: list[tuple[float, Profile]]) -> SweepPen | None:
    """A pen whose place in the pictures moves steadily; None where it does not."""
    width = len(seen[0][1].lit)
    heads = [(after[0], head) for before, after in pairwise(seen) if (head := written(before[1], after[1])) is not None]
    if len(heads) < max(6, 0.5 * len(seen)):
        return None
    t, x = np.array(heads, np.float64).T
    steps = np.diff(x) / np.maximum(np.diff(t), 1e-6)
    speed = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if not SPEEDS[0] * width <= speed <= SPEEDS[1] * width:
        return None
    sweeps = np.split(np.arange(len(t)), np.flatnonzero(np.diff(x) < -JUMP * width) + 1)
    slopes, kept = [], 0
    for sweep in sweeps:
        fit = _line(t[sweep], x[sweep], speed, max(NEAR_PX, NEAR_S * speed))
        if fit is not None:
            slopes.append(fit)
            kept += fit[1]
    if kept < 0.6 * len(t):
        return None
    speed = float(np.average([slope for slope, _ in slopes], weights=[n**3 for _, n in slopes]))
    return SweepPen(speed)


def _line(t: Array, x: Array, speed: float, near: float) -> tuple[float, int] | None:
    """Slope of the line through most points of a sweep, and how many lie on it."""
    if len(t) < 5:
        return None
    keep = np.abs(x - speed * t - np.median(x - speed * t)) < 5 * near
    slope, shift = speed, 0.0
    for _ in range(4):
        if keep.sum() < 5:
            return None
        slope, shift = np.polyfit(t[keep], x[keep], 1)
        keep = np.abs(x - slope * t - shift) < near
    return (float(slope), int(keep.sum())) if 0.7 * speed < slope < 1.4 * speed else None


# -- a scroll ----------------------------------------------------------------------------------------------------------


class ScrollPen:
    """Writes at the right end of a trace that moves to the left.

    Args:
        speed: columns a second.
        end: the last column.
    """

    def __init__(self, speed: float, end: int) -> None:
        self._speed, self._end = speed, end
        self._before: tuple[float, Profile] | None = None
        self._until_s = -np.inf

    def read(self, t_s: float, profile: Profile) -> Columns:
        """See `Pen`."""
        self._before = t_s, profile
        return self._between(t_s - SETTLED_S)

    def rest(self) -> Columns:
        """See `Pen`."""
        return _NOTHING if self._before is None else self._between(self._before[0] - 3 / self._speed)

    def _between(self, until_s: float) -> Columns:
        assert self._before is not None
        t_s, profile = self._before
        columns = np.arange(self._end + 1)
        times_s = t_s - (self._end - columns) / self._speed
        chosen = (times_s > self._until_s) & (times_s <= until_s)
        self._until_s = until_s
        return _columns(times_s[chosen], profile, columns[chosen])


def learn_scroll(seen: list[tuple[float, Profile]], moved: tuple[int, int]) -> ScrollPen | None:
    """A pen that moves the whole trace steadily; None where it does not."""
    width = len(seen[0][1].lit)
    shares = np.mean([profile.lit for _, profile in seen], axis=0)
    # All of a scroll moves: what is lit beside it is something else.
    there = moved[0] + np.flatnonzero(shares[moved[0] : moved[1] + 1] > 0.6)
    if len(there) < 0.1 * width:
        return None
    first, end = int(there[0]), int(there[-1])
    speeds = []
    for n in range(0, len(seen), max(1, len(seen) // MEASURED)):
        t_s, profile = seen[n]
        later = next(((t, p) for t, p in seen[n + 1 :] if t - t_s >= LAG_S), None)
        if later is None:
            break
        shift = _moved(profile, later[1], first, end, round(SPEEDS[1] * width * (later[0] - t_s)))
        if shift is not None:
            speeds.append(shift / (later[0] - t_s))
    if len(speeds) < 4:
        return None
    speed = float(np.median(speeds))
    steady = np.abs(np.array(speeds) - speed) < max(0.04 * speed, 2.0 / LAG_S)
    if steady.mean() < 0.6 or not SPEEDS[0] * width <= speed <= SPEEDS[1] * width:
        return None
    return ScrollPen(float(np.mean(np.array(speeds)[steady])), end)


def _moved(before: Profile, after: Profile, first: int, end: int, most: int) -> float | None:
    """By how many columns the trace moved to the left; None where it does not say."""
    span = end - first + 1
    most = min(most, span // 2)
    a = np.where(before.lit, before.middle, np.nan)[first : end + 1]
    b = np.where(after.lit, after.middle, np.nan)[first : end + 1]
    errors = np.full(most + 1, np.inf)
    for shift in range(most + 1):
        differ = np.minimum(np.abs(a[shift:] - b[: span - shift]), 8.0)
        known = np.isfinite(differ)
        if known.sum() > 0.5 * (span - shift):
            errors[shift] = differ[known].mean()
    n = int(errors.argmin())
    # A trace that stands still, or is flat, fits anywhere.
    if n < 1 or n >= most or not errors[n] < 0.5 * np.median(errors[np.isfinite(errors)]):
        return None
    low, middle, high = errors[n - 1 : n + 2]
    bend = low + high - 2 * middle
    return n + (float(0.5 * (low - high) / bend) if np.isfinite(bend) and bend > 0 else 0.0)
