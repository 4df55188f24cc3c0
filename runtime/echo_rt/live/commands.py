"""What viewers ask of a feed that is followed."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class LiveControl(Protocol):
    """What a viewer may ask of a feed. Every call may come from any thread and returns at once, but for `snapshot`."""

    def start(self) -> None:
        """Open the source again after `stop`; the history begins afresh."""

    def stop(self) -> None:
        """Let go of the source; the program stays."""

    def freeze(self, frozen: bool) -> None:
        """Hold the picture, or go on."""

    def reset(self) -> None:
        """Forget beats and EF, as for a new patient."""

    def select(self, source: str) -> None:
        """Change to another source; the history begins afresh. One that cannot be opened shows as lost."""

    def sources(self) -> list[str]:
        """What may be selected here: the devices found, and the source of the command line."""

    def snapshot(self) -> Path:
        """Write the picture with its overlay, and the reading beside it; returns the picture's path.

        Raises:
            OutputError: it cannot be written, or there is no picture yet.
        """

    def end(self) -> None:
        """End the program well, as Ctrl-C does."""


class Commands:
    """A queue of what was asked, from any thread. The thread that follows the feed does it, between two frames.

    Attributes:
        ending: whether the end was asked for. It is a plain flag, with neither lock nor queue: signal handlers set it,
            and they may interrupt whoever holds a lock.
    """

    def __init__(self) -> None:
        self.ending = False
        self._asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def ask(self, command: Callable[[], None]) -> None:
        """Leave a command; returns at once."""
        self._asked.put(command)

    def carry_out(self) -> None:
        """Do what was asked so far, in order."""
        while not self._asked.empty():
            self._asked.get()()
