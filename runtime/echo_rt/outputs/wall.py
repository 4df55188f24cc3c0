"""What the beats of a recording say of its wall, for the summary and the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from echo_rt.reading import SEGMENTS, WallBeat

NO_BEATS = "no beat could be accepted in which the wall was seen"
UNCALIBRATED = "uncalibrated: thickness is in pixels"
TWO_CHAMBERS = (
    "named for the four-chamber view; in this two-chamber view septal is the inferior and lateral the anterior wall"
)


def akinetic_segments(beats: Sequence[WallBeat]) -> list[bool]:
    """For each of `SEGMENTS`, whether it did not move in more than half of the beats."""
    return [2 * sum(bool(beat.akinetic[n]) for beat in beats) > len(beats) for n in range(len(SEGMENTS))]


def wall_summary(beats: Sequence[WallBeat], view: str | None) -> tuple[dict[str, Any] | None, str | None]:
    """The entries ``wall`` and ``wall_note`` of summary.json.

    Args:
        beats: of the accepted beats of one recording.
        view: of the recording.

    Returns:
        Medians for each of `SEGMENTS`, ready for JSON, None without a beat; and what has to be said of them, None where
        there is nothing.
    """
    if not beats:
        return None, NO_BEATS
    still, found = akinetic_segments(beats), {}
    for n, segment in enumerate(SEGMENTS):
        found[segment] = {
            "motion_percent": _median([beat.motion_percent[n] for beat in beats], 1),
            "thickening_percent": _median([beat.thickening_percent[n] for beat in beats], 1),
            "strain_percent": _median([beat.strain_percent[n] for beat in beats], 1),
            "speckle_motion_percent": _median([beat.speckle_motion_percent[n] for beat in beats], 1),
            "thickness_ed": _median([beat.thickness_ed[n] for beat in beats], 2),
            "unit": beats[-1].unit,
            "akinetic": still[n],
            "beats": sum(math.isfinite(beat.motion_percent[n]) for beat in beats),
        }
    notes = [UNCALIBRATED] * (not beats[-1].calibrated) + [TWO_CHAMBERS] * (view == "A2C")
    return found, "; ".join(notes) or None


def _median(numbers: Sequence[float], digits: int) -> float | None:
    known = [float(number) for number in numbers if math.isfinite(number)]
    return round(median(known), digits) if known else None
