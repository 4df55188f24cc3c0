"""Wall-motion score index: the mean score of the segments that were scored (Lang et al., J Am Soc Echocardiogr
28:1-39, 2015).

The rule for akinesia tells two scores: 1 for a segment that moves, 3 for one that does not. It does not tell
hypokinesia (2) or dyskinesia (4), so that the index is between those of a reader's. A segment whose motion was not
seen is not scored.
"""

from __future__ import annotations

import numpy as np

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Measure, Normal, Unknown
from echo_rt.reading import WallBeat

SOURCE = "Lang et al., J Am Soc Echocardiogr 28:1-39, 2015"

MOVES, AKINETIC = 1, 3

FEWEST = 4
"""Scored segments of six, without which there is no index."""


def scores(wall: WallBeat) -> tuple[int | None, ...]:
    """Of each segment; None where it is not scored."""
    seen = np.isfinite(wall.motion_percent)
    return tuple(
        (AKINETIC if still else MOVES) if known else None for known, still in zip(seen, wall.akinetic, strict=True)
    )


def score_index(beat: BeatSamples) -> float:
    """1 where every segment moves."""
    known = [] if beat.wall is None else [score for score in scores(beat.wall) if score is not None]
    if len(known) < FEWEST:
        raise Unknown(f"{len(known)} of 6 segments could be scored")
    return sum(known) / len(known)


MEASURES = (Measure("wmsi", "Wall-motion score index", "", 2, SOURCE, score_index, normal=Normal(None, 1.0, SOURCE)),)
