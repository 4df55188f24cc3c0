"""The heart at rest as a picture of its echo: how strongly each point of tissue scatters, and with which phase.

Painted once, in the heart frame at the reference volume; `motion` carries it from there. A point returns
``10 ** (dB / 20)`` times a complex number that is random from point to point: many scatterers in each resolution cell,
Rayleigh statistics after detection. There are two independent sets of them. Mixing from one to the other is tissue that
moves through the imaging plane.
"""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Field
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.cavity import SIDE
from echo_rt.phantom.chance import Chance

STEP_MM = 0.4
X_MM = (-112.0, 112.0)
Z_MM = (-104.0, 120.0)
SHAPE = (round((Z_MM[1] - Z_MM[0]) / STEP_MM), round((X_MM[1] - X_MM[0]) / STEP_MM))

BLOOD_DB = -48.0
_AMPLITUDE = np.float32(np.log(10) / 20)


def to_texture(x: Array, z: Array) -> tuple[Array, Array]:
    """Texture columns and rows of heart-frame positions."""
    return (x - X_MM[0]) / STEP_MM, (Z_MM[1] - z) / STEP_MM


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Field:
    """Random field of unit variance whose features are about `cell` (rows, columns) large."""
    small = rng.standard_normal((max(int(shape[0] / cell[0]), 2) + 2, max(int(shape[1] / cell[1]), 2) + 2), np.float32)
    field = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / (field.std() + 1e-6), np.float32)


class Painter:
    """Draws shapes given in heart-frame mm into a dB map; `draw` and `rng` draw how they look."""

    def __init__(self, chance: Chance) -> None:
        self.draw, self.rng = chance.near, chance.rng
        self.db = np.zeros(SHAPE, np.float32)

    def noise(self, rows: int, columns: int) -> Field:
        """`smooth_noise` over the whole map."""
        return smooth_noise(self.rng, SHAPE, (rows, columns))

    def mask(self, points: Array, width_mm: float = 0.0, soft_mm: float = 0.4) -> Field:
        """(rows, columns) 0 to 1: inside a polygon, or along a line of that width."""
        canvas = np.zeros(SHAPE, np.uint8)
        columns, rows = to_texture(points[:, 0], points[:, 1])
        fixed = np.round(np.stack([columns, rows], axis=1) * 16).astype(np.int32)
        if width_mm:
            cv2.polylines(canvas, [fixed], False, 255, max(round(width_mm / STEP_MM), 1), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(canvas, [fixed], 255, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(canvas, (0, 0), max(soft_mm / STEP_MM, 0.3))
        return np.asarray(soft / np.float32(255), np.float32)

    def lay(self, mask: Field, db: float | Field) -> None:
        """Replace what is there. A soft edge mixes amplitudes; mixed in dB, chambers would be drawn too large."""
        there, new = np.exp(self.db * _AMPLITUDE), np.exp(np.asarray(db, np.float32) * _AMPLITUDE)
        self.db = np.asarray(np.log(there + mask * (new - there)) / _AMPLITUDE, np.float32)

    def add(self, mask: Field, db: float | Field) -> None:
        """Brighten what is there."""
        self.db += mask * db


def paint(rest: State, chance: Chance) -> Field:
    """(rows, columns) dB map of the heart at rest, 0 dB being ordinary muscle.

    Args:
        rest: the ventricle at the reference volume.
        chance: draws the look of this person's tissue.
    """
    p = Painter(chance)
    # Around the heart: lung, fat and liver, in clouds.
    p.db += p.draw(-5, 3) + 4.2 * p.noise(90, 90) + 2.8 * p.noise(25, 45) + 1.5 * p.noise(8, 14)
    _fasciae(p)
    _posterior(p)
    _right_heart(p, rest)
    # Atria, with their thin walls and the septum between them.
    p.lay(p.mask(_grow(rest.atrium, 2.2)), p.draw(-5, 3) + p.noise(20, 20))
    p.lay(p.mask(rest.atrium), BLOOD_DB)
    _wall(p, rest)
    _bright_borders(p, rest)
    p.lay(p.mask(np.concatenate([rest.endo, [rest.endo[0]]]), soft_mm=0.35), BLOOD_DB)
    _inside(p, rest)
    return p.db


def _wall(p: Painter, rest: State) -> None:
    """Muscle, which is not even. Fibres run around the ventricle, which shows as faint streaks."""
    grain = 2.6 * p.noise(40, 30) + 2.4 * p.noise(14, 9) + 1.5 * p.noise(5, 5)
    wall = p.mask(np.concatenate([rest.epi, rest.endo[::-1]]), soft_mm=1.0)
    p.lay(wall, np.asarray(grain + p.draw(0, 1.0), np.float32))
    columns: Field = np.linspace(X_MM[0], X_MM[1], SHAPE[1], dtype=np.float32)[None, :]
    rows: Field = np.linspace(Z_MM[1], Z_MM[0], SHAPE[0], dtype=np.float32)[:, None]
    height = np.clip(rows / rest.length, -0.2, 1.2)
    # The beam meets the lateral wall at a grazing angle and the septum's middle better: septum above lateral wall, base
    # above apex.
    side = np.clip(columns / 25, -1, 1)
    p.add(wall, -p.draw(2.2, 1.5) * side + p.draw(2.5, 2) * (0.5 - height))


def _bright_borders(p: Painter, rest: State) -> None:
    """Fibrous and mirror-like structures: crux, annulus, pericardium, right side of the septum."""
    endo, epi, draw = rest.endo, rest.epi, p.draw
    septum = (endo[:SIDE] + epi[:SIDE]) / 2
    p.add(p.mask(_dot(septum[0] + (0, 1), 5.0), soft_mm=2.0), draw(9, 2.5))
    p.add(p.mask(_dot((endo[-1] + epi[-1]) / 2, 4.0), soft_mm=2.0), draw(7, 3))
    p.add(p.mask(septum[: SIDE // 2], 5, soft_mm=2.0), draw(3, 2.5))
    p.add(p.mask(epi[: SIDE // 2 + 6], 1.2, soft_mm=0.7), max(draw(3, 3), 0))
    p.add(p.mask(endo[: SIDE // 2 + 4], 1.0, soft_mm=0.6), max(draw(2.5, 2), 0))
    p.add(p.mask(_grow(epi, 1.0)[SIDE + 6 :], 1.6, soft_mm=0.8), max(draw(10, 4), 0))
    p.add(p.mask(endo[SIDE + 8 :], 1.0, soft_mm=0.6), max(draw(2.5, 2), 0))
    p.add(p.mask(epi[SIDE - 12 : SIDE + 10], 1.2, soft_mm=0.8), max(draw(4, 3), 0))


def _inside(p: Painter, rest: State) -> None:
    """Trabeculae along the endocardium and the papillary muscle before the lateral wall."""
    endo, rng, draw = rest.endo, p.rng, p.draw
    centre = np.array([0.0, rest.length * 0.5])
    for _ in range(int(rng.integers(8, 22))):
        i = int(np.clip(rng.normal(SIDE + 4, 17), 8, 2 * SIDE - 14))
        inwards = (centre - endo[i]) / np.linalg.norm(centre - endo[i])
        along = endo[min(i + 3, 2 * SIDE - 2)] - endo[i - 3]
        along /= np.linalg.norm(along) + 1e-9
        start = endo[i] + inwards * rng.uniform(0.3, 2.5)
        end = start + along * rng.uniform(2, 8) + inwards * rng.uniform(0, 2.5)
        p.lay(p.mask(np.stack([start, end]), rng.uniform(0.8, 2.2), 0.7) * rng.uniform(0.4, 0.9), draw(-6, 3))
    if rng.random() < 0.75:
        root = int(rng.integers(SIDE + 10, SIDE + 20))
        base = endo[root] + (1.0, 0.0)
        tip = endo[min(root + 14, 2 * SIDE - 6)] * (0.62, 1.0) + (draw(0, 2), 0)
        for share, width in ((0.35, 8.0), (0.7, 6.0), (1.0, 4.0)):
            p.lay(p.mask(np.stack([base, base + (tip - base) * share]), width, 1.2) * 0.5, draw(-7, 3))


def _right_heart(p: Painter, rest: State) -> None:
    """Right ventricle and atrium, left of the septum on the display."""
    epi, length, draw = rest.epi, rest.length, p.draw
    width, top, hinge = max(draw(32, 7), 14), draw(0.80, 0.06), draw(4, 3)
    u = np.linspace(0, 1, 40)
    edge = epi[:SIDE]
    free_z = hinge + (top * length - hinge) * u
    septal_x = np.interp(free_z, edge[:, 1], edge[:, 0])
    bulge = np.clip(1 - u**2.2, 0, 1) ** 0.6 * (1 - 0.25 * (1 - u) ** 3)
    free = np.stack([septal_x - width * bulge - 1, free_z], axis=1)
    septal = np.stack([septal_x - 0.3, free_z], axis=1)
    chamber = np.concatenate([free, septal[::-1]])
    outer = np.concatenate([free - (draw(5, 1), 0), np.add(septal[::-1], (0, 2))])
    p.lay(p.mask(outer), draw(-3, 2) + 1.5 * p.noise(12, 12))
    p.lay(p.mask(chamber, soft_mm=1.2), min(draw(-21, 6), -12))
    # The moderator band and the trabeculae, which the right ventricle is full of.
    for _ in range(int(p.rng.integers(4, 10))):
        k = int(p.rng.integers(12, 36))
        a = free[k] + (septal[k] - free[k]) * p.rng.uniform(0, 0.4)
        b = a + p.rng.normal(0, 5, 2)
        p.lay(p.mask(np.stack([a, b]), p.rng.uniform(1, 3), 0.8) * p.rng.uniform(0.4, 0.9), draw(-8, 3))
    # Right atrium below the tricuspid annulus; the septum between the atria is thin, and its middle often not seen.
    left, right = free[0, 0], min(float(rest.atrium[:, 0].min()), septal[0, 0] + 6) - draw(3, 0.7)
    depth, angle = max(draw(42, 8), 20), np.linspace(0, np.pi, 40)
    middle, half = (left + right) / 2, max((right - left) / 2, 6)
    ring = np.stack(
        [middle - half * np.cos(angle) * (1 + 0.25 * np.sin(angle)), hinge - 1 - depth * np.sin(angle) ** 0.7], axis=1
    )
    p.lay(p.mask(_grow(ring, 2.0)), draw(-4, 3) + p.noise(20, 20))
    p.lay(p.mask(ring, soft_mm=1.0), min(draw(-26, 7), -15))
    # Tricuspid valve, half open at rest; it is seen less than the mitral one.
    shift = np.array([0.0, draw(6, 2)])
    span = septal[0] - free[0]
    p.lay(p.mask(np.stack([free[0], free[0] + 0.42 * span + shift]), 1.6) * 0.8, draw(-4, 3))
    p.lay(p.mask(np.stack([septal[0], septal[0] - 0.42 * span + shift]), 1.6) * 0.8, draw(-3, 3))
    p.add(p.mask(_dot(free[0], 3.0), soft_mm=1.5), draw(4, 2))
    p.add(p.mask(free - (3, 0), 1.4, soft_mm=0.8), max(draw(4, 3), 0))


def _posterior(p: Painter) -> None:
    """Bright tissue behind the atria: pericardium, oesophagus, spine side."""
    x = np.linspace(-90, 90, 60)
    z = p.draw(-52, 7) + x * p.draw(0.05, 0.12) + 0.004 * (x + 8) ** 2
    p.add(p.mask(np.stack([x, z - 5], axis=1), 14, soft_mm=4.0), p.draw(11, 4))
    p.add(p.mask(np.stack([x, z], axis=1), 2.0, soft_mm=1.2), p.draw(5, 2.5))


def _fasciae(p: Painter) -> None:
    """Short bright layers across the beam, as fat and lung borders have them."""
    for _ in range(int(p.rng.integers(8, 26))):
        middle = p.rng.uniform((-80, -70), (80, 95))
        reach, slope = p.rng.uniform(1.5, 9), p.rng.normal(0, 0.3)
        along = reach * np.array([1.0, slope])
        ends = np.stack([middle - along, middle + along])
        p.add(p.mask(ends, p.rng.uniform(0.8, 1.8), 0.6), p.rng.uniform(5, 14))


def _dot(centre: Array, radius: float) -> Array:
    angle = np.linspace(0, 2 * np.pi, 24)
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _grow(points: Array, by: float) -> Array:
    """A curve moved outwards from its own middle, mm."""
    away = points - points.mean(axis=0)
    return np.asarray(points + by * away / np.linalg.norm(away, axis=1, keepdims=True))


def scatterers(db: Field, rng: np.random.Generator) -> Field:
    """(rows, columns, 4) two independent complex echoes (real, imaginary, twice) of the tissue of a dB map."""
    amplitude = np.exp(db * _AMPLITUDE)
    field = rng.standard_normal((*SHAPE, 4), np.float32)
    # The beams are further apart than the texture's pixels: smooth enough that the echo does not flicker as tissue
    # moves between them.
    smooth = np.asarray(cv2.GaussianBlur(field, (0, 0), 0.8), np.float32)
    return np.asarray(smooth * (amplitude / smooth.std())[..., None], np.float32)
