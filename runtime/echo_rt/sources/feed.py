"""What all live feeds have in common: a camera, a network stream, an OpenIGTLink server."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from echo_rt.errors import SourceError
from echo_rt.frame import Frame
from echo_rt.sources.base import Source
from echo_rt.sources.leaving import ending, in_library
from echo_rt.sources.scale import is_oblong, is_placeholder

if TYPE_CHECKING:
    from typing_extensions import Self

    from echo_rt.arrays import Image

    FeedPicture = tuple[Image, float | None, tuple[float, float] | None]
    """Image, the sender's time stamp in seconds or None, and spacing in mm or None."""

STILL_S = 1.0
"""A sender whose stamps have not gone on for that long has no clock."""

WINDOW_S, SLOWEST = 10.0, 0.5
"""Neither has one whose stamps go on at less than half of time's pace for that long. A sender that was held up has
caught up by then, or is lost."""

JUMP_S = (0.5, 10.0)
"""Seconds by which stamps may go back, or forward beyond the time that passed, from frame to frame.

More is a clock that was set anew, which is tied to this machine's again; less is disorder, or frames that were lost.
"""

TORN_S = 0.5
"""By which a clock that was set anew goes on later: how long it took is not known, so that no beat may run across."""

LEAST_STEP_S = 1e-4
"""Between two frames whose stamps are the same or go back."""

PLAUSIBLE_MM = (30.0, 500.0)
"""Height and width of a whole image of the heart. A sender that knows no scale sends pixels of 1 mm: 640 mm for a usual
image."""


class FeedClock:
    """Seconds since the first frame, strictly increasing, from the sender's time stamps where they go on as clocks do.

    A sender may be ahead of time for any while: a recording that comes as fast as the network goes, a stream in
    segments of some seconds each, or one that was held up and catches up. Its stamps are right all the same. Where they
    are none or cannot be right, the time of arrival stands for them.
    """

    def __init__(self) -> None:
        self._start_s = 0.0
        self._last_s: float | None = None
        self._arrived_s = 0.0
        self._stamp_s: float | None = None
        self._offset_s = 0.0
        self._went_on_s = 0.0  # arrival of the last stamp that was later than the one before
        self._window = (0.0, 0.0)  # stamp and arrival at its beginning
        self._believed = True

    def at(self, stamp_s: float | None, arrived_s: float) -> float:
        """Time of a frame, in seconds.

        Args:
            stamp_s: the sender's time stamp, None where there is none.
            arrived_s: when it arrived, by any steady clock of this machine.
        """
        if self._last_s is None:
            self._start_s, self._last_s = arrived_s, 0.0
            if stamp_s is not None:
                self._tie(stamp_s, arrived_s, 0.0)
        else:
            here_s = arrived_s - self._start_s
            t_s = here_s
            if stamp_s is not None and self._believed:
                self._judge(stamp_s, arrived_s, max(here_s, self._last_s + arrived_s - self._arrived_s))
                t_s = stamp_s + self._offset_s if self._believed else here_s
            self._last_s = max(t_s, self._last_s + LEAST_STEP_S)
        self._arrived_s = arrived_s
        return self._last_s

    def _judge(self, stamp_s: float, arrived_s: float, now_s: float) -> None:
        """Tie a clock that was set anew to `now_s`, and find out one that is none."""
        step_s = stamp_s - self._stamp_s if self._stamp_s is not None else math.inf
        if not -JUMP_S[0] <= step_s <= arrived_s - self._arrived_s + JUMP_S[1]:
            # One that leaps at every frame is none, and tells nothing of time.
            torn_s = TORN_S if arrived_s - self._window[1] > TORN_S else 0.0
            self._tie(stamp_s, arrived_s, now_s + torn_s)
            return
        if step_s > 0:
            self._went_on_s = arrived_s
        self._stamp_s = stamp_s
        passed_s = arrived_s - self._window[1]
        slow = passed_s >= WINDOW_S and stamp_s - self._window[0] < SLOWEST * passed_s
        if slow or arrived_s - self._went_on_s > STILL_S:
            self._believed = False
        if passed_s >= WINDOW_S:
            self._window = (stamp_s, arrived_s)

    def _tie(self, stamp_s: float, arrived_s: float, t_s: float) -> None:
        self._stamp_s, self._offset_s = stamp_s, t_s - stamp_s
        self._went_on_s, self._window = arrived_s, (stamp_s, arrived_s)


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What a camera or a capture card is asked for; None leaves it as it is.

    Attributes:
        size: (width, height) in pixels.
        fps: frames a second.
        pixel_format: four letters, such as MJPG or YUYV.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    pixel_format: str | None = None


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source whose frames come at their own time: its reader may have to wait.

    Attributes:
        note: one line on what is not as it was asked for, or None.
        ends: whether it comes to an end of its own, as a recording does; known once it was entered.
        patience_s: seconds without a frame that say nothing about its sender; known once it was entered.
    """

    note: str | None = None
    ends: bool = False
    patience_s: float = 0.0

    def interrupt(self) -> None:
        """Wake whoever waits for a frame, from any thread. A source without it ends the wait by its own time-out."""
        return


class Wrapped(LiveSource):
    """Any source as a live one. The attributes are those of the source.

    Args:
        source: not yet entered.
    """

    name: str
    frames: int | None
    fps: float | None
    spacing_mm: tuple[float, float] | None
    spacing_note: str | None
    view: str | None
    notes: list[str]

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._source)


def as_live(source: Source) -> LiveSource:
    """The source itself where it is a live one, else the source in a `Wrapped`, with no note and nothing to wake."""
    return source if isinstance(source, LiveSource) else Wrapped(source)


class Feed(LiveSource, ABC):
    """A source that goes on by itself, whether or not somebody reads. The attributes are those of `LiveSource`.

    It ends only when its sender does. Whoever wants to go on opens it again, unless it `ends` of its own.

    Attributes:
        uri: its address.
    """

    def __init__(self, uri: str) -> None:
        self.uri = self.name = uri
        self.frames: int | None = None
        self.fps: float | None = None
        self.spacing_mm: tuple[float, float] | None = None
        self.spacing_note: str | None = "the feed does not say how large a pixel is"
        self.view: str | None = None
        self.notes: list[str] = []
        self._reading: Iterator[Frame] | None = None

    @abstractmethod
    def _open(self) -> None:
        """Connect, with a time-out of its own, and set the attributes."""

    @abstractmethod
    def _pictures(self) -> Iterator[FeedPicture]:
        """Give what arrives, from after `_open` until the sender ends. It never waits for longer than a few seconds."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of everything; also after an `_open` that failed half-way."""

    def __enter__(self) -> Self:
        with in_library(self):
            try:
                self._open()
            except BaseException:
                self._close()
                raise
        self._reading = self._frames()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading = None
        with in_library(self):
            self._close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._reading is None:
            raise SourceError(
                f"{self.name}: expected an open feed, found a closed one; read it inside `with open_source(...)`"
            )
        if ending():
            raise StopIteration
        with in_library(self):
            return next(self._reading)

    def _frames(self) -> Iterator[Frame]:
        clock = FeedClock()
        for index, (image, stamp_s, spacing_mm) in enumerate(self._pictures()):
            yield Frame(image, clock.at(stamp_s, time.monotonic()), index, spacing_mm)


def plausible_spacing(spacing_mm: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float] | None:
    """The spacing where it is a measured one and makes an image of the size of a chest, else None."""
    if is_placeholder(spacing_mm) or is_oblong(spacing_mm):
        return None
    low, high = PLAUSIBLE_MM
    sides = [mm * pixels for mm, pixels in zip(spacing_mm, shape, strict=False)]
    return spacing_mm if all(low <= side <= high for side in sides) else None
