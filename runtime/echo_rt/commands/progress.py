"""How far a batch of recordings is: one bar for all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from echo_rt.logs import quiet

if TYPE_CHECKING:
    from typing_extensions import Self


class BatchProgress:
    """A bar with what is done, the frames a second, and the time left. Without a terminal it shows nothing.

    Args:
        console: where it is shown.
        recordings: all of the batch. A large file has a large share of the bar: it takes long.
    """

    def __init__(self, console: Console, recordings: Sequence[str]) -> None:
        self._shares = _shares(recordings)
        self._frames = [0] * len(recordings)
        self._parts = [0.0] * len(recordings)  # how much of each is done
        self._sums = [0, 0.0, 0]  # of frames, of what is done by its share, and of recordings that are
        self._start_s = time.monotonic()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=quiet() or not console.is_terminal)
        self._task = self._bar.add_task(self._said(), total=1.0, speed="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def tell(self, number: int, done: int, expected: int | None) -> None:
        """Show that so many frames of a recording are done, of so many as are expected."""
        if self._bar.disable:
            return
        self._sums[0] += done - self._frames[number]
        self._frames[number] = done
        self._show(number, min(1.0, done / expected) if expected else 0.0)

    def finish(self, number: int) -> None:
        """Show that a recording is done, with or without a result."""
        self._sums[2] += 1
        self._show(number, 1.0)

    def _show(self, number: int, part: float) -> None:
        self._sums[1] += (part - self._parts[number]) * self._shares[number]
        self._parts[number] = part
        rate = self._sums[0] / max(time.monotonic() - self._start_s, 1e-3)
        self._bar.update(
            self._task, completed=self._sums[1], description=self._said(), speed=f"{rate:.0f} frames/s" if rate else ""
        )

    def _said(self) -> str:
        if len(self._frames) == 1:
            return f"{self._frames[0]} frames"
        return f"{self._sums[2]}/{len(self._frames)} recording{'s' * (len(self._frames) != 1)}"


def _shares(recordings: Sequence[str]) -> list[float]:
    """Of each recording in all the work: by the sizes of the files; what is no file is like the others."""
    sizes = [os.path.getsize(path) if os.path.isfile(path) else 0 for path in recordings]
    known = [size for size in sizes if size]
    middle = sum(known) / len(known) if known else 1
    total = sum(size or middle for size in sizes)
    return [(size or middle) / total for size in sizes]
