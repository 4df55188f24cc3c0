"""How far the build of an engine is, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from echo_rt.engine.tensorrt.build import Progress


@contextmanager
def build_progress() -> Iterator[Progress | None]:
    """A bar for each phase of a build on standard error; None where that is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        running: dict[str, TaskID] = {}

        def show(phase: str, done: int, steps: int) -> None:
            # Phases overlap, and some end before their last step: each has its own bar, gone when it ends.
            if done < steps:
                if phase not in running:
                    running[phase] = bars.add_task(phase, total=steps)
                bars.update(running[phase], completed=done)
            elif phase in running:
                bars.remove_task(running.pop(phase))

        yield show
