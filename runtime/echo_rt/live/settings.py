"""How a feed is followed, and what takes its readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from echo_rt.frame import Frame
    from echo_rt.reading import Reading


class Taker(Protocol):
    """What takes every reading, such as a recorder. All calls come from one thread of its own, in the order of time."""

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """Take the next frame and what is known after it.

        Args:
            frame, reading: these.
            source: address that the frame came from.
            history: number of the history that the reading stands on; readings of another owe nothing to those before.
        """
        ...

    def idle(self, why: str) -> None:
        """No frames come; what was said last is not current."""
        ...

    def close(self) -> None:
        """Complete the output."""
        ...


@dataclass(frozen=True)
class Settings:
    """How a feed is followed.

    Attributes:
        every_frame: wait for the engine instead of dropping frames, as `echo-rt file` does.
        forget_after_s: seconds without a frame after which the history begins afresh; None never.
        recording: folder that is recorded to, for people.
        model: for people.
        snapshots: folder for snapshots.
        ef_method: what the rolling EF is made of, see `Monitor`.
    """

    every_frame: bool = False
    forget_after_s: float | None = None
    recording: Path | None = None
    model: str = ""
    snapshots: Path = field(default_factory=lambda: Path("snapshots"))
    ef_method: str = "disks"
