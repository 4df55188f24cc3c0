"""A recording or the phantom, played at its own pace."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.sources.base import Source
from echo_rt.sources.feed import Wrapped

if TYPE_CHECKING:
    from typing_extensions import Self

LATE_S = 1.0
"""A source that is behind by more than this was held up; it goes on from there, and does not hurry to catch up."""


class Paced(Wrapped):
    """A source whose frames come when their time has come, as from a scanner."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._given_up = threading.Event()
        self._start_s: float | None = None

    def interrupt(self) -> None:
        """End the wait for the next frame, and with it the source. From any thread."""
        self._given_up.set()

    def __enter__(self) -> Self:
        self._start_s = None
        self._given_up.clear()
        return super().__enter__()

    def __next__(self) -> Frame:
        frame = super().__next__()
        now_s = time.monotonic()
        if self._start_s is None or now_s > self._start_s + frame.t_s + LATE_S:
            self._start_s = now_s - frame.t_s
        if self._given_up.wait(max(0.0, self._start_s + frame.t_s - now_s)):
            raise StopIteration
        return frame
