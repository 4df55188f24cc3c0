"""What passes between a feed that is followed and those who look on: the seam of the viewers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from echo_rt.frame import Frame
from echo_rt.reading import Reading


class Phase(Enum):
    """Where a feed stands. The values are for people."""

    OPENING = "opening"
    RUNNING = "running"
    FROZEN = "frozen"  # by the user; the source goes on and is not looked at
    LOST = "source lost"  # it stalls, has vanished or cannot be opened; it is tried again
    STOPPED = "stopped"  # by the user, to be started again
    ENDED = "ended"  # for good: the source came to its end, or the program was told to


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How the feed itself is, beside what it shows.

    Attributes:
        phase: see `Phase`.
        message: one line on it for the user, such as why the source is lost and when it is tried again; empty where all
            is well.
        source, engine, model: what is running, for people.
        frames: readings made.
        dropped: frames that were not read, by reason; counted since the start.
        reopened: how often the source was lost and came back.
        fps: readings a second over the last seconds; None until there are two.
        age_ms: of the newest reading: from the moment its frame reached this machine until the reading was out. None
            before the first.
        age_p50_ms, age_p99_ms: of those of the last minute.
        t_wall_s: when this was said, by the machine's clock (`time.time`).
        recording: folder that is recorded to, or None.
        lost: readings that a viewer or another output could not take in time, or failed to take, by its name.
    """

    phase: Phase
    message: str = ""
    source: str = ""
    engine: str = ""
    model: str = ""
    frames: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    reopened: int = 0
    fps: float | None = None
    age_ms: float | None = None
    age_p50_ms: float | None = None
    age_p99_ms: float | None = None
    t_wall_s: float = 0.0
    recording: Path | None = None
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """What a viewer gets: the newest frame with its reading, where there is one, and how the feed is.

    While the source is lost the last frame and reading stay, for the eye; `status.phase` says that they are not
    current.
    """

    frame: Frame | None
    reading: Reading | None
    status: LiveStatus


class LiveControl(Protocol):
    """What a viewer may ask of a feed that is followed. Every call may come from any thread and returns at once, but
    for `snapshot`."""

    def start(self) -> None:
        """Open the source again after `stop`; the history begins afresh."""
        ...

    def stop(self) -> None:
        """Let go of the source; the program stays."""
        ...

    def freeze(self, frozen: bool) -> None:
        """Hold the picture, or go on."""
        ...

    def reset(self) -> None:
        """Forget beats and EF, as for a new patient."""
        ...

    def select(self, source: str) -> None:
        """Change to another source; the history begins afresh. One that cannot be opened shows as lost."""
        ...

    def sources(self) -> list[str]:
        """What may be selected here: the devices found, and the source of the command line."""
        ...

    def snapshot(self) -> Path:
        """Write the picture with its overlay, and the reading beside it; returns the picture's path.

        Raises:
            OutputError: it cannot be written, or there is no picture yet.
        """
        ...

    def end(self) -> None:
        """End the program well, as Ctrl-C does."""
        ...


class Viewer(Protocol):
    """Shows a feed. It is called from a thread of its own with the newest update; those that come while it draws are
    left out."""

    def show(self, update: LiveUpdate) -> None: ...

    def close(self) -> None: ...
