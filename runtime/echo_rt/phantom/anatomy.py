"""The left ventricle as a shape: cavity, wall and atrium, for any volume.

Heart frame: millimetres, x to the right of the display (towards the lateral wall), z from the base towards the apex
along the long axis. The origin is the middle of the mitral annulus at the reference volume (regular end-diastole). The
tip of the epicardium stays where it is, and the base comes to it in systole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.cavity import SIDE, Cavity, disk_volume_ml
from echo_rt.phantom.chance import Chance, random_stream
from echo_rt.phantom.muscle import Muscle, muscle_ml
from echo_rt.phantom.options import PhantomOptions


@dataclass(frozen=True, eq=False)
class State:
    """The ventricle at one instant, heart frame, mm. `endo` and `epi` are (2 * SIDE - 1, 2), point by point across."""

    volume_ml: float  # of the cavity as drawn, method of disks
    length: float  # of the long axis
    base: float  # z of the middle of the mitral annulus
    contraction: float  # 1 - volume / reference volume of the curve; 0 at a regular ED
    endo: Array  # the endocardium, septal hinge to lateral hinge
    epi: Array  # the epicardium
    atrium: Array  # (M, 2) the left atrium, septal hinge to lateral hinge over its roof


@dataclass(frozen=True)
class Atrium:
    """One person's left atrium: its width against the annulus, its depth in mm, its lean and its bulge."""

    size: float
    depth_mm: float
    lean: float
    bulge: float

    def border(self, endo: Array, rest: Array, base: float, contraction: float) -> Array:
        """(M, 2) the atrium below the mitral line of `endo`; `rest` is the endocardium at the reference volume."""
        # The roof stands still while the annulus moves, so that the atrium fills in systole.
        roof = -self.depth_mm * self.size
        angle = np.linspace(0, np.pi, 49)
        sine = np.sin(angle)
        half, rest_half = (endo[-1, 0] - endo[0, 0]) / 2, (rest[-1, 0] - rest[0, 0]) / 2
        width = half + (self.size * rest_half * (1 + 0.25 * contraction) - half) * np.clip(1.6 * sine, 0, 1)
        x = -np.cos(angle) * width * (1 + self.bulge * sine**1.3) + self.lean * -roof * sine
        line = base + (endo[-1, 1] - endo[0, 1]) / 2 * -np.cos(angle)
        z = line + (roof - 3 * contraction - line) * sine**0.75
        return np.stack([x, z], axis=1)


class Ventricle:
    """One person's ventricle: its shape is drawn from the seed once, and then a function of the volume alone.

    `reference` is the ventricle at `reference_ml`, the volume at a regular ED.
    """

    def __init__(self, options: PhantomOptions, edv_ml: float) -> None:
        chance = Chance(random_stream(options.recording.seed, 3), 0.3 + 0.7 * options.look.variety)
        self.reference_ml = edv_ml
        self._foreshorten = options.view.foreshorten
        self._cavity = Cavity.draw(chance, self._foreshorten)
        self._muscle = Muscle.draw(chance, edv_ml, options.heart.akinetic)
        near = chance.near
        self._atrium = Atrium(near(1.0, 0.2), near(46, 9), near(-0.22, 0.12), max(near(0.9, 0.25), 0.2))
        self._length = self._cavity.length_mm(edv_ml)
        self._rest = self._endo(0.0)
        self._tip = float(self._muscle.around(self._rest, 1.0)[SIDE - 1, 1])
        self._thickening = self._solve_thickening()
        self.reference = self.at(edv_ml)

    def at(self, volume_ml: float) -> State:
        """The ventricle when the volume curve says `volume_ml`. With akinesia more is drawn: `State.volume_ml`."""
        contraction = 1 - volume_ml / self.reference_ml
        endo, epi = self._borders(contraction, float(np.interp(contraction, *self._thickening)))
        # A plane that misses the apex shows the muscle beside it move in.
        tip = self._tip - 14 * self._foreshorten * contraction
        base = tip - float(epi[SIDE - 1, 1])
        volume = disk_volume_ml(endo)
        length = float(endo[SIDE - 1, 1])
        endo[:, 1] += base
        epi[:, 1] += base
        atrium = self._atrium.border(endo, self._rest, base, contraction)
        return State(volume, length, base, contraction, endo, epi, atrium)

    def _endo(self, contraction: float) -> Array:
        """(2 * SIDE - 1, 2) the endocardium with the middle of the hinges at the origin, without akinesia."""
        outline = self._cavity.outline(contraction)
        volume, length = self.reference_ml * (1 - contraction), self._length * (1 - self._cavity.shorten * contraction)
        unit = disk_volume_ml(outline) * length
        outline *= np.sqrt(volume / unit), length
        return outline

    def _borders(self, contraction: float, factor: float) -> tuple[Array, Array]:
        """Endocardium and epicardium with the base at z = 0, the wall `factor` times as thick as at rest."""
        endo = self._muscle.hold(self._endo(contraction), self._rest)
        return endo, self._muscle.around(endo, factor)

    def _solve_thickening(self) -> tuple[Array, Array]:
        """Contractions, and how much thicker than at rest the wall is there, so that the muscle keeps its volume."""
        rest_ml = muscle_ml(*self._borders(0.0, 1.0))
        contractions = np.linspace(-0.15, 0.85, 16)
        factors = []
        factor = 0.85
        for contraction in contractions.tolist():
            # Secant steps: the volume is nearly linear in the factor, so that a few are exact to a thousandth.
            before = factor + 0.1
            error_before = muscle_ml(*self._borders(contraction, before)) - rest_ml
            for _ in range(4):
                error = muscle_ml(*self._borders(contraction, factor)) - rest_ml
                if abs(error) < 1e-3 * rest_ml or error == error_before:
                    break
                step = error * (factor - before) / (error - error_before)
                before, error_before, factor = factor, error, float(np.clip(factor - step, 0.3, 5.0))
            factors.append(factor)
        return contractions, np.array(factors)
