"""Whose frame is next, where several feeds share one engine."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echo_rt.arrays import Image
    from echo_rt.engine import Engine
    from echo_rt.segmentation import Segmentation


class Turns:
    """Gives an engine to one feed after the other, in the order in which they ask.

    A feed asks once its frame is there, and has one place in the row. So none waits longer than one frame of each other
    feed takes, and one without frames costs nothing.

    Args:
        engine: open; it stays open.

    Attributes:
        spec: of its model.
    """

    def __init__(self, engine: Engine) -> None:
        self.spec, self._engine = engine.spec, engine
        self._row: deque[Seat] = deque()
        self._lock = threading.Lock()

    def seat(self) -> Seat:
        """The engine for one more feed."""
        return Seat(self._engine, self)

    def wait(self, seat: Seat) -> None:
        """Stand in the row until it is this one's turn."""
        with self._lock:
            self._row.append(seat)
            if self._row[0] is seat:
                return
        seat.called.wait()
        seat.called.clear()

    def leave(self, seat: Seat) -> None:
        """Let the next one go on; where it was not this one's turn, nothing changes."""
        with self._lock:
            if not self._row or self._row[0] is not seat:
                return
            self._row.popleft()
            if self._row:
                self._row[0].called.set()  # that one alone wakes up


class Seat:
    """An `Engine` as one of several feeds sees it. To close it frees nothing: the engine is not its own.

    Args:
        engine: that all of them share.
        turns: of these feeds.

    Attributes:
        called: set when its turn has come while it waited.
    """

    def __init__(self, engine: Engine, turns: Turns) -> None:
        self.spec, self.device, self.description = engine.spec, engine.device, engine.description
        self.called = threading.Event()
        self._engine, self._turns = engine, turns

    def wait(self) -> None:
        """Wait for the turn of this feed. It ends with the next `segment`, or with `leave`."""
        self._turns.wait(self)

    def leave(self) -> None:
        """Give the turn away."""
        self._turns.leave(self)

    def segment(self, image: Image, state: object = None) -> Segmentation:
        """See `Engine.segment`. The turn ends with it: what is made of the frame takes nobody else's time."""
        try:
            return self._engine.segment(image, state)
        finally:
            self.leave()

    def close(self) -> None:
        """Give the turn away."""
        self.leave()

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
