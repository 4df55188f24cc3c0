"""A recording or the phantom, played at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.sources.base import Source

if TYPE_CHECKING:
    from typing_extensions import Self

LATE_S = 1.0
"""A source that is behind by more than this was held up; it goes on from there, and does not hurry to catch up."""


class Paced:
    """A source whose frames come when their time has come, as from a scanner. The attributes are those of the source.

    Args:
        source: not yet entered.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._given_up = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    name: str
    frames: int | None
    fps: float | None
    spacing_mm: tuple[float, float] | None
    spacing_note: str | None
    view: str | None

    def interrupt(self) -> None:
        """End the wait for the next frame, and with it the source. From any thread."""
        self._given_up.set()

    def __enter__(self) -> Self:
        self._source.__enter__()
        self._start_s: float | None = None
        self._given_up.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = next(self._source)
        now_s = time.monotonic()
        if self._start_s is None or now_s > self._start_s + frame.t_s + LATE_S:
            self._start_s = now_s - frame.t_s
        if self._given_up.wait(max(0.0, self._start_s + frame.t_s - now_s)):
            raise StopIteration
        return frame
