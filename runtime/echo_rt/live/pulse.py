"""What is counted and timed while a feed is followed."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Mapping

from echo_rt.live.status import Counts, Drop, Timing

AGE_WINDOW_S, RATE_WINDOW_S = 60.0, 3.0

MOST = 120 * 60
"""Readings kept at most: a minute of the fastest feed."""


class Pulse:
    """The ages of the last minute's readings, kept in order, so that a percentile costs nothing at each frame."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, float]] = deque()
        self._ordered: list[float] = []

    def beat(self, now_s: float, age_ms: float) -> None:
        """A reading is out, that age after its frame came."""
        self._readings.append((now_s, age_ms))
        insort(self._ordered, age_ms)
        while self._readings[0][0] < now_s - AGE_WINDOW_S or len(self._readings) > MOST:
            _, old_ms = self._readings.popleft()
            del self._ordered[bisect_left(self._ordered, old_ms)]

    def timing(self, now_s: float) -> Timing:
        """Rate and ages at that time."""
        if not self._readings:
            return Timing()
        count = len(self._ordered)
        high = self._ordered[min(count - 1, int(0.99 * count))]
        return Timing(self._fps(now_s), self._readings[-1][1], self._ordered[count // 2], high)

    def _fps(self, now_s: float) -> float | None:
        times = []
        for t_s, _ in reversed(self._readings):
            if t_s < now_s - RATE_WINDOW_S:
                break
            times.append(t_s)
        return (len(times) - 1) / (times[0] - times[-1]) if len(times) > 1 and times[0] > times[-1] else None


class Tally:
    """Counts what becomes of the frames. `frames` and `reopened` (see `Counts`) have one thread each that counts."""

    def __init__(self) -> None:
        self.frames = self.reopened = 0
        self._dropped: Counter[Drop] = Counter()
        self._lock = threading.Lock()

    def drop(self, why: Drop) -> None:
        """Count a frame that will not be read; from any thread."""
        with self._lock:
            self._dropped[why] += 1

    def counts(self, lost: Mapping[str, int]) -> Counts:
        """What was counted so far, and what the outputs `lost`."""
        with self._lock:
            return Counts(self.frames, dict(self._dropped), self.reopened, lost)
