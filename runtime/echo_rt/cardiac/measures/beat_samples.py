"""The samples of one beat, as every measure takes them: curves over time, and the ways to read them.

A curve at ED and ES is what the form of a systole makes of it (`echo_rt.cardiac.systole`). Elsewhere, and for how fast
it changes, a polynomial is fitted to the samples around a moment (Savitzky and Golay, Anal Chem 36:1627, 1964).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import NamedTuple

import numpy as np

from echo_rt.arrays import Array
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.phases import kick_s
from echo_rt.cardiac.systole import Systole
from echo_rt.cardiac.valves import fit_valves
from echo_rt.chambers import Scale
from echo_rt.frame import CLOCK_S
from echo_rt.measures import Body, Unknown
from echo_rt.reading import Beat, WallBeat

MOMENT_HALF_WINDOW_S = 0.045
"""Without a fitted systole, ED and ES are means over the samples within so much of them."""

SLOPE_HALF_WINDOW_S, KICK_HALF_WINDOW_S = 0.1, 0.07
"""Of the cubic that tells how fast a curve changes, and of that for the atrium's kick, which takes 130 ms. In simulated
hearts a wider one flattens their peaks by 5 %, and a narrower one makes more of the noise of a network's contour."""

STEP_S = 0.01
"""Between the moments at which it is asked."""

SMOOTH_HALF_WINDOW_S = 0.07
"""Of the cubic that smooths a curve elsewhere."""

UNCALIBRATED = "the scale is not known"


class Peak(NamedTuple):
    """The steepest rise of a curve: per second, and when."""

    rate: float
    t_s: float


@dataclass(frozen=True, eq=False)
class BeatSamples:
    """One accepted beat.

    Attributes:
        beat: its moments and volumes; lengths and volumes are in the units of `scale`.
        samples: those of its frames, and of some before and after, in the order of time.
        systole: that was fitted, its weights being of `samples`; None where none was.
        scale: of the samples.
        wall: what the segments did; None where the wall was not seen.
        view: ``A4C``, ``A2C`` or None.
        mirrored: the septum is on the right of the picture.
        body: how large the patient is.
    """

    beat: Beat
    samples: Sequence[Sample]
    systole: Systole | None
    scale: Scale
    wall: WallBeat | None = None
    view: str | None = None
    mirrored: bool = False
    body: Body = field(default_factory=Body)

    @cached_property
    def t_s(self) -> Array:
        """(N,) times of the samples."""
        return np.array([sample.t_s for sample in self.samples])

    @cached_property
    def volume(self) -> Array:
        """(N,) of the ventricle."""
        return np.array([sample.volume for sample in self.samples])

    @cached_property
    def shape(self) -> Array:
        """(N, 7) length of the endocardium, and x, y of the two hinges and of the apex, in the unit of length."""
        return np.array([sample.shape for sample in self.samples])

    @cached_property
    def atrium(self) -> Array:
        """(N, 2) volume of the left atrium by disks and by area and length; NaN where it is cut off or not seen."""
        return np.array([sample.atrium_volumes for sample in self.samples])

    @cached_property
    def fps(self) -> float:
        """Samples a second within the beat."""
        inside = self.t_s[self._inside]
        return 1 / median(np.diff(inside).tolist()) if len(inside) > 1 else 0.0

    @property
    def _inside(self) -> Array:
        beat = self.beat
        return np.asarray((self.t_s >= beat.t_ed_s - CLOCK_S) & (self.t_s <= beat.t_next_ed_s + CLOCK_S))

    @cached_property
    def moments(self) -> Array:
        """(2, N) the weights of the samples at ED and at ES: their product with a curve is its height there."""
        weights = np.zeros((2, len(self.samples)))
        if self.systole is not None:
            weights[:, self.systole.first : self.systole.last] = self.systole.at_ed, self.systole.at_es
            return weights
        for row, t_s in zip(weights, (self.beat.t_ed_s, self.beat.t_es_s), strict=True):
            away = np.abs(self.t_s - t_s)
            near = away <= max(MOMENT_HALF_WINDOW_S, away.min()) + CLOCK_S
            row[near] = 1 / near.sum()
        return weights

    @cached_property
    def valves_s(self) -> tuple[float, float]:
        """How long isovolumic contraction and relaxation take.

        Raises:
            Unknown: no systole could be fitted.
        """
        beat = self.beat
        found = None
        if self.systole is not None:
            found = fit_valves(self.t_s, self.volume, beat.t_ed_s, beat.t_es_s, beat.t_next_ed_s - beat.t_ed_s)
        if found is None:
            raise Unknown("too few frames a beat for the form of a systole")
        return found

    @cached_property
    def kick_begins_s(self) -> float:
        """When the atrium begins to contract, in a heart as most."""
        beat = self.beat
        return beat.t_next_ed_s - kick_s(beat.t_next_ed_s - beat.t_ed_s, beat.t_es_s - beat.t_ed_s)

    @cached_property
    def _slope_times_s(self) -> Array:
        """(K,) the moments at which slopes are told, from ED to the next ED."""
        beat = self.beat
        return np.arange(beat.t_ed_s, beat.t_next_ed_s + STEP_S / 2, STEP_S)

    def steepest(self, curve: Array, from_s: float, to_s: float, half_s: float = SLOPE_HALF_WINDOW_S) -> Peak:
        """Where between two moments a curve (N,) rises fastest, and how fast, per second.

        Args:
            curve: in any unit.
            from_s, to_s: of the beat.
            half_s: of the window of the cubic.

        Raises:
            Unknown: there are too few samples.
        """
        times = self._slope_times_s
        slopes = self._slope_weights(half_s) @ curve
        slopes[~((times >= from_s) & (times <= to_s) & np.isfinite(slopes))] = -np.inf
        place = int(slopes.argmax())
        if not np.isfinite(slopes[place]):
            raise Unknown("too few frames in that part of the beat")
        # Between the steps the peak is that of a parabola.
        before, peak, after = (float(slopes[n]) for n in (max(place - 1, 0), place, min(place + 1, len(slopes) - 1)))
        bend = before - 2 * peak + after
        shift = 0.5 * (before - after) / bend if np.isfinite(bend) and bend < 0 else 0.0
        rise = 0.25 * (before - after) * shift if shift else 0.0
        return Peak(peak - rise, float(times[place]) + shift * STEP_S)

    def _slope_weights(self, half_s: float) -> Array:
        """(K, N) of the cubic around each moment."""
        if half_s not in self._weights:
            found = polynomial_weights(self.t_s, self._slope_times_s, half_s, order=3, derivative=1)
            self._weights[half_s] = found
        return self._weights[half_s]

    @cached_property
    def _weights(self) -> dict[float, Array]:
        return {}

    def at(self, curve: Array, t_s: float) -> float:
        """A curve (N,) at one moment, smoothed; NaN where there are too few samples."""
        near = np.isfinite(curve) & (np.abs(self.t_s - t_s) <= SMOOTH_HALF_WINDOW_S + CLOCK_S)
        known = polynomial_weights(self.t_s[near], np.array([t_s]), SMOOTH_HALF_WINDOW_S, order=3, derivative=0)
        return float((known @ curve[near])[0])

    def in_mL(self, volume: float) -> float:
        """The same volume, if it is in mL.

        Raises:
            Unknown: the scale is not known.
        """
        if not self.scale.calibrated:
            raise Unknown(UNCALIBRATED)
        return volume


def polynomial_weights(t_s: Array, at_s: Array, half_s: float, order: int, derivative: int) -> Array:
    """(K, N) weights that give the value (`derivative` 0) or the slope (1) of a polynomial at K moments.

    The polynomial is fitted by least squares to the samples within `half_s` of each moment. The weights are NaN where
    these are not more than the order.

    Args:
        t_s: (N,) of the samples.
        at_s: (K,) the moments.
        half_s: of the window.
        order: of the polynomial.
        derivative: 0 or 1.
    """
    weights = np.zeros((len(at_s), len(t_s)))
    first, last = np.searchsorted(t_s, (at_s[0] - half_s - CLOCK_S, at_s[-1] + half_s + CLOCK_S)).tolist()
    u = (t_s[first:last] - at_s[:, None]) / half_s
    far = np.abs(u)
    near = far <= 1 + CLOCK_S / half_s
    # The middle counts more (tricube), so that a sample that comes or goes at the edge of the window changes nothing.
    weight = near * (1 - far * far * far / 1.1**3)
    powers = np.empty((2 * order + 1, *u.shape))
    powers[0] = 1.0
    for n in range(2 * order):  # `**` takes twenty times as long
        np.multiply(powers[n], u, out=powers[n + 1])
    moments = (powers * weight).sum(axis=-1)
    normal = moments[np.add.outer(np.arange(order + 1), np.arange(order + 1))].transpose(2, 0, 1)
    enough = near.sum(axis=1) > order
    normal[~enough] = np.eye(order + 1)
    unit = np.zeros((order + 1, 1))
    unit[derivative] = 1.0
    row = np.linalg.solve(normal + 1e-9 * np.eye(order + 1), unit[None].repeat(len(at_s), 0))[..., 0]
    found = (row.T[..., None] * powers[: order + 1]).sum(axis=0) * weight / half_s**derivative
    weights[:, first:last] = found
    weights[~enough] = np.nan
    return weights
