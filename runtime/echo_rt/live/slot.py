"""Where the source hands over to the engine: one place for the newest frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.live.reader import Arrived


class Slot:
    """One place. What is put there takes the place of what nobody took.

    Args:
        every_frame: what is put there waits for the one before to be taken instead.
    """

    def __init__(self, every_frame: bool = False) -> None:
        self._every_frame = every_frame
        self._held: Arrived | None = None
        self._changed = threading.Condition()

    def put(self, arrived: Arrived, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Hand over a frame.

        Args:
            arrived: the frame.
            wanted: asked before it is put, and while that waits; where it says no, it is not put.

        Returns:
            Whether a frame was lost by it.
        """
        with self._changed:
            while self._every_frame and self._held is not None and wanted():
                self._changed.wait(0.1)
            if not wanted():  # asked in here, so that after a `clear` nothing comes of a source that was left
                return False
            lost, self._held = self._held is not None, arrived
            self._changed.notify_all()
            return lost

    def take(self, timeout_s: float) -> Arrived | None:
        """The newest frame that was not taken yet, or None where none came in that time."""
        with self._changed:
            if self._held is None:
                self._changed.wait(timeout_s)
            return self._emptied()

    def wait(self, timeout_s: float) -> bool:
        """Whether something waits to be taken; waits that long for it."""
        with self._changed:
            return self._held is not None or self._changed.wait_for(lambda: self._held is not None, timeout_s)

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return self._held is None

    def clear(self) -> bool:
        """Drop what is held; whether there was anything."""
        with self._changed:
            return self._emptied() is not None

    def _emptied(self) -> Arrived | None:
        held, self._held = self._held, None
        self._changed.notify_all()
        return held
