"""How a feed is, for those who look on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

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


class Drop(Enum):
    """Why a frame was not read. The values are for people."""

    BUSY = "engine busy"
    LOOKING = "looking for the sector"
    PAUSED = "frozen by the user"
    REFUSED = "not an image for the engine"


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted from the start.

    Attributes:
        frames: readings made.
        dropped: frames that were not read, by reason.
        reopened: how often the source was lost and came back.
        lost: readings that a viewer or another output could not take in time, or failed to take, by its name.
    """

    frames: int = 0
    dropped: Mapping[Drop, int] = field(default_factory=dict)
    reopened: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped_frames(self) -> int:
        """All of `dropped`."""
        return sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast readings come, and how old they are when they are out.

    Attributes:
        fps: readings a second over the last seconds; None until there are two.
        age_ms: of the newest reading: from the moment its frame reached this machine until the reading was out. None
            before the first.
        age_p50_ms, age_p99_ms: of those of the last minute.
    """

    fps: float | None = None
    age_ms: float | None = None
    age_p50_ms: float | None = None
    age_p99_ms: float | None = None

    def texts(self) -> list[str]:
        """Rate and newest age for people, where they are known."""
        known = ((self.fps, "fps"), (self.age_ms, "ms"))
        return [f"{number:.0f} {unit}" for number, unit in known if number is not None]


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How the feed itself is, beside what it shows.

    Attributes:
        phase: see `Phase`.
        message: one line for the user, such as why the source is lost; empty where all is well.
        source, engine, model: what is running, for people.
        recording: folder that is recorded to, or None.
        counts, timing: see `Counts` and `Timing`.
        t_wall_s: when this was said, by the machine's clock (`time.time`).
    """

    phase: Phase
    message: str = ""
    source: str = ""
    engine: str = ""
    model: str = ""
    recording: Path | None = None
    counts: Counts = Counts()
    timing: Timing = Timing()
    t_wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """What a viewer gets: the newest frame with its reading, where there is one, and how the feed is.

    While the source is lost the last frame and reading stay, for the eye; `status.phase` says that they are not
    current.
    """

    frame: Frame | None
    reading: Reading | None
    status: LiveStatus
