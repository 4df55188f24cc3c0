"""Reads one opening of a source, in a thread that may be left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echo_rt.errors import EchoRtError
from echo_rt.sources.feed import as_live

if TYPE_CHECKING:
    from echo_rt.frame import Frame
    from echo_rt.sources import Cut, Source
    from echo_rt.sources.feed import LiveSource


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a source, again and again.

    Attributes:
        uri: its address, for people: without a password.
        source: makes the source, not yet entered.
        lasting: a feed: unless it says so once it is open, it never ends of its own will, so that its end is a loss,
            and silence too.
        cut: makes what cuts the ultrasound out of its frames.
    """

    uri: str
    source: Callable[[], Source]
    lasting: bool
    cut: Callable[[], Cut | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Opened:
    """The source is open. All is its own, see `LiveSource`."""

    note: str | None
    ends: bool
    patience_s: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame came.

    Attributes:
        frame: cut to the ultrasound; as it came where that is still looked for.
        arrived_s: when it came, by `time.perf_counter`.
        looking: whether the ultrasound is still looked for, so that the frame must go no further.
        note: of the source by then, see `LiveSource`.
    """

    frame: Frame
    arrived_s: float
    looking: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The source has ended, with an error or well (None). Nothing comes after this."""

    error: EchoRtError | None


Event = Opened | Arrived | Finished


class Reader:
    """Reads a source to its end, as fast as it gives, and reports each event at once.

    Args:
        opening: the source.
        hear: called with the reader and each event, in the reader's thread; False where no more is wanted.
    """

    def __init__(self, opening: Opening, hear: Callable[[Reader, Event], bool]) -> None:
        self._opening, self._hear = opening, hear
        self._left = False
        self._source: LiveSource | None = None
        self._thread = threading.Thread(target=self._run, name=f"echo-rt capture {opening.uri}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def leave(self) -> None:
        """Tell the thread that nobody waits for it any more. It closes its source itself: no other may while it
        reads."""
        self._left = True
        if (source := self._source) is not None:
            source.interrupt()

    def join(self, wait_s: float) -> None:
        """Wait until the thread has ended, for `wait_s` at most."""
        self._thread.join(wait_s)

    def _run(self) -> None:
        error: EchoRtError | None = None
        try:
            self._read()
        except EchoRtError as found:
            error = found
        except Exception as found:  # noqa: BLE001  # a library's own: the source is lost, the program is not
            error = EchoRtError(f"{self._opening.uri}: {type(found).__name__}: {found}")
        self._hear(self, Finished(error))

    def _read(self) -> None:
        source, cut = as_live(self._opening.source()), self._opening.cut()
        self._source = source
        with source:
            if self._left or not self._hear(self, Opened(source.note, source.ends, source.patience_s)):
                return
            for frame in source:
                arrived_s = time.perf_counter()
                seen = frame if cut is None else cut(frame)
                shown = frame if seen is None else seen
                if not self._hear(self, Arrived(shown, arrived_s, seen is None, source.note)):
                    return
