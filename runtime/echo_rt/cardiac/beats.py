"""Beats from the volume curve, causally, on the source's own clock, without an ECG.

The curve is smoothed by a quadratic fit over a short window around a moment `LAG` in the past; on it a maximum (ED) is certain
once the curve has fallen by a share of its running amplitude, a minimum (ES) once it has risen by it. A beat runs from ED to ED
and is known when the second one is certain.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from echo_rt.reading import Beat

HALF_WINDOW_S = 0.045
"""Half of the smoothing window, and with it the lag of the curve: 5 frames at 50 fps. At low rates one frame to each side."""

CLOCK_S = 1e-6
"""Time stamps closer than that are the same: sums of frame times carry rounding."""

HYSTERESIS = 0.35
"""How far the curve must turn back, as a share of its running amplitude, before an extremum counts. Diastasis and the atrial kick
move the curve by less, an early or weak beat by more."""

MEMORY_S = 2.2
"""How far back the running amplitude looks: a whole beat at the slowest rate."""

MIN_AMPLITUDE = 0.06
"""Below this share of the largest volume the curve is noise: an EF of 6 % is not compatible with life."""

MAX_GAP_S = 0.3
"""Without a good frame for so long, whatever was going on is not continued."""

MIN_GOOD_FRAMES = 0.7
"""Share of a beat's frames that must be usable."""

HEART_RATE_BPM = (30.0, 220.0)
"""Physiological limits."""

TOO_SHORT, TOO_LONG, TOO_FEW_FRAMES, OUT_OF_LINE = "too short", "too long", "too few good frames", "amplitude out of line"


@dataclass(frozen=True, slots=True)
class Sample:
    """One point of the curve: time, volume by the chosen method, area."""

    t_s: float
    volume: float
    area: float


@dataclass(frozen=True, slots=True)
class Phase:
    """An extremum of the curve. `whole` says that the curve was seen on both sides of it, not cut by a gap."""

    sample: Sample
    whole: bool
    frames: int
    good_frames: int


class BeatFinder:
    """Feed it every frame's sample; it gives each beat when it is certain.

    Its memory is bounded by `MEMORY_S`.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._frames = self._good = 0
        self._window: deque[Sample] = deque()
        self._last_smooth_s = -np.inf
        self._highs: deque[tuple[float, float]] = deque()
        self._lows: deque[tuple[float, float]] = deque()
        self._begin()

    def _begin(self) -> None:
        """Start on a new stretch of curve; the counters of frames go on."""
        self._window.clear()
        self._highs.clear()
        self._lows.clear()
        self._rising: bool | None = None
        self._extremum: Phase | None = None
        self._fresh = True
        self._ed: Phase | None = None
        self._es: Phase | None = None
        self._settled = False

    def update(self, t_s: float, sample: Sample | None) -> Beat | None:
        """Take the next frame.

        Args:
            t_s: its time.
            sample: its point of the curve; None where the frame cannot be used.

        Returns:
            The beat that became certain with this frame, accepted or rejected, or None.
        """
        self._frames += 1
        if sample is None:
            if self._window and t_s - self._window[-1].t_s > MAX_GAP_S:
                self._begin()
            return None
        if self._window and t_s - self._window[-1].t_s > MAX_GAP_S:
            self._begin()
        self._good += 1
        self._window.append(sample)
        beat = None
        for smooth in self._smooth():
            beat = self._follow(smooth) or beat
        return beat

    def _smooth(self) -> list[Sample]:
        """The points of the smoothed curve that the newest sample makes possible; at a steady rate it is one."""
        newest = self._window[-1].t_s
        step = newest - self._window[-2].t_s if len(self._window) > 1 else 0.0
        half = max(HALF_WINDOW_S, step) + CLOCK_S
        ready = []
        for centre in self._window:
            if self._last_smooth_s < centre.t_s <= newest - half + 2 * CLOCK_S:
                near = [s for s in self._window if abs(s.t_s - centre.t_s) <= half]
                ready.append(quadratic_fit(near, centre.t_s))
        if ready:
            self._last_smooth_s = ready[-1].t_s
            while self._window[0].t_s < self._last_smooth_s - half:
                self._window.popleft()
        return ready

    def _follow(self, point: Sample) -> Beat | None:
        amplitude = self._amplitude(point)
        here = Phase(point, not self._fresh, self._frames, self._good)
        self._fresh = False
        if self._extremum is None:
            self._extremum = here
            return None
        turn = HYSTERESIS * amplitude
        enough = amplitude > MIN_AMPLITUDE * self._highs[0][1]
        if self._rising is None:
            # Not known yet which way it goes: wait until the curve has moved by the hysteresis from where it began.
            if enough and abs(point.volume - self._extremum.sample.volume) > turn:
                self._rising = point.volume > self._extremum.sample.volume
                started, self._extremum = self._extremum, here
                if not self._rising:
                    self._ed = started if started.whole else None
            return None
        if (point.volume > self._extremum.sample.volume) == self._rising:
            self._extremum = here
            return None
        if not enough or abs(self._extremum.sample.volume - point.volume) <= turn:
            return None
        turned, self._extremum, self._rising = self._extremum, here, not self._rising
        if self._rising:
            self._es = turned
            return None
        beat = self._beat(turned, amplitude) if self._ed and self._es else None
        self._ed, self._es = turned, None
        if beat is not None and beat.reason == OUT_OF_LINE and not self._settled:
            # Where the curve begins its amplitude is not known yet, and a ripple passes for a beat: there was none.
            return None
        self._settled = self._settled or beat is not None
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

    def _beat(self, next_ed: Phase, amplitude: float) -> Beat:
        assert self._ed is not None
        assert self._es is not None
        ed, es = self._ed.sample, self._es.sample
        rate = 60.0 / (next_ed.sample.t_s - ed.t_s)
        frames = next_ed.frames - self._ed.frames
        good = next_ed.good_frames - self._ed.good_frames
        reason = None
        if rate > HEART_RATE_BPM[1]:
            reason = TOO_SHORT
        elif rate < HEART_RATE_BPM[0]:
            reason = TOO_LONG
        elif good < MIN_GOOD_FRAMES * frames:
            reason = TOO_FEW_FRAMES
        elif ed.volume - es.volume < HYSTERESIS * amplitude:
            reason = OUT_OF_LINE
        return Beat(
            t_ed_s=ed.t_s,
            t_es_s=es.t_s,
            t_next_ed_s=next_ed.sample.t_s,
            edv=ed.volume,
            esv=es.volume,
            eda=ed.area,
            esa=es.area,
            ef_percent=100 * (ed.volume - es.volume) / ed.volume,
            fac_percent=100 * (ed.area - es.area) / ed.area,
            heart_rate_bpm=rate,
            accepted=reason is None,
            reason=reason,
        )


def quadratic_fit(samples: list[Sample], t_s: float) -> Sample:
    """Least-squares parabola through the samples, at `t_s` (Savitzky and Golay, Anal Chem 36:1627, 1964, for uneven times).

    With fewer than three samples their mean. At a steady rate it keeps the height of a peak that is wider than the window.
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
