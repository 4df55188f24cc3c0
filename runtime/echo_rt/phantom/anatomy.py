"""The left ventricle as a shape: cavity, wall and atrium, for any volume.

Heart frame: millimetres, x to the right of the display (towards the lateral wall), z from the base towards the apex
along the long axis. The origin is the middle of the mitral annulus at the reference volume (regular end-diastole). The
tip of the epicardium stays where it is, and the base comes to it in systole.

The endocardium is a polygon from the septal hinge over the apex to the lateral hinge: with L the long axis and u from 0
(hinge) to 1 (apex), each side lies at ``x = g * w(u)``, ``z = L * (zh + (1 - zh) u)``. The volume by the method of
disks is then ``pi / 4 * g^2 * L / 20 * sum(d_i^2)`` with d_i the chords at g = 1, so that g follows from the volume in
closed form: what is drawn has the volume of the curve exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.options import PhantomOptions, stream
from echo_rt.reading import SEGMENTS

DISKS = 20
SIDE = 44
"""Points of the polygon on each side, the apex being the last of both."""

# u of the points: dense at the apex, where the curvature is.
_U = np.sin(np.linspace(0, np.pi / 2, SIDE))
_STIFF = np.hanning(11)[1:-1] / np.hanning(11)[1:-1].sum()
_DISK_Z = (np.arange(DISKS) + 0.5) / DISKS


def disk_volume_ml(polygon: Array) -> float:
    """Volume by the method of disks, single plane, of a polygon in mm.

    Args:
        polygon: (2 * SIDE - 1, 2) x, z from the septal hinge over the apex to the lateral hinge, the long axis along z.

    20 disks perpendicular to the axis from the middle of the hinges to the apex; each as wide as the polygon, closed by
    the mitral line, at the disk's middle.
    """
    middle = (polygon[0] + polygon[-1]) / 2
    length = polygon[SIDE - 1, 1] - middle[1]
    chords = _chords(polygon - middle, length * _DISK_Z)
    return float(np.pi / 4 * np.sum(chords**2) * length / DISKS / 1000)


def _chords(polygon: Array, z: Array) -> Array:
    """Widths at heights z > 0 of a polygon whose hinges are each other's mirror image through the origin."""
    left = np.interp(z, polygon[:SIDE, 1], polygon[:SIDE, 0])
    right = np.interp(z, polygon[: SIDE - 2 : -1, 1], polygon[: SIDE - 2 : -1, 0])
    x, zh = polygon[-1]
    # Where one hinge lies above z, the mitral line is the border on its side.
    if zh > 0:
        right = np.where(z < zh, x * z / zh, right)
    elif zh < 0:
        left = np.where(z < -zh, x * z / zh, left)
    return np.asarray(right - left)


@dataclass(frozen=True, eq=False)
class State:
    """The ventricle at one instant, heart frame, mm.

    Attributes:
        volume_ml: of the cavity as drawn, method of disks.
        length: of the long axis.
        base: z of the middle of the mitral annulus.
        contraction: 1 - volume / reference volume of the curve; 0 at a regular ED.
        endo: (2 * SIDE - 1, 2) the endocardium, septal hinge to lateral hinge.
        epi: (2 * SIDE - 1, 2) the epicardium, point by point across the wall from `endo`.
        atrium: (M, 2) the left atrium, septal hinge to lateral hinge over its roof.
    """

    volume_ml: float
    length: float
    base: float
    contraction: float
    endo: Array
    epi: Array
    atrium: Array


class Ventricle:
    """One person's ventricle: its shape is drawn from the seed once, and then a function of the volume alone."""

    def __init__(self, options: PhantomOptions, edv_ml: float) -> None:
        """Args: the options, and the reference volume in mL (regular ED, of what is drawn)."""
        rng, spread = stream(options.seed, 3), 0.3 + 0.7 * options.variety

        def draw(mean: float, sd: float) -> float:
            return mean + sd * spread * float(np.clip(rng.standard_normal(), -2, 2))

        self.reference_ml = edv_ml
        self._foreshorten = options.foreshorten
        self._power = max(draw(3.3, 0.45) + 2 * options.foreshorten, 2.0)
        self._blunt = float(np.clip(draw(0.42, 0.03), 0.38, 0.5))
        self._taper = draw(0.08, 0.12), draw(0.29, 0.12)
        self._bend = draw(0.14, 0.10)
        self._waist = max(draw(0.07, 0.05), 0.0)
        self._ripple = np.array([[draw(0, 0.035), draw(0, 0.025)] for _ in range(2)])
        self._mitral = float(np.clip(draw(0.67, 0.08), 0.48, 0.95))
        # The lateral hinge lies lower than the septal one.
        self._tilt = draw(-0.03, 0.026)
        aspect = float(np.clip(draw(0.60, 0.05), 0.46, 0.75)) / (1 - options.foreshorten)
        self._shorten = draw(0.27, 0.03) + 0.25 * options.foreshorten
        # Wall in mm at base, middle and apex of each side; the septum and hypertrophy make it thick, dilatation thin.
        thick = draw(1.04, 0.15) * (edv_ml / 100) ** -0.06
        self._wall = thick * np.array(
            [[draw(9.6, 0.9), draw(12.6, 1.3), draw(10.2, 1.2)], [draw(9.8, 0.9), draw(11.8, 1.2), draw(10.2, 1.2)]]
        )
        self._wall[1, 2] = self._wall[0, 2]
        self._akinetic = _windows(options.akinetic)
        self._atrium_size = draw(1.0, 0.2), draw(46, 9), draw(-0.22, 0.12), max(draw(0.9, 0.25), 0.2)

        self.length = 1.0
        self.length = float((edv_ml * 1000 * (0.6 / aspect) ** 2 / self._unit_volume()) ** (1 / 3))
        self._thickness = np.ones(1)
        self._contractions = np.zeros(1)
        self._rest = self._endo(0.0)
        self._tip = float(self._walls(self._rest, 1.0)[SIDE - 1, 1])
        self._muscle_ml = self._muscle(0.0, 1.0)
        self._solve_thickness()
        self.reference = self.at(edv_ml)

    def _unit_volume(self) -> float:
        """Volume in mm³ of a ventricle 1 mm long, 0.6 mm wide."""
        polygon = self._outline(0.0)
        width = 2 * np.max((polygon[: SIDE - 1 : -1, 0] - polygon[: SIDE - 1, 0]) / 2)
        polygon[:, 0] *= 0.6 / width
        return disk_volume_ml(polygon) * 1000

    def _outline(self, contraction: float) -> Array:
        """(2 * SIDE - 1, 2) the endocardium for g = 1, L = 1, the middle of the hinges at the origin."""
        f = min(max(contraction, -0.3), 0.85)
        taper = self._taper[0] + (self._taper[1] - self._taper[0]) * min(f / 0.52, 1.3)
        body = (1 - taper * (_U - 0.3)) * np.clip(1 - _U**self._power, 0, None) ** self._blunt
        # The annulus shrinks less than the body: by a fifth of the contraction.
        mitral = self._mitral * (1 - 0.2 * f) / np.sqrt((1 - f) / (1 - self._shorten * f))
        near = np.clip(1 - _U / 0.35, 0, None) ** 2
        half = body * (1 - near) + min(mitral, 1.08) * near
        centre = self._bend * np.sin(np.pi * _U)
        detail = [
            row[0] * np.sin(2 * np.pi * _U) * (1 - _U) + row[1] * np.sin(3 * np.pi * _U) * (1 - _U)
            for row in self._ripple * (1 + 0.5 * f)
        ]
        waist = self._waist * (1 + f) * np.exp(-(((_U - 0.55) / 0.22) ** 2)) * np.sin(np.pi * _U)
        left, right = -half + centre + waist + detail[0], half + centre + detail[1]
        zh = -self._tilt, self._tilt
        z = [h + (1 - h) * _U for h in zh]
        return np.stack([np.r_[left, right[-2::-1]], np.r_[z[0], z[1][-2::-1]]], axis=1)

    def _endo(self, contraction: float) -> Array:
        """(2 * SIDE - 1, 2) the endocardium with the middle of the hinges at the origin, without akinesia."""
        outline = self._outline(contraction)
        volume, length = self.reference_ml * (1 - contraction), self.length * (1 - self._shorten * contraction)
        unit = disk_volume_ml(outline) * length
        outline *= np.sqrt(volume / unit), length
        return outline

    def _walls(self, endo: Array, factor: float) -> Array:
        """(2 * SIDE - 1, 2) the epicardium around an endocardium, the wall `factor` times as thick as at rest."""
        still = self._akinetic
        rest = np.r_[np.interp(_U, (0, 0.5, 1), self._wall[0]), np.interp(_U, (0, 0.5, 1), self._wall[1])[-2::-1]]
        thickness = rest * (factor + (1 - factor) * still)
        tangent = np.gradient(endo, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        # At the annulus the wall ends square to the long axis, whatever the slope of the endocardium is there.
        square = np.r_[np.clip(1 - _U / 0.3, 0, None), np.clip(1 - _U / 0.3, 0, None)[-2::-1]][:, None]
        outwards = np.stack([np.r_[-np.ones(SIDE), np.ones(SIDE - 1)], np.zeros(2 * SIDE - 1)], axis=1)
        normal = normal / np.linalg.norm(normal, axis=1, keepdims=True) * (1 - square) + outwards * square
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        normal[SIDE - 1] = (0, 1)
        across = normal * thickness[:, None]
        # Beside a segment that does not thicken the border would fold: it is as stiff as muscle is.
        padded = np.pad(across, ((4, 4), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(_STIFF), axis=0)
        epi: Array = endo + windows @ _STIFF
        # Each side goes up steadily: the way back from image to tissue reads widths by height.
        epi[:SIDE, 1] = np.maximum.accumulate(epi[:SIDE, 1])
        epi[: SIDE - 2 : -1, 1] = np.maximum.accumulate(epi[: SIDE - 2 : -1, 1])
        return epi

    def _still(self, endo: Array) -> Array:
        """The endocardium with the akinetic segments held where they are at rest."""
        if not self._akinetic.any():
            return endo
        held: Array = endo.copy()
        held[:, 0] += self._akinetic * (self._rest[:, 0] - endo[:, 0])
        # The hinges must stay each other's mirror image, or the middle of the annulus would leave the axis.
        half = (held[-1, 0] - held[0, 0]) / 2
        held[0, 0], held[-1, 0] = -half, half
        return held

    def _muscle(self, contraction: float, factor: float) -> float:
        """Volume of the wall in mL by the method of disks."""
        endo = self._still(self._endo(contraction))
        epi = self._walls(endo, factor)
        z = (np.arange(100) + 0.5) / 100 * epi[SIDE - 1, 1]
        left = np.interp(z, epi[:SIDE, 1], epi[:SIDE, 0])
        right = np.interp(z, epi[: SIDE - 2 : -1, 1], epi[: SIDE - 2 : -1, 0])
        whole = np.pi / 4 * np.sum((right - left) ** 2) * epi[SIDE - 1, 1] / 100 / 1000
        return float(whole) - disk_volume_ml(endo)

    def _solve_thickness(self) -> None:
        """How thick the wall is at each contraction, so that the muscle keeps its volume."""
        contractions = np.linspace(-0.15, 0.85, 16)
        factors = []
        factor = 0.85
        for contraction in contractions:
            # Secant steps: the volume is nearly linear in the factor, so that a few are exact to a thousandth.
            before, error_before = factor + 0.1, self._muscle(float(contraction), factor + 0.1) - self._muscle_ml
            for _ in range(4):
                error = self._muscle(float(contraction), factor) - self._muscle_ml
                if abs(error) < 1e-3 * self._muscle_ml or error == error_before:
                    break
                step = error * (factor - before) / (error - error_before)
                before, error_before, factor = factor, error, float(np.clip(factor - step, 0.3, 5.0))
            factors.append(factor)
        self._contractions, self._thickness = contractions, np.array(factors)

    def muscle_ml(self, state: State) -> float:
        """Volume of the wall by the method of disks; the same at every instant."""
        epi = state.epi - (0, state.base)
        z = (np.arange(100) + 0.5) / 100 * epi[SIDE - 1, 1]
        left = np.interp(z, epi[:SIDE, 1], epi[:SIDE, 0])
        right = np.interp(z, epi[: SIDE - 2 : -1, 1], epi[: SIDE - 2 : -1, 0])
        return float(np.pi / 4 * np.sum((right - left) ** 2) * epi[SIDE - 1, 1] / 100 / 1000) - state.volume_ml

    def at(self, volume_ml: float) -> State:
        """The ventricle when the volume curve says `volume_ml`. With akinesia more is drawn, and `State.volume_ml` says
        how much."""
        contraction = 1 - volume_ml / self.reference_ml
        endo = self._still(self._endo(contraction))
        epi = self._walls(endo, float(np.interp(contraction, self._contractions, self._thickness)))
        # A plane that misses the apex shows the muscle beside it move in.
        tip = self._tip - 14 * self._foreshorten * contraction
        base = tip - float(epi[SIDE - 1, 1])
        volume = disk_volume_ml(endo)
        length = float(endo[SIDE - 1, 1])
        endo[:, 1] += base
        epi[:, 1] += base
        return State(volume, length, base, contraction, endo, epi, self._atrium(endo, base, contraction))

    def _atrium(self, endo: Array, base: float, contraction: float) -> Array:
        """(M, 2) the left atrium below the mitral line: its roof stands still while the annulus moves, so that it fills
        in systole."""
        size, depth, lean, bulge = self._atrium_size
        roof = -depth * size
        angle = np.linspace(0, np.pi, 49)
        sine = np.sin(angle)
        half, rest = (endo[-1, 0] - endo[0, 0]) / 2, (self._rest[-1, 0] - self._rest[0, 0]) / 2
        width = half + (size * rest * (1 + 0.25 * contraction) - half) * np.clip(1.6 * sine, 0, 1)
        x = -np.cos(angle) * width * (1 + bulge * sine**1.3) + lean * -roof * sine
        line = base + (endo[-1, 1] - endo[0, 1]) / 2 * -np.cos(angle)
        z = line + (roof - 3 * contraction - line) * sine**0.75
        return np.stack([x, z], axis=1)


def _smooth(u: Array) -> Array:
    u = np.clip(u, 0, 1)
    return np.asarray(u * u * (3 - 2 * u))


def _windows(akinetic: tuple[str, ...]) -> Array:
    """(2 * SIDE - 1,) how far each point of the endocardium is held: 0 moves freely, 0.92 inside an akinetic
    segment."""
    thirds = {"basal": (-0.2, 1 / 3), "mid": (1 / 3, 2 / 3), "apical": (2 / 3, 1.2)}
    sides = {"septal": np.zeros(SIDE), "lateral": np.zeros(SIDE)}
    for segment in SEGMENTS:
        if segment in akinetic:
            level, side = segment.split("_")
            low, high = thirds[level]
            edge = 0.36
            # The ramps of neighbours add up to one: two akinetic segments side by side are one.
            inside = _smooth((_U - low) / edge + 0.5) * _smooth((high - _U) / edge + 0.5)
            sides[side] = np.minimum(sides[side] + 0.92 * inside, 0.92)
    # The tip belongs to both sides: towards it they meet half-way, or the wall would have a step there.
    tip = _smooth((_U - 0.75) / 0.25)
    middle = (sides["septal"] + sides["lateral"]) / 2
    septal, lateral = (held + (middle - held) * tip for held in sides.values())
    return np.concatenate([septal, lateral[-2::-1]])
