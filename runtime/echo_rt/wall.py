"""What the wall did in a recording, by segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from echo_rt.chambers import Scale
from echo_rt.fields import rounded


@dataclass(frozen=True, slots=True)
class SegmentMotion:
    """What one of the six segments did: medians over the accepted beats, as in `WallBeat`; None where unknown.

    Attributes:
        segment: one of `SEGMENTS`.
        akinetic: it did not move in more than half of the beats.
        beats: in how many its motion was seen.
    """

    segment: str
    motion_percent: float | None
    thickening_percent: float | None
    strain_percent: float | None
    speckle_motion_percent: float | None
    thickness_ed: float | None
    scale: Scale
    akinetic: bool
    beats: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the segment's name."""
        return {
            "motion_percent": rounded(self.motion_percent, 1),
            "thickening_percent": rounded(self.thickening_percent, 1),
            "strain_percent": rounded(self.strain_percent, 1),
            "speckle_motion_percent": rounded(self.speckle_motion_percent, 1),
            "thickness_ed": rounded(self.thickness_ed, 2),
            "unit": self.scale.length,
            "akinetic": self.akinetic,
            "beats": self.beats,
        }


@dataclass(frozen=True, slots=True)
class Wall:
    """The six segments, in the order of `SEGMENTS`; empty without an accepted beat. The note says what a reader must
    know of them, or why there are none."""

    segments: tuple[SegmentMotion, ...] = ()
    note: str | None = None
