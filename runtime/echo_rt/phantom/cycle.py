"""The heart's clock: when each beat begins, and the volume at every instant.

A beat runs from end-diastole to the next. **End-diastole (ED)** is the instant of its largest volume, the onset of
contraction; **end-systole (ES)** is the instant of its smallest, the end of ejection. Both are unique: in isovolumic
contraction the volume already falls by `ISOVOLUMIC` of the stroke volume, in isovolumic relaxation it rises by as much,
and diastasis rises throughout.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from echo_rt.phantom.chance import random_stream
from echo_rt.phantom.options import PhantomOptions

ISOVOLUMIC = 0.01
"""Change of volume in an isovolumic phase over the stroke volume: small, but enough to make ED and ES instants."""

FASTEST_OF_LINE = 147.0
"""Beats a minute beyond which Weissler's line says nothing: ejection would soon take no time at all."""

PHASES = (
    "isovolumic contraction", "ejection", "isovolumic relaxation", "rapid filling", "diastasis", "atrial contraction",
)  # fmt: skip


@dataclass(frozen=True)
class Cycle:
    """One beat, its times on the phantom's clock."""

    start_s: float  # ED
    end_s: float  # the next ED
    marks_s: tuple[float, float, float, float, float, float]  # ends of `PHASES` after `start_s`; a phase may be empty
    edv_ml: float
    esv_ml: float
    next_edv_ml: float
    passive: float  # share of the filling that is done before the atrium contracts
    ectopic: bool = False  # a premature ventricular beat

    @property
    def es_s(self) -> float:
        return self.start_s + self.marks_s[1]

    def phase(self, t_s: float) -> str:
        """Which of `PHASES` the instant lies in."""
        return PHASES[min(bisect_right(self.marks_s, t_s - self.start_s), len(PHASES) - 1)]

    def volume_ml(self, t_s: float) -> float:
        """The volume at an instant of this beat; it falls strictly from ED to ES, and rises strictly from there on."""
        t = t_s - self.start_s
        contraction, ejection, relaxation, rapid, slow, kick = self.marks_s
        fall, rise = self.edv_ml - self.esv_ml, self.next_edv_ml - self.esv_ml
        if t < contraction:
            return self.edv_ml - fall * ISOVOLUMIC * t / contraction
        if t < ejection:
            u = (t - contraction) / (ejection - contraction)
            return self.edv_ml - fall * (ISOVOLUMIC + (1 - ISOVOLUMIC) * _sweep(u**0.85))
        if t < relaxation:
            return self.esv_ml + rise * ISOVOLUMIC * (t - ejection) / (relaxation - ejection)
        if t < rapid:
            u = (t - relaxation) / (rapid - relaxation)
            return self.esv_ml + rise * (ISOVOLUMIC + (self.passive - ISOVOLUMIC) * _sweep(u**0.9))
        # Diastasis carries 8 % of what is left and the atrium the rest; without an atrium, diastasis carries all of it.
        left = 1 - self.passive
        creep = left if kick <= slow else 0.08 * left
        if t < slow:
            return self.esv_ml + rise * (self.passive + creep * (t - rapid) / (slow - rapid))
        u = min((t - slow) / (kick - slow), 1.0) if kick > slow else 1.0
        return self.esv_ml + rise * (self.passive + creep + (left - creep) * _ramp(u))


def _ramp(u: float) -> float:
    return u * u * (3 - 2 * u)


def _sweep(u: float) -> float:
    """As `_ramp`, but not flat at its ends: blood flows as soon as a valve opens, and until it shuts."""
    return 0.7 * _ramp(u) + 0.3 * u


def systole_s(rr_s: float) -> tuple[float, float, float]:
    """Isovolumic contraction, ejection and isovolumic relaxation in seconds for a beat of that length.

    Ejection follows Weissler (Circulation 1968): 413 ms - 1.7 ms a beat a minute. Beyond `FASTEST_OF_LINE` it takes 0.4
    of the beat, as it does there. The isovolumic phases of 50 and 70 ms shorten with the beat.
    """
    shorter = min(1.0, rr_s / 0.8)
    ejection = 0.413 - 0.0017 * 60 / rr_s if 60 / rr_s <= FASTEST_OF_LINE else 0.4 * rr_s
    return 0.05 * shorter, ejection, 0.07 * shorter


class Rhythm:
    """The beats, made as far as they are asked for. Beat n is the same whoever asks, and when."""

    def __init__(self, options: PhantomOptions, edv_ml: float) -> None:
        """Args: the options, and the ED volume of a regular beat."""
        self._heart, self._seed, self._edv_ml = options.heart, options.recording.seed, edv_ml
        rng = random_stream(self._seed, 1)
        # The clip begins somewhere in a beat, and respiration sets the slow part of the rate's variability.
        self._lead = float(rng.uniform(0, 1)) * 60 / options.heart.hr
        self._ectopic_every = int(rng.integers(4, 9))
        self._passive = float(rng.uniform(0.68, 0.82))
        self._rr: list[float] = []
        self._cycles: list[Cycle] = []
        self._starts: list[float] = []

    def at(self, t_s: float) -> Cycle:
        """The beat at an instant, t_s >= 0."""
        while not self._cycles or self._cycles[-1].end_s <= t_s:
            self._append()
        return self._cycles[bisect_right(self._starts, t_s) - 1]

    def between(self, t0_s: float, t1_s: float) -> list[Cycle]:
        """The beats that begin at or after t0_s and have ended by t1_s."""
        self.at(t1_s)
        return [c for c in self._cycles if c.start_s >= t0_s and c.end_s <= t1_s]

    def volume_ml(self, t_s: float) -> float:
        return self.at(t_s).volume_ml(t_s)

    def _length(self, n: int) -> float:
        """Length of beat n in seconds."""
        heart = self._heart
        while len(self._rr) <= n:
            i = len(self._rr)
            mean = 60 / heart.hr
            draw = float(np.clip(random_stream(self._seed, 2, i).standard_normal(), -2.5, 2.5))
            if heart.rhythm == "af":
                # Log-normal and without memory, as RR intervals in AF are; 220 a minute is the fastest that conducts.
                rr = max(mean * float(np.exp(0.22 * draw)), 60 / 220)
            else:
                slow = np.sin(2 * np.pi * i * mean / 4.2 + self._seed)
                rr = mean * (1 + heart.hr_variability * (0.6 * draw + 1.13 * float(slow)))
                if heart.rhythm == "ectopic":
                    # The beat before the ectopic one is cut short, the ectopic one is followed by a compensatory pause.
                    rr *= 0.62 if self._is_ectopic(i + 1) else 1.38 if self._is_ectopic(i) else 1.0
                rr = float(np.clip(rr, 60 / 230, 2.8))
            self._rr.append(rr)
        return self._rr[n]

    def _is_ectopic(self, n: int) -> bool:
        return self._heart.rhythm == "ectopic" and n > 1 and n % self._ectopic_every == 0

    def _volumes(self, n: int) -> tuple[float, float]:
        """EDV and ESV of beat n in mL."""
        ef = self._heart.ef / 100
        edv = self._edv_ml
        if self._heart.rhythm == "af" and n >= 2:
            # Filling goes with the interval before, contractility with its share of the one before it (Hardman 1999).
            before, earlier, mean = self._length(n - 1), self._length(n - 2), 60 / self._heart.hr
            edv *= float(np.clip(1 + 0.12 * np.log(before / mean), 0.82, 1.06))
            ef *= float(np.clip(1 + 0.35 * np.log(before / earlier), 0.6, 1.15))
        elif self._is_ectopic(n):
            edv, ef = edv * 0.85, ef * 0.6
        elif self._is_ectopic(n - 1):
            edv, ef = edv * 1.03, ef * 1.08
        return edv, edv * (1 - min(ef, 0.85))

    def _append(self) -> None:
        n = len(self._cycles)
        start = self._cycles[-1].end_s if n else -self._lead
        rr = self._length(n)
        contraction, ejection, relaxation = systole_s(rr)
        systole = contraction + ejection + relaxation
        diastole = rr - systole
        atrium = self._heart.rhythm != "af" and not self._is_ectopic(n + 1)
        # Rapid filling and the atrial kick keep their length while there is room and share what there is at high rates.
        kick = min(0.13, 0.4 * diastole) if atrium else 0.0
        rapid = min(0.19, 0.55 * diastole)
        edv, esv = self._volumes(n)
        next_edv, _ = self._volumes(n + 1)
        marks = (contraction, contraction + ejection, systole, systole + rapid, rr - kick, rr)
        passive = self._passive if atrium else 0.94
        self._cycles.append(Cycle(start, start + rr, marks, edv, esv, next_edv, passive, self._is_ectopic(n)))
        self._starts.append(start)
