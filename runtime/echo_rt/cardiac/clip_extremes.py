"""EF of a recording without a whole beat: from its largest and smallest volume in one unbroken view."""

from __future__ import annotations

from collections import deque

from echo_rt.cardiac.curve import MIN_AMPLITUDE, Sample
from echo_rt.cardiac.ejection_fraction import calibrated
from echo_rt.cardiac.running_extremes import RunningExtremes
from echo_rt.cardiac.verdict import Stretch, Stretches
from echo_rt.reading import AREA_EXTREMES, CLIP_EXTREMES
from echo_rt.result import ClipExtremes, ClipFigures

MAX_ROUGHNESS = 0.25
"""Mean change of the slope from frame to frame, as a share of the whole change, above which a curve is noise. That of a
heart at 100 bpm and 25 frames a second is 0.06, that of independent random numbers above 0.4."""

LEAST_SHARE = 0.6
"""Share of the recording that the unbroken view has to cover: no beat speaks for a heart here."""

WHOLE_BEAT_S = 3.2
"""So long a view holds a whole beat of every heart from 40 bpm on. Where none was found, what moves is no heart."""

STROKE_S, STROKE_SHARE = 0.7, 0.75
"""In so short a time a heart does most of its whole change: systole lasts up to 0.5 s, early filling 0.25 s. Of 1,083
simulated clips without a whole beat the least was 0.78. A probe that slides or a patient who breathes takes longer."""

SLOWEST_S = 0.06
"""Mean distance of two usable frames above which a heart's own curve may be as rough as noise."""


class Extremes:
    """The largest and the smallest volume of the longest unbroken view, each the median of three good frames in a row,
    so that one bad frame does not decide.

    Args:
        by_area: take areas instead, each of a single good frame: (max - min) / max is what systems that report areas as
            EF give for a clip.
    """

    MIN_SPAN_S = 0.25
    """A recording shorter than that cannot hold both ED and ES."""

    def __init__(self, by_area: bool = False) -> None:
        self.by_area = by_area
        self.stretches = Stretches()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.stretches.reset()
        self._now, self._longest = _Range(self.by_area), _Range(self.by_area)

    def update(self, t_s: float, sample: Sample | None) -> None:
        """Take the next frame; None where it cannot be used. One that repeats the last is not to be given."""
        longest = self.stretches.longest is self.stretches.now
        if self.stretches.update(t_s, sample is not None):
            if longest:
                self._longest = self._now
            self._now = _Range(self.by_area)
        if sample is not None:
            self._now.update(sample)

    def result(self, calibration: tuple[float, float] | None, *, with_beats: bool = False) -> ClipFigures:
        """The figures, or the reason why there are none.

        Args:
            calibration: of volumes; it does not touch areas.
            with_beats: whole beats speak for a heart already.
        """
        longest = self.stretches.longest
        found = self._now if longest is self.stretches.now else self._longest
        if longest is None or found.low is None or found.high is None:
            return ClipFigures(reason="too few good frames")
        reason = self._doubt(longest, found)
        if reason is None and not with_beats:
            reason = self._no_beat(longest, found)
        if reason is not None:
            return ClipFigures(reason=reason)
        low, high = found.low, found.high
        change = found.change / found.size(high)
        extremes = ClipExtremes(
            t_ed_s=high.t_s,
            t_es_s=low.t_s,
            edv=high.volume,
            esv=low.volume,
            eda=high.area,
            esa=low.area,
            ef_percent=100 * change if self.by_area else calibrated(100 * change, calibration),
            fac_percent=100 * (1 - low.area / high.area),
            method=AREA_EXTREMES if self.by_area else CLIP_EXTREMES,
        )
        return ClipFigures(extremes)

    def _doubt(self, longest: Stretch, found: _Range) -> str | None:
        """Why these are no extremes of a heart; None where they may be."""
        what = "area" if self.by_area else "volume"
        if longest.span_s < self.MIN_SPAN_S:
            return "the ventricle is seen for less than a quarter of a second"
        if self.stretches.share < LEAST_SHARE:
            return "the ventricle is never seen for most of the recording at a stretch"
        if found.high is None or found.change < MIN_AMPLITUDE * found.size(found.high):
            return f"the {what} hardly changes"
        often = longest.span_s <= SLOWEST_S * (longest.usable - 1)
        if often and found.roughness > MAX_ROUGHNESS * found.change:
            return f"the {what} jumps from frame to frame, as no heart's does"
        return None

    def _no_beat(self, longest: Stretch, found: _Range) -> str | None:
        """Why a view without a whole beat is none of a beating heart; None where it may be one."""
        if longest.span_s > WHOLE_BEAT_S:
            return f"no heart beat in an unbroken view of {longest.span_s:.0f} s"
        if found.stroke < STROKE_SHARE * found.change:
            return f"the {'area' if self.by_area else 'volume'} changes more slowly than a heart's"
        return None


class _Range:
    """The extremes of one stretch.

    Attributes:
        low, high: the samples; None until there are enough for a median.
        stroke: the largest change within `STROKE_S`, in the unit of the sizes.
    """

    def __init__(self, by_area: bool) -> None:
        self._by_area = by_area
        self._last: deque[Sample] = deque(maxlen=1 if by_area else 3)
        self._sizes: deque[float] = deque(maxlen=3)
        self._bends, self._frames = 0.0, 0
        self._recent, self.stroke = RunningExtremes(STROKE_S), 0.0
        self.low: Sample | None = None
        self.high: Sample | None = None

    def size(self, sample: Sample) -> float:
        """What is compared."""
        return sample.area if self._by_area else sample.volume

    @property
    def change(self) -> float:
        """From the largest to the smallest; 0 until both are known."""
        return 0.0 if self.low is None or self.high is None else self.size(self.high) - self.size(self.low)

    @property
    def roughness(self) -> float:
        """Mean change of the difference of two frames in a row, in the unit of the sizes."""
        return self._bends / self._frames if self._frames else 0.0

    def update(self, sample: Sample) -> None:
        """Take the next one."""
        self._sizes.append(self.size(sample))
        if len(self._sizes) == 3:
            self._bends += abs(self._sizes[0] - 2 * self._sizes[1] + self._sizes[2])
            self._frames += 1
        self._recent.push(sample.t_s, self.size(sample))
        self.stroke = max(self.stroke, self._recent.highest - self._recent.lowest)
        self._last.append(sample)
        if len(self._last) < (self._last.maxlen or 0):
            return
        middle = sorted(self._last, key=self.size)[len(self._last) // 2]
        if self.low is None or self.size(middle) < self.size(self.low):
            self.low = middle
        if self.high is None or self.size(middle) > self.size(self.high):
            self.high = middle
