"""The left ventricle's cavity as a polygon, from the septal hinge over the apex to the lateral hinge.

With L the long axis and u from 0 (hinge) to 1 (apex), each side lies at ``x = g * w(u)``, ``z = L * (zh + (1 - zh) u)``
(zh: height of the hinge).
The volume by the method of disks is then ``pi / 4 * g^2 * L / 20 * sum(d_i^2)`` with d_i the chords at g = 1. So g
follows from the volume in closed form: what is drawn has the volume of the curve exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.chance import Chance

DISKS = 20
SIDE = 44
"""Points of the polygon on each side, the apex being the last of both."""

U = np.sin(np.linspace(0, np.pi / 2, SIDE))
"""u of the points: dense at the apex, where the curvature is."""

_DISK_Z = (np.arange(DISKS) + 0.5) / DISKS


def disk_volume_ml(polygon: Array) -> float:
    """Volume by the method of disks, single plane, of a polygon (2 * SIDE - 1, 2) x, z in mm, the long axis along z.

    20 disks across the axis from the middle of the hinges to the apex. Each is as wide as the polygon, closed by the
    mitral line, at the disk's middle.
    """
    middle = (polygon[0] + polygon[-1]) / 2
    length = polygon[SIDE - 1, 1] - middle[1]
    chords = _chords(polygon - middle, length * _DISK_Z)
    return float(np.pi / 4 * np.sum(chords**2) * length / DISKS / 1000)


def sides(polygon: Array, z: Array) -> tuple[Array, Array]:
    """x of the left and of the right side of a polygon (2 * SIDE - 1, 2) at heights z."""
    left = np.interp(z, polygon[:SIDE, 1], polygon[:SIDE, 0])
    right = np.interp(z, polygon[: SIDE - 2 : -1, 1], polygon[: SIDE - 2 : -1, 0])
    return left, right


def _chords(polygon: Array, z: Array) -> Array:
    """Widths at heights z > 0 of a polygon whose hinges are each other's mirror image through the origin."""
    left, right = sides(polygon, z)
    x, zh = polygon[-1]
    # Where one hinge lies above z, the mitral line is the border on its side.
    if zh > 0:
        right = np.where(z < zh, x * z / zh, right)
    elif zh < 0:
        left = np.where(z < -zh, x * z / zh, left)
    return np.asarray(right - left)


@dataclass(frozen=True, eq=False)
class Cavity:
    """One person's form of the cavity, its size apart."""

    power: float  # of the curve from hinge to apex,
    blunt: float  # and of its end
    taper: tuple[float, float]  # narrowing towards the apex at ED, and with contraction
    bend: float  # of the axis
    waist: float  # of the septum
    ripple: Array  # (2, 2) of both sides
    mitral: float  # half width of the annulus
    tilt: float  # height of the lateral hinge; the septal one has -tilt
    aspect: float  # width over length
    shorten: float  # share of the length that a whole contraction would take

    @classmethod
    def draw(cls, chance: Chance, foreshorten: float) -> Cavity:
        near = chance.near
        return cls(
            power=max(near(3.3, 0.45) + 2 * foreshorten, 2.0),
            blunt=float(np.clip(near(0.42, 0.03), 0.38, 0.5)),
            taper=(near(0.08, 0.12), near(0.29, 0.12)),
            bend=near(0.14, 0.10),
            waist=max(near(0.07, 0.05), 0.0),
            ripple=np.array([[near(0, 0.035), near(0, 0.025)] for _ in range(2)]),
            mitral=float(np.clip(near(0.67, 0.08), 0.48, 0.95)),
            tilt=near(-0.03, 0.026),  # the lateral hinge lies lower than the septal one
            aspect=float(np.clip(near(0.60, 0.05), 0.46, 0.75)) / (1 - foreshorten),
            shorten=near(0.27, 0.03) + 0.25 * foreshorten,
        )

    def length_mm(self, volume_ml: float) -> float:
        """The long axis of a cavity of that volume at ED."""
        polygon = self.outline(0.0)
        width = 2 * np.max((polygon[: SIDE - 1 : -1, 0] - polygon[: SIDE - 1, 0]) / 2)
        polygon[:, 0] *= 0.6 / width
        unit_mm3 = disk_volume_ml(polygon) * 1000  # 1 mm long, 0.6 mm wide
        return float((volume_ml * 1000 * (0.6 / self.aspect) ** 2 / unit_mm3) ** (1 / 3))

    def outline(self, contraction: float) -> Array:
        """(2 * SIDE - 1, 2) the endocardium for g = 1, L = 1, the middle of the hinges at the origin."""
        f = min(max(contraction, -0.3), 0.85)
        taper = self.taper[0] + (self.taper[1] - self.taper[0]) * min(f / 0.52, 1.3)
        body = (1 - taper * (U - 0.3)) * np.clip(1 - U**self.power, 0, None) ** self.blunt
        # The annulus shrinks less than the body: by a fifth of the contraction.
        mitral = self.mitral * (1 - 0.2 * f) / np.sqrt((1 - f) / (1 - self.shorten * f))
        near = np.clip(1 - U / 0.35, 0, None) ** 2
        half = body * (1 - near) + min(mitral, 1.08) * near
        centre = self.bend * np.sin(np.pi * U)
        detail = [
            row[0] * np.sin(2 * np.pi * U) * (1 - U) + row[1] * np.sin(3 * np.pi * U) * (1 - U)
            for row in self.ripple * (1 + 0.5 * f)
        ]
        waist = self.waist * (1 + f) * np.exp(-(((U - 0.55) / 0.22) ** 2)) * np.sin(np.pi * U)
        left, right = -half + centre + waist + detail[0], half + centre + detail[1]
        z = [h + (1 - h) * U for h in (-self.tilt, self.tilt)]
        return np.stack([np.r_[left, right[-2::-1]], np.r_[z[0], z[1][-2::-1]]], axis=1)
