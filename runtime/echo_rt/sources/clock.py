"""The times of a recording's frames, from stamps that may be missing, stand still or lie."""

from __future__ import annotations

import statistics
from pathlib import Path

from echo_rt.errors import ParameterError, SourceFormatError

CLOCK_RESET_S = 1.0
"""Time stamps that go back by more than this were reset (spliced transport streams); by less, they are out of order."""

PLAUSIBLE_FPS = (2.0, 1000.0)
"""Frames a second of a beating heart: the slowest shows two a beat, the fastest is that of research scanners."""

RATE_SLACK = 0.1
"""Share by which a header's rate may miss that of the time stamps before it is worth a word."""

JUDGED_FRAMES = 30
"""By then a clock that cannot be believed shows; the rest of the file need not be read for it."""

MAX_STEPS = 2000


class StampClock:
    """Makes the time stamps of a file strictly increasing, and leaves those that are so as they are.

    Args:
        path: of the file, for errors.
        fps: frames a second by its header, where it says so.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        self._path = path
        self._fps = fps
        self._last: float | None = None
        self._offset = 0.0
        self._steps: list[float] = []  # seconds from frame to frame, the first `MAX_STEPS`
        self._moved = 0  # stamps that stood still or went back
        self._frames = 0
        self._span_s = 0.0

    def at(self, stamp: float | None) -> float:
        """Seconds, for a frame with that time stamp.

        Raises:
            SourceFormatError: it has none, and the header has no rate.
        """
        if self._last is None:
            self._last = stamp or 0.0
            self._frames = 1
            return self._last
        if stamp is None:
            t_s = self._last + self._period()
        else:
            t_s = stamp + self._offset
            if t_s < self._last - CLOCK_RESET_S:
                t_s = self._last + self._period()
                self._offset = t_s - stamp
            elif t_s <= self._last:
                # By a tenth of a period, so that the stamps after it, if they are right, need not be moved.
                t_s = self._last + self._period() / 10
                self._moved += 1
        step = t_s - self._last
        if len(self._steps) < MAX_STEPS:
            self._steps.append(step)
        self._span_s += step
        self._frames += 1
        self._last = t_s
        return t_s

    def judge(self) -> float | None:
        """Frames a second by the stamps so far, None before the second frame.

        Raises:
            ParameterError: most stamps stand still, or no scanner has that rate.
        """
        if not self._steps:
            return None
        if 2 * self._moved > self._frames - 1:
            raise self._unbelievable(f"{self._moved} of {self._frames} that stand still or go back")
        fps = 1 / statistics.median(self._steps)
        if not PLAUSIBLE_FPS[0] <= fps <= PLAUSIBLE_FPS[1]:
            raise self._unbelievable(f"{fps:.3g} frames a second")
        return fps

    def disagreement(self) -> str | None:
        """A note on a header whose rate is not that of the stamps; None where they agree or the header has none."""
        fps = self.judge()
        if fps is None or self._fps is None:
            return None
        mean = (self._frames - 1) / self._span_s
        if any(abs(self._fps - found) <= RATE_SLACK * found for found in (fps, mean)):
            return None
        return f"the header says {self._fps:.4g} frames a second, the time stamps {fps:.4g}: the stamps are used"

    def _unbelievable(self, found: str) -> ParameterError:
        return ParameterError(
            f"{self._path}: expected time stamps of a beating heart, found {found}; give the frame rate with --fps"
        )

    def _period(self) -> float:
        if self._fps is None:
            raise SourceFormatError(
                f"{self._path}: expected time stamps or a frame rate, found neither; give its frame rate with --fps"
            )
        return 1 / self._fps
