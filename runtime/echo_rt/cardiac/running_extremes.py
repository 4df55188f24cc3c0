"""The largest and the smallest number of the last seconds."""

from __future__ import annotations

from collections import deque


class RunningExtremes:
    """The extremes of the numbers of the last `span_s` seconds; two monotonic queues keep the cost of each constant."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self._falling: deque[tuple[float, float]] = deque()
        self._rising: deque[tuple[float, float]] = deque()

    def clear(self) -> None:
        """Forget everything."""
        self._falling.clear()
        self._rising.clear()

    def push(self, t_s: float, number: float) -> None:
        """Take the next number; times only grow."""
        while self._falling and self._falling[-1][1] <= number:
            self._falling.pop()
        while self._rising and self._rising[-1][1] >= number:
            self._rising.pop()
        for queue in (self._falling, self._rising):
            queue.append((t_s, number))
            while queue[0][0] < t_s - self.span_s:
                queue.popleft()

    @property
    def highest(self) -> float:
        """The largest; 0 where there is no number."""
        return self._falling[0][1] if self._falling else 0.0

    @property
    def lowest(self) -> float:
        """The smallest; 0 where there is no number."""
        return self._rising[0][1] if self._rising else 0.0
