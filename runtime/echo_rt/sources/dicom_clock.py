"""The clock of a DICOM cine: which of the header's times is believed, and what is said of the others.

FrameIncrementPointer names the attribute that holds the time between frames (PS3.3 C.7.6.6). What it names wins where
it can be true. A FrameTimeVector that it does not name must have a length that fits the frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from echo_rt.arrays import Array
from echo_rt.sources.dicom_header import number, numbers

POSSIBLE_MS = (0.1, 10_000.0)
"""An increment outside is a mistake: no scanner makes 10000 frames a second, or waits ten seconds within a cine."""

USUAL_MS = (2.0, 200.0)
"""Between the frames of a heart: 5 to 500 frames a second."""

AGREE = 0.1
"""Two clocks whose periods agree to this share say the same: rates are often rounded to whole numbers."""

MIN_CUMULATIVE, MIN_RISING = 6, 16
"""So many increments that only grow are times, for jitter goes up and down. The second is for those that do not begin
near 0."""

_POINTED = {0x00181063: "FrameTime", 0x00181065: "FrameTimeVector"}

_UNITS = {
    "FrameTime": ("seconds", "microseconds"),
    "FrameTimeVector": ("seconds", "microseconds"),
    "ActualFrameDuration": ("seconds", "microseconds"),
    "EffectiveDuration": (None, "milliseconds"),
}
"""The unit of a value that is a thousand times too small, and of one that is a thousand times too large."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of the frames.

    Attributes:
        times_s: (frames,) seconds, the first 0, strictly increasing.
        notes: one line each on what in the header contradicts them.
        usual: hearts are filmed at that rate.
    """

    times_s: Array
    notes: tuple[str, ...] = ()
    usual: bool = True

    @property
    def period_s(self) -> float:
        return float(np.median(np.diff(self.times_s)))

    def at(self, index: int) -> float:
        """Seconds of a frame, also of one after the last that the header knows."""
        last = self.times_s.size - 1
        return (
            float(self.times_s[index]) if index <= last else float(self.times_s[last]) + (index - last) * self.period_s
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One attribute's word on the time between frames."""

    name: str
    increments_ms: Array  # (frames - 1,)
    doubt: int  # 0 usual, 1 usual in another unit, 2 possible
    notes: tuple[str, ...] = ()

    @property
    def period_ms(self) -> float:
        return float(np.median(self.increments_ms))


def clock(header: Dataset, frames: int, counted: bool = True) -> Clock | None:
    """The clock of a header for that many frames, at least 2; None where it has none that can be used.

    Without a count of the frames (`counted`), the duration of all is no clock.

    In this order: what FrameIncrementPointer names, a FrameTimeVector that fits, FrameTime, any other FrameTimeVector,
    CineRate, RecommendedDisplayFrameRate, ActualFrameDuration, EffectiveDuration. A usual rate goes before one that is
    only possible. Increments of a vector that cannot be true become the median of the others.
    """
    with np.errstate(all="ignore"):  # a damaged vector holds any number
        candidates = list(_candidates(header, frames))
    if not counted:
        candidates = [candidate for candidate in candidates if candidate.name != "EffectiveDuration"]
    if not candidates:
        return None
    chosen = min(candidates, key=lambda candidate: candidate.doubt)  # the first of those least in doubt
    notes = list(chosen.notes)
    others = [
        f"{other.name} says {1000 / other.period_ms:.4g}"
        for other in candidates
        if other is not chosen and other.doubt < 2 and not _agree(other.period_ms, chosen.period_ms)
    ]
    if others:
        notes.append(
            f"the clocks of the header disagree: {chosen.name} says {1000 / chosen.period_ms:.4g} frames a second and "
            f"is used, {', '.join(others)}"
        )
    elif chosen.doubt == 2:
        notes.append(f"{chosen.name} says {1000 / chosen.period_ms:.4g} frames a second, which is unusual for a heart")
    times_ms = np.concatenate([[0.0], np.cumsum(chosen.increments_ms)])
    return Clock(np.asarray(times_ms / 1000, np.float64), tuple(notes), usual=chosen.doubt < 2)


def _candidates(header: Dataset, frames: int) -> Iterator[_Candidate]:
    """What can be used, the most trusted first."""
    pointed = next((_POINTED[int(tag)] for tag in numbers(header, "FrameIncrementPointer") if tag in _POINTED), None)
    values = numbers(header, "FrameTimeVector")
    vector = _of_vector(values, frames)
    fits = len(values) in (frames, frames - 1)
    steady = [
        _of_period("FrameTime", number(header, "FrameTime"), frames),
        _of_period("CineRate", _period_ms(number(header, "CineRate")), frames),
        _of_period("RecommendedDisplayFrameRate", _period_ms(number(header, "RecommendedDisplayFrameRate")), frames),
        _of_period("ActualFrameDuration", number(header, "ActualFrameDuration"), frames),
        _of_period("EffectiveDuration", 1000 * number(header, "EffectiveDuration") / frames, frames),
    ]
    steady.insert(0 if pointed == "FrameTimeVector" or (fits and pointed is None) else 1, vector)
    return (candidate for candidate in steady if candidate is not None)


def _of_period(name: str, period_ms: float, frames: int) -> _Candidate | None:
    scale, doubt, notes = _unit(name, period_ms)
    if not POSSIBLE_MS[0] <= period_ms * scale <= POSSIBLE_MS[1]:
        return None
    return _Candidate(name, np.full(frames - 1, period_ms * scale), doubt, notes)


def _of_vector(values: list[float], frames: int) -> _Candidate | None:
    """From the increments since the frame before, in ms; the first is 0 by the standard, and some leave it out."""
    notes = []
    if _counts_up(values):
        notes.append("FrameTimeVector counts up from the first frame instead of from frame to frame")
        # A count that leaves out its first zero begins with the second frame.
        short = len(values) < frames and values[0] > 0
        vector = np.diff(([0.0] if short else []) + values).tolist()
    else:
        vector = values[1:] if values and (len(values) >= frames or values[0] == 0) else list(values)
    given = np.asarray(vector[: frames - 1], np.float64)
    positive = given[np.isfinite(given) & (given > 0)]
    if not positive.size:
        return None
    scale, doubt, unit = _unit("FrameTimeVector", float(np.median(positive)))
    increments = np.full(frames - 1, np.nan)
    increments[: given.size] = given * scale
    good = (increments >= POSSIBLE_MS[0]) & (increments <= POSSIBLE_MS[1])
    if not good.any():
        return None
    bad = int(np.count_nonzero(~good[: given.size]))
    increments[~good] = np.median(increments[good])
    if bad:
        notes.append(f"{bad} increments of the FrameTimeVector cannot be true and became the median of the others")
    if len(values) not in (frames, frames - 1):
        notes.append(f"FrameTimeVector has {len(values)} values for {frames} frames")
    return _Candidate("FrameTimeVector", increments, doubt, (*unit, *notes))


def _counts_up(values: list[float]) -> bool:
    """Whether a vector holds the time of each frame instead of the time since the frame before."""
    if len(values) < MIN_CUMULATIVE or not all(math.isfinite(value) and value >= 0 for value in values):
        return False
    steps = np.diff(values)
    if not np.all(steps > 0):
        return False
    step = float(np.median(steps))
    if values[1] <= 3 * step:  # from the first frame
        return True
    # From the start of the machine: increments that no heart has, or that grow without end.
    usual = _unit("FrameTimeVector", step)[1] < 2
    return usual and (len(values) >= MIN_RISING or not _is_usual(float(np.median(values))))


def _unit(name: str, period_ms: float) -> tuple[float, int, tuple[str, ...]]:
    """What makes milliseconds of a value, how doubtful it then is, and a note where the unit is another one."""
    if _is_usual(period_ms):
        return 1.0, 0, ()
    if not POSSIBLE_MS[0] <= period_ms <= POSSIBLE_MS[1]:
        for unit, scale in zip(_UNITS.get(name, ()), (1000.0, 0.001), strict=False):
            if unit and _is_usual(period_ms * scale):
                return scale, 1, (f"{name} is in {unit}, by its size",)
    return 1.0, 2, ()


def _is_usual(period_ms: float) -> bool:
    return USUAL_MS[0] <= period_ms <= USUAL_MS[1]


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= AGREE * min(one, other)


def _period_ms(rate: float) -> float:
    return 1000 / rate if rate > 0 else math.nan
