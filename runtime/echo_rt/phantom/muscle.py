"""The wall around the cavity: its thickness, and the segments that stand still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.cavity import SIDE, U, disk_volume_ml, sides
from echo_rt.phantom.chance import Chance
from echo_rt.reading import SEGMENTS

_STIFF = np.hanning(11)[1:-1] / np.hanning(11)[1:-1].sum()

# At the annulus the wall ends square to the long axis, whatever the slope of the endocardium is there.
_SQUARE = np.clip(1 - np.r_[U, U[-2::-1]] / 0.3, 0, None)[:, None]
_OUTWARDS = np.stack([np.r_[-np.ones(SIDE), np.ones(SIDE - 1)], np.zeros(2 * SIDE - 1)], axis=1)


@dataclass(frozen=True, eq=False)
class Muscle:
    """One person's wall, by the points (2 * SIDE - 1,) of the endocardium."""

    rest_mm: Array  # thickness at ED
    held: Array  # 0 moves freely, 0.92 inside an akinetic segment

    @classmethod
    def draw(cls, chance: Chance, edv_ml: float, akinetic: tuple[str, ...]) -> Muscle:
        near = chance.near
        # In mm at base, middle and apex of each side; the septum and hypertrophy make it thick, dilatation thin.
        thick = near(1.04, 0.15) * (edv_ml / 100) ** -0.06
        wall = thick * np.array(
            [[near(9.6, 0.9), near(12.6, 1.3), near(10.2, 1.2)], [near(9.8, 0.9), near(11.8, 1.2), near(10.2, 1.2)]]
        )
        wall[1, 2] = wall[0, 2]
        septal, lateral = (np.interp(U, (0, 0.5, 1), side) for side in wall)
        return cls(np.r_[septal, lateral[-2::-1]], _held(akinetic))

    def hold(self, endo: Array, rest: Array) -> Array:
        """An endocardium with the akinetic segments where they are at rest."""
        if not self.held.any():
            return endo
        found: Array = endo.copy()
        found[:, 0] += self.held * (rest[:, 0] - endo[:, 0])
        # The hinges must stay each other's mirror image, or the middle of the annulus would leave the axis.
        half = (found[-1, 0] - found[0, 0]) / 2
        found[0, 0], found[-1, 0] = -half, half
        return found

    def around(self, endo: Array, factor: float) -> Array:
        """(2 * SIDE - 1, 2) the epicardium around an endocardium, the wall `factor` times as thick as at rest."""
        thickness = self.rest_mm * (factor + (1 - factor) * self.held)
        tangent = np.gradient(endo, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal = normal / np.linalg.norm(normal, axis=1, keepdims=True) * (1 - _SQUARE) + _OUTWARDS * _SQUARE
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


def muscle_ml(endo: Array, epi: Array) -> float:
    """Volume of the wall by the method of disks."""
    z = (np.arange(100) + 0.5) / 100 * epi[SIDE - 1, 1]
    left, right = sides(epi, z)
    whole = np.pi / 4 * np.sum((right - left) ** 2) * epi[SIDE - 1, 1] / 100 / 1000
    return float(whole) - disk_volume_ml(endo)


def _smooth(u: Array) -> Array:
    u = np.clip(u, 0, 1)
    return np.asarray(u * u * (3 - 2 * u))


def _held(akinetic: tuple[str, ...]) -> Array:
    """(2 * SIDE - 1,) how far each point of the endocardium is held by the akinetic segments."""
    thirds = {"basal": (-0.2, 1 / 3), "mid": (1 / 3, 2 / 3), "apical": (2 / 3, 1.2)}
    held = {"septal": np.zeros(SIDE), "lateral": np.zeros(SIDE)}
    for segment in SEGMENTS:
        if segment in akinetic:
            level, side = segment.split("_")
            low, high = thirds[level]
            edge = 0.36
            # The ramps of neighbours add up to one: two akinetic segments side by side are one.
            inside = _smooth((U - low) / edge + 0.5) * _smooth((high - U) / edge + 0.5)
            held[side] = np.minimum(held[side] + 0.92 * inside, 0.92)
    # The tip belongs to both sides: towards it they meet half-way, or the wall would have a step there.
    tip = _smooth((U - 0.75) / 0.25)
    middle = (held["septal"] + held["lateral"]) / 2
    septal, lateral = (each + (middle - each) * tip for each in held.values())
    return np.concatenate([septal, lateral[-2::-1]])
