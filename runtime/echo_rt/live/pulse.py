"""How fast readings come, and how old they are when they are out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

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

    def fps(self, now_s: float) -> float | None:
        """Readings a second over the last seconds; None where there were fewer than two."""
        times = []
        for t_s, _ in reversed(self._readings):
            if t_s < now_s - RATE_WINDOW_S:
                break
            times.append(t_s)
        return (len(times) - 1) / (times[0] - times[-1]) if len(times) > 1 and times[0] > times[-1] else None

    def ages_ms(self) -> tuple[float | None, float | None, float | None]:
        """Newest, median and 99th percentile; None where there are no readings."""
        if not self._readings:
            return None, None, None
        count = len(self._ordered)
        return self._readings[-1][1], self._ordered[count // 2], self._ordered[min(count - 1, int(0.99 * count))]
