"""Whether what was seen over time is a beating heart in an apical view, so that an EF may be given.

A single frame that passes the rules of `quality` proves little: of lung, noise and other organs some frames pass. A
heart is seen in unbroken stretches, its curve has the form of a systole, and its beats are like one another. The same
rule holds after each frame of a live feed and at the end of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from echo_rt.frame import CLOCK_S
from echo_rt.reading import Beat

MAX_GAP_S = 0.3
"""After so long without a usable frame a stretch of the view is over, and a beat under way is given up."""

MIN_GOOD_FRAMES = 0.7
"""Share of the frames of a beat, and of a stretch, that must be usable."""

LEAST_SHARE = 0.5
"""Share of the recording so far that one unbroken stretch has to cover where less than two beats speak for a heart."""

UNLIKE_POINTS = 15.0
"""Median distance of the beats' EF from their own median above which they are not those of one heart. Every second beat
of a bigeminy ejects about half of what the others do, which is less."""

PAUSE_PERIODS = 3
"""No heart that beat once rests for so many beats."""

FEW_BEATS = "a single beat, in a view that was lost for most of the recording"
UNLIKE = "the beats are unlike each other, as no heart's are"
MOSTLY_REJECTED = "most beats could not be accepted"
ALONE = "a single beat, and none after it in the same view"
DOUBTS = (FEW_BEATS, UNLIKE, MOSTLY_REJECTED, ALONE)


@dataclass(slots=True)
class Stretch:
    """A part of a feed in which usable frames follow each other without a gap of `MAX_GAP_S`.

    Attributes:
        first_s, last_s: of its usable frames.
        usable, frames: how many are usable, and how many there are up to the last usable one.
    """

    first_s: float
    last_s: float
    usable: int = 1
    frames: int = 1

    @property
    def span_s(self) -> float:
        """From the first to the last usable frame."""
        return self.last_s - self.first_s

    @property
    def dense(self) -> bool:
        """Whether most of its frames are usable."""
        return self.usable >= MIN_GOOD_FRAMES * self.frames


class Stretches:
    """The unbroken stretches of a feed, of which it keeps the one under way and the longest before it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.now: Stretch | None = None
        self._before: Stretch | None = None
        self._first_s: float | None = None
        self._last_s = 0.0
        self._seen = self._since = 0  # frames in all, and since the last usable one

    def update(self, t_s: float, usable: bool) -> bool:
        """Take the next frame, one that repeats the last left out; whether a new stretch begins with it."""
        self._first_s, self._last_s = t_s if self._first_s is None else self._first_s, t_s
        self._seen, self._since = self._seen + 1, self._since + 1
        if not usable:
            return False
        since, self._since = self._since, 0
        if self.now is not None and t_s - self.now.last_s <= MAX_GAP_S + CLOCK_S:
            self.now.last_s = t_s
            self.now.usable, self.now.frames = self.now.usable + 1, self.now.frames + since
            return False
        self._before = self.longest
        self.now = Stretch(t_s, t_s)
        return True

    @property
    def longest(self) -> Stretch | None:
        """The longest so far; of equal ones the first."""
        if self._before is None or (self.now is not None and self.now.span_s > self._before.span_s):
            return self.now
        return self._before

    @property
    def share(self) -> float:
        """Of the feed so far, of the longest stretch; 0 where few of its frames are usable."""
        longest = self.longest
        if longest is None or self._first_s is None or not longest.dense:
            return 0.0
        # A frame lasts to the next.
        gap_s = (self._last_s - self._first_s) / max(1, self._seen - 1)
        return min(1.0, (longest.span_s + gap_s) / (self._last_s - self._first_s + gap_s)) if gap_s else 1.0


def is_alone(beat: Beat, view: Stretch | None) -> bool:
    """Whether a beat was seen in a view that goes on for long after it, so that a heart's next beats would be seen too.

    Args:
        beat: the only accepted one.
        view: that is going on, or went on last.
    """
    if view is None or not view.dense or view.first_s > beat.t_ed_s:
        return False
    return view.last_s - beat.t_next_ed_s > PAUSE_PERIODS * (beat.t_next_ed_s - beat.t_ed_s)


def doubt(beats: Sequence[Beat], found: Sequence[bool], share: float) -> str | None:
    """Why some accepted beats are not enough for an EF; None where they are.

    Args:
        beats: the last accepted ones, at least one.
        found: of the last beats whether each was accepted.
        share: see `Stretches.share`.
    """
    if 2 * sum(found) < len(found):
        return MOSTLY_REJECTED
    if len(beats) < 2:
        return FEW_BEATS if share < LEAST_SHARE else None
    middle = median(beat.ef_percent for beat in beats)
    return UNLIKE if median(abs(beat.ef_percent - middle) for beat in beats) > UNLIKE_POINTS else None
