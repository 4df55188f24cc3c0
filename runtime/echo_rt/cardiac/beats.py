"""Beats from the volume curve, causally, on the source's own clock, without an ECG.

The curve is smoothed by a quadratic fit over a short window around a moment `HALF_WINDOW_S` in the past; on it a
maximum (ED) is certain once the curve has fallen by a share of its running amplitude, a minimum (ES) once it has risen
by it. A beat runs from ED to ED and is known when the second one is certain.

Near ED and ES the curve is flat, and noise puts an extremum anywhere on the plateau. So the extremes only tell that
there was a beat, and where to look: the moments and the volumes at them are those of the form of a systole that fits
the samples best, see `echo_rt.cardiac.systole`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.systole import ejected_s, fit_beginning, fit_systole
from echo_rt.frame import CLOCK_S
from echo_rt.reading import Beat, Disks

HALF_WINDOW_S = 0.08
"""Half of the smoothing window, and with it the lag of the curve: 9 frames at 50 fps. At low rates one frame to each
side. With 0.06 the noise of a contour makes two beats of one where the heart is slow and its stroke small; a shorter
one is not needed, since the moments are taken from this curve only where samples are few."""

HYSTERESIS = 0.30
"""How far the curve must turn back, as a share of its running amplitude, before an extremum counts. Diastasis and the
atrial kick move the curve by less, an early or weak beat by more."""

MEMORY_S = 2.2
"""How far back the running amplitude looks: a whole beat at the slowest rate."""

KEPT_S = 3.0
"""How far back samples are kept: the slowest beat, and the next one's contraction that makes it certain."""

MIN_AMPLITUDE = 0.06
"""Below this share of the largest volume the curve is noise: an EF of 6 % is not compatible with life."""

MAX_GAP_S = 0.3
"""Without a good frame for so long, whatever was going on is not continued."""

MIN_GOOD_FRAMES = 0.7
"""Share of a beat's frames that must be usable."""

MAX_HOLE = 0.25
"""Share of a beat that may pass without a good frame: a longer hole can hide ED or ES."""

EDGE_S = 0.05
"""An extremum so soon after the curve begins may be the edge of a slope."""

HEART_RATE_BPM = (30.0, 220.0)
"""Physiological limits."""

IN_LINE = (0.35, 2.2)
"""Smallest and largest fall of a beat's volume, as a share of the median of the last `COMPARED`. A premature beat
ejects about half of what its neighbours do, and counts."""

COMPARED = 5

TOO_SHORT, TOO_LONG, TOO_FEW_FRAMES, OUT_OF_LINE = (
    "too short",
    "too long",
    "too few good frames",
    "amplitude out of line",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame's measures: time, volume by the chosen method, area, and the disks that a biplane volume needs.

    The long axis and the atrium's size, in any units, help to find the moments of ED and ES; nan where they are not
    known.
    """

    t_s: float
    volume: float
    area: float
    disks: Disks | None = None
    length: float = math.nan
    atrium: float = math.nan


@dataclass(frozen=True, slots=True)
class Phase:
    """An extremum of the curve. `whole` says that the curve was seen on both sides of it, not cut by a gap. When it
    became certain, the newest point of the smoothed curve was `turned`, and the newest sample was of `certain_s`."""

    sample: Sample
    whole: bool
    frames: int
    good_frames: int
    turned: Sample | None = None
    certain_s: float = 0.0


class BeatFinder:
    """Feed it every frame's sample; it gives each beat when it is certain.

    Its memory is bounded by `KEPT_S`.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._frames = self._good = 0
        self._samples: deque[Sample] = deque()
        self._pending: deque[Sample] = deque()
        self._highs: deque[tuple[float, float]] = deque()
        self._lows: deque[tuple[float, float]] = deque()
        self._falls: deque[float] = deque(maxlen=COMPARED)
        self._begin()

    def _begin(self) -> None:
        """Start on a new stretch of curve; the counters of frames go on."""
        for queue in (self._samples, self._pending, self._highs, self._lows):
            queue.clear()
        self._began_s: float | None = None
        self._rising: bool | None = None
        self._high: Phase | None = None
        self._low: Phase | None = None
        self._ed: Phase | None = None
        self._es: Phase | None = None

    def update(self, t_s: float, sample: Sample | None) -> Beat | None:
        """Take the next frame.

        Args:
            t_s: its time.
            sample: its point of the curve; None where the frame cannot be used.

        Returns:
            The beat that became certain with this frame, accepted or rejected, or None.
        """
        self._frames += 1
        if self._samples and t_s - self._samples[-1].t_s > MAX_GAP_S:
            self._begin()
        if sample is None:
            return None
        self._good += 1
        self._samples.append(sample)
        self._pending.append(sample)
        while self._samples[0].t_s < t_s - KEPT_S:
            self._samples.popleft()
        beat = None
        for point in self._smooth():
            beat = self._follow(point) or beat
        return beat

    def _smooth(self) -> Iterator[Sample]:
        """The points of the smoothed curve that the newest sample makes possible; at a steady rate it is one."""
        while len(self._pending) > 1:
            centre, after = self._pending[0], self._pending[1]
            # However far apart frames are, the neighbours on both sides take part.
            half = max(HALF_WINDOW_S, after.t_s - centre.t_s, centre.t_s - self._before(centre)) + CLOCK_S
            if self._pending[-1].t_s - centre.t_s < half - 2 * CLOCK_S:
                return
            yield quadratic_fit(self._near(centre.t_s, half), centre.t_s)
            self._pending.popleft()

    def _before(self, sample: Sample) -> float:
        """Time of the sample before that one; its own where it is the first."""
        place = len(self._samples) - len(self._pending) - 1
        return self._samples[place].t_s if place >= 0 else sample.t_s

    def _near(self, t_s: float, half_s: float) -> list[Sample]:
        near = []
        for sample in reversed(self._samples):
            if sample.t_s < t_s - half_s:
                break
            if sample.t_s <= t_s + half_s:
                near.append(sample)
        return near

    def _follow(self, point: Sample) -> Beat | None:
        """One step along the smoothed curve: `_high` and `_low` are its extremes since it last turned."""
        amplitude = self._amplitude(point)
        if self._began_s is None:
            self._began_s = point.t_s
        here = Phase(point, point.t_s - self._began_s > EDGE_S, self._frames, self._good)
        if self._high is None or point.volume > self._high.sample.volume:
            self._high = here
        if self._low is None or point.volume < self._low.sample.volume:
            self._low = here
        if amplitude <= MIN_AMPLITUDE * self._highs[0][1]:
            return None
        turn = HYSTERESIS * amplitude
        # At the beginning it is not known which way the curve goes: either turn is looked for.
        if self._rising is not True and point.volume - self._low.sample.volume > turn:
            self._es = self._low if self._rising is False else None
            self._rising, self._high = True, here
        elif self._rising is not False and self._high.sample.volume - point.volume > turn:
            return self._diastole_ended(here, amplitude)
        return None

    def _diastole_ended(self, here: Phase, amplitude: float) -> Beat | None:
        assert self._high is not None
        next_ed = replace(self._high, turned=here.sample, certain_s=self._samples[-1].t_s) if self._high.whole else None
        beat = self._beat(self._ed, self._es, next_ed, amplitude) if self._ed and self._es and next_ed else None
        self._ed, self._es = next_ed, None
        self._rising, self._low = False, here
        return beat

    def _amplitude(self, point: Sample) -> float:
        """Of the curve over the last `MEMORY_S`; monotonic queues keep its maximum and minimum at hand."""
        t, v = point.t_s, point.volume
        while self._highs and self._highs[-1][1] <= v:
            self._highs.pop()
        while self._lows and self._lows[-1][1] >= v:
            self._lows.pop()
        self._highs.append((t, v))
        self._lows.append((t, v))
        while self._highs[0][0] < t - MEMORY_S:
            self._highs.popleft()
        while self._lows[0][0] < t - MEMORY_S:
            self._lows.popleft()
        return self._highs[0][1] - self._lows[0][1]

    def _beat(self, first: Phase, middle: Phase, last: Phase, amplitude: float) -> Beat | None:
        ed, es, next_ed_s = self._refined(first, middle, last)
        reason = self._reason(first, middle, last, amplitude, next_ed_s - ed.t_s)
        if reason == OUT_OF_LINE and not self._falls:
            # Where the curve begins its amplitude is not known yet, and a ripple passes for a beat: there was none.
            return None
        if reason in (None, OUT_OF_LINE):
            # Rejected ones too: where the heart or the view has changed, what is usual changes.
            self._falls.append(first.sample.volume - middle.sample.volume)
        return Beat(
            t_ed_s=ed.t_s,
            t_es_s=es.t_s,
            t_next_ed_s=next_ed_s,
            edv=ed.volume,
            esv=es.volume,
            eda=ed.area,
            esa=es.area,
            ef_percent=100 * (ed.volume - es.volume) / ed.volume,
            fac_percent=100 * (ed.area - es.area) / ed.area,
            heart_rate_bpm=60.0 / (next_ed_s - ed.t_s),
            accepted=reason is None,
            reason=reason,
            disks_ed=ed.disks,
            disks_es=es.disks,
        )

    def _refined(self, first: Phase, middle: Phase, last: Phase) -> tuple[Sample, Sample, float]:
        """ED and ES of a beat where the form of a systole puts them, and the time of the next ED. Where the form does
        not fit, or there are too few samples for it, those of the smoothed curve."""
        samples, ed, es, next_ed = list(self._samples), first.sample, middle.sample, last.sample
        ed_s, next_ed_s = (_systole_begins(phase, ed, es, next_ed.t_s - ed.t_s) for phase in (first, last))
        times = np.array([s.t_s for s in samples])
        # The atrium is largest when the ventricle is smallest.
        curves = np.array([[s.volume for s in samples], [s.length for s in samples], [-s.atrium for s in samples]])
        beat_s = next_ed_s - ed_s
        systole = fit_systole(times, curves, ed_s, es.t_s, beat_s)
        if systole is not None:
            part = samples[systole.first : systole.last]
            at_ed, at_es = weighted(part, systole.at_ed, systole.t_ed_s), weighted(part, systole.at_es, systole.t_es_s)
            if at_ed.volume > at_es.volume > 0:
                # The next systole is still going on. It is taken to last as long as this one, and what is seen of it is
                # compared with what was seen of this one when it had gone on for as long: a heart of another form errs
                # in both alike.
                systole_s = at_es.t_s - at_ed.t_s
                begun = [
                    fit_beginning(times[:seen], curves[:, :seen], t_s, systole_s, beat_s)
                    for t_s, seen in (
                        (ed_s, int(np.searchsorted(times, first.certain_s, "right"))),
                        (next_ed_s, len(times)),
                    )
                ]
                if begun[0] is not None and begun[1] is not None:
                    beat_s = begun[1] - begun[0]
                # Of a ripple on noise they may come out in any order.
                if systole_s < beat_s:
                    return at_ed, at_es, at_ed.t_s + beat_s
        disks_ed, disks_es = (samples[int(np.abs(times - phase.t_s).argmin())].disks for phase in (ed, es))
        return replace(ed, disks=disks_ed), replace(es, disks=disks_es), next_ed.t_s

    def _reason(self, first: Phase, middle: Phase, last: Phase, amplitude: float, beat_s: float) -> str | None:
        """Why a beat of so many seconds does not count; None where it does."""
        if beat_s < 60 / HEART_RATE_BPM[1]:
            return TOO_SHORT
        if beat_s > 60 / HEART_RATE_BPM[0]:
            return TOO_LONG
        duration_s = last.sample.t_s - first.sample.t_s
        times = [s.t_s for s in self._samples if first.sample.t_s - CLOCK_S <= s.t_s <= last.sample.t_s + CLOCK_S]
        hole_s = max(after - before for before, after in pairwise([first.sample.t_s, *times, last.sample.t_s]))
        frames, good = last.frames - first.frames, last.good_frames - first.good_frames
        if good < MIN_GOOD_FRAMES * frames or hole_s > MAX_HOLE * duration_s:
            return TOO_FEW_FRAMES
        usual = median(self._falls) if self._falls else amplitude
        if not IN_LINE[0] * usual <= first.sample.volume - middle.sample.volume <= IN_LINE[1] * usual:
            return OUT_OF_LINE
        return None


def _systole_begins(phase: Phase, ed: Sample, es: Sample, beat_s: float) -> float:
    """About when the systole began whose ED is that phase, by a beat's ED, ES and length.

    Where the ventricle rests before it contracts, as in a slow heart or in atrial fibrillation, the largest volume may
    lie anywhere in that rest. The fall tells better: a share of it is reached about as long after ED in every heart of
    that rate.
    """
    assert phase.turned is not None
    return phase.turned.t_s - ejected_s((ed.volume - phase.turned.volume) / (ed.volume - es.volume), beat_s)


def weighted(samples: Sequence[Sample], weights: NDArray[np.float64], t_s: float) -> Sample:
    """The sum of samples with weights, as the one at `t_s`; with disks where all have them."""
    disks = [s.disks for s in samples if s.disks is not None]
    joined = None
    if len(disks) == len(samples):
        diameters = np.maximum(weights @ np.array([d.diameters for d in disks]), 0.0)
        joined = Disks(tuple(diameters.tolist()), float(weights @ np.array([d.length for d in disks])))
    volume, area = weights @ np.array([s.volume for s in samples]), weights @ np.array([s.area for s in samples])
    return Sample(t_s, float(volume), float(area), joined)


def quadratic_fit(samples: list[Sample], t_s: float) -> Sample:
    """Least-squares parabola through the samples, at `t_s` (Savitzky and Golay, Anal Chem 36:1627, 1964, for uneven
    times).

    With fewer than three samples their mean. At a steady rate it keeps the height of a peak that is wider than the
    window.
    """
    if len(samples) < 3:
        return Sample(t_s, sum(s.volume for s in samples) / len(samples), sum(s.area for s in samples) / len(samples))
    s0 = s1 = s2 = s3 = s4 = 0.0
    v0 = v1 = v2 = a0 = a1 = a2 = 0.0
    for s in samples:
        u = (s.t_s - t_s) / HALF_WINDOW_S
        uu = u * u
        s0, s1, s2, s3, s4 = s0 + 1, s1 + u, s2 + uu, s3 + uu * u, s4 + uu * uu
        v0, v1, v2 = v0 + s.volume, v1 + u * s.volume, v2 + uu * s.volume
        a0, a1, a2 = a0 + s.area, a1 + u * s.area, a2 + uu * s.area
    # Cramer's rule for the constant term of the 3x3 normal equations.
    c0, c1, c2 = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    det = s0 * c0 + s1 * c1 + s2 * c2
    if abs(det) < 1e-12:
        return Sample(t_s, v0 / s0, a0 / s0)
    return Sample(t_s, (v0 * c0 + v1 * c1 + v2 * c2) / det, (a0 * c0 + a1 * c1 + a2 * c2) / det)
