"""Drawn pictures that are no apical view: other planes of the heart and other organs, by the phantom's own ultrasound.

The scatterers, the beam, the acoustic window, the noise and the display are those of the simulated hearts. What lies
under the probe is another: so that neither texture nor sector tells a heart from what is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.phantom import PhantomOptions, random_options
from echo_rt.phantom.chance import Chance, random_stream
from echo_rt.phantom.geometry import Pose
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.tissue import BLOOD_DB, Painter, paint
from echo_rt.phantom.ultrasound import Ultrasound
from echo_rt_train.data.sample import Pair, Sample

Points = NDArray[np.float64]

TOP_Z = 116.0
"""Height in the phantom's texture at which the probe stands over an organ, mm: the texture ends just above."""

_FLAT = Pose((0.0, 0.0), TOP_Z, 0.0)
SIZE = (400, 520)
"""Rows and columns of a picture that is no sector, pixels."""


def draw_organ(seed: int, number: int) -> Pair:
    """Picture `number` (H, W) uint8, and a mask of its size that is empty and means nothing."""
    rng = np.random.default_rng([seed, 77, number])
    kind = int(rng.integers(len(_ORGANS) + 2))
    options = random_options(rng).changed(variety=float(rng.uniform(0.3, 1.0)))
    image = _other_plane(options, rng) if kind >= len(_ORGANS) else _organ(options, _ORGANS[kind], rng)
    return image, np.zeros_like(image)


def organ_samples(seed: int, count: int) -> Sequence[Sample]:
    """So many drawn pictures for training."""
    return [
        Sample(f"organ-{seed}-{n}", "train", "other", "other", f"organ {n}", partial(draw_organ, seed, n), known=())
        for n in range(count)
    ]


def _other_plane(options: PhantomOptions, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The four chambers from beside or below: the heart is turned as in subcostal and parasternal views."""
    scene = Scene.draw(options)
    rest, seed = scene.ventricle.reference, options.recording.seed
    scanner = Ultrasound(seed, scene, paint(rest, Chance(random_stream(seed, 4), 1.0)))
    turn = float(np.radians(rng.choice([-1, 1]) * rng.uniform(65, 180)))
    # The pose is that of the apex: turned about the middle of the heart, it is moved as far.
    middle = np.array([[0.0, rest.length * rng.uniform(0.0, 0.5)]])
    pose = Pose((0.0, 0.0), 0.0, turn)
    at = pose.to_probe(middle)[0]
    tip = float(rng.uniform(-20, 20) - at[0]), float(scene.sector.depth_mm * rng.uniform(0.4, 0.6) - at[1])
    polar = scanner.polar(rest, Pose(tip, 0.0, turn), 0.0, [], int(rng.integers(1000)))
    return scanner.display(polar)


@dataclass(frozen=True)
class _Body:
    """What an organ is painted with: in mm to the right and into the body."""

    painter: Painter
    rng: np.random.Generator
    depth_mm: float

    def at(self, x: Points | float, depth: Points | float) -> Points:
        """Points (N, 2) of the texture."""
        x, depth = np.broadcast_arrays(np.atleast_1d(x), np.atleast_1d(depth))
        return np.stack([x, TOP_Z - depth], axis=1).astype(np.float64)

    def line(self, x: Points, depth: Points, width_mm: float, db: float) -> None:
        """A bright layer."""
        self.painter.add(self.painter.mask(self.at(x, depth), width_mm, 0.5), db)

    def ring(self, centre: Points, radii: Points, turn: float = 0.0, wave: float = 0.05) -> Points:
        """An ellipse of those two radii, its border uneven by that share."""
        angle = np.linspace(0, 2 * np.pi, 60)
        uneven = 1 + wave * np.sin(self.rng.integers(2, 5) * angle + self.rng.uniform(0, 6))
        x, y = radii[0] * uneven * np.cos(angle), radii[1] * uneven * np.sin(angle)
        c, s = np.cos(turn), np.sin(turn)
        return self.at(centre[0] + c * x - s * y, centre[1] + s * x + c * y)

    def fill(self, points: Points, db: float, soft_mm: float = 0.6) -> None:
        """Replace what is inside."""
        self.painter.lay(self.painter.mask(points, soft_mm=soft_mm), db)

    def wall(self, points: Points, width_mm: float, db: float) -> None:
        """Brighten the border."""
        self.painter.add(self.painter.mask(points, width_mm, 0.6), db)


def _organ(options: PhantomOptions, organ: Callable[[_Body], None], rng: np.random.Generator) -> NDArray[np.uint8]:
    shallow = organ in _SHALLOW and rng.random() < 0.7
    options = options.changed(depth_mm=float(rng.uniform(80, 110) if shallow else rng.uniform(110, 200)), dropout=0.0)
    scene = Scene.draw(options)
    painter = Painter(Chance(rng, 1.0))
    painter.db += (
        rng.uniform(-10, 0)
        + rng.uniform(1, 4) * painter.noise(90, 90)
        + rng.uniform(0.5, 3) * painter.noise(int(rng.integers(6, 30)), int(rng.integers(6, 45)))
    )
    organ(_Body(painter, rng, scene.sector.depth_mm))
    scanner = Ultrasound(options.recording.seed, scene, painter.db)
    polar = scanner.polar(scene.ventricle.reference, _FLAT, 0.0, [], int(rng.integers(1000)))
    shape = rng.random()
    return scanner.display(polar) if shape < 0.45 else _shown(polar, rng, linear=shape > 0.75)


def _shown(polar: NDArray[np.uint8], rng: np.random.Generator, linear: bool) -> NDArray[np.uint8]:
    """As a linear or a convex probe shows it: a rectangle, or a sector with a wide round face."""
    height, width = SIZE
    if linear:
        size = int(rng.uniform(0.5, 1.3) * width), height
        return np.asarray(cv2.resize(polar, size, interpolation=cv2.INTER_AREA), np.uint8)
    face, half = rng.uniform(0.3, 1.2) * height, np.radians(rng.uniform(20, 40))
    y, x = np.indices(SIZE, np.float32)
    radius, angle = np.hypot(x - width / 2, y + face * np.cos(half)), np.arctan2(x - width / 2, y + face * np.cos(half))
    rows = (radius - face) / (height * 0.95) * polar.shape[0]
    columns = (angle / half + 1) / 2 * polar.shape[1]
    image = cv2.remap(polar, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(image, np.uint8)


def _lung(body: _Body) -> None:
    """A pleural line between ribs; below it A-lines (its mirror images), bright beams (B-lines) or consolidation."""
    rng, x = body.rng, np.linspace(-100, 100, 80)
    depth = rng.uniform(10, 40)
    pleura = depth + rng.uniform(-0.001, 0.002) * x**2 + rng.uniform(0, 1) * np.sin(x / rng.uniform(5, 30))
    below = np.concatenate([body.at(x, pleura), body.at(x[::-1], np.full(80, 230.0))])
    body.fill(below, float(rng.uniform(-20, -4)))
    for _ in range(int(rng.integers(2, 6))):  # skin, fat and muscle above
        body.line(x, pleura * rng.uniform(0.2, 0.9), rng.uniform(0.6, 2), rng.uniform(3, 12))
    body.line(x, pleura, rng.uniform(1, 3), rng.uniform(10, 20))
    if rng.random() < 0.6:
        for order in range(2, 5):
            body.line(x, order * pleura, rng.uniform(0.8, 2), rng.uniform(6, 14) - 2 * order)
    for _ in range(int(rng.integers(0, 7)) if rng.random() < 0.7 else 0):
        at, lean = rng.uniform(-50, 50), rng.uniform(0.0, 0.5)
        body.line(np.array([at, at * (1 + lean)]), np.array([depth, 200.0]), rng.uniform(2, 12), rng.uniform(6, 16))
    for _ in range(int(rng.integers(0, 3))):
        centre = np.array([rng.uniform(-40, 40), depth + rng.uniform(8, 40)])
        body.fill(body.ring(centre, rng.uniform(5, 25, 2), wave=0.2), rng.uniform(-40, 0), 2.0)
    for at in rng.uniform(-70, 70, int(rng.integers(0, 3))):  # ribs and their shadows
        rib = body.ring(np.array([at, depth - 5.0]), np.array([9.0, 3.0]))
        edge = at + np.array([-9.0, 9.0])
        body.fill(body.at(np.concatenate([edge, 1.6 * edge[::-1]]), np.array([depth, depth, 220.0, 220.0])), -45)
        body.wall(rib, 1.5, 12)


def _muscle(body: _Body) -> None:
    """Fat, aponeuroses, and fascicles between them."""
    rng, x = body.rng, np.linspace(-100, 100, 40)
    slope, top, gap = rng.uniform(-0.15, 0.15), rng.uniform(4, 18), rng.uniform(15, 45)
    pennation = rng.choice([-1, 1]) * rng.uniform(0.1, 0.6)
    for layer in range(int(rng.integers(2, 5))):
        depth = top + layer * gap
        body.line(x, depth + slope * x + rng.uniform(-1, 1), rng.uniform(1, 2.5), rng.uniform(8, 18))
        for at in np.arange(-120, 120, rng.uniform(2.5, 8)):
            reach = gap * rng.uniform(0.2, 0.9)
            start = depth + slope * at + rng.uniform(0, gap - reach)
            ends = np.array([at, at + reach / pennation / 2])
            body.line(ends, np.array([start, start + reach]), rng.uniform(0.4, 1.2), rng.uniform(2, 9))
        pennation *= rng.choice([-1, 1])
    if rng.random() < 0.4:
        centre = np.array([rng.uniform(-30, 30), rng.uniform(30, 80)])
        body.wall(body.ring(centre, np.array([1.0, 0.7]) * rng.uniform(12, 30)), 2.0, 18)


def _nerve(body: _Body) -> None:
    """Layers, vessels, and round bundles with bright sheaths."""
    rng, x = body.rng, np.linspace(-100, 100, 40)
    for _ in range(int(rng.integers(4, 12))):
        depth, slope = rng.uniform(4, 80), rng.uniform(-0.2, 0.2)
        body.line(
            x, depth + slope * x + 2 * np.sin(x / 20 + rng.uniform(0, 6)), rng.uniform(0.5, 2), rng.uniform(3, 14)
        )
    for _ in range(int(rng.integers(1, 5))):
        centre = np.array([rng.uniform(-35, 35), rng.uniform(10, 60)])
        ring = body.ring(centre, rng.uniform(3, 12, 2), rng.uniform(0, 3), 0.1)
        body.fill(ring, rng.choice([BLOOD_DB, -18.0, -8.0]))
        body.wall(ring, rng.uniform(0.8, 2), rng.uniform(3, 14))


def _head(body: _Body) -> None:
    """A bright oval with a midline, or another hollow organ: bladder, eye, gall bladder, cyst, uterus."""
    rng = body.rng
    size = rng.uniform(14, 0.42 * body.depth_mm)
    centre, turn = np.array([rng.uniform(-15, 15), rng.uniform(0.4, 0.6) * body.depth_mm]), rng.uniform(0, np.pi)
    ring = body.ring(centre, size * np.array([1.0, rng.uniform(0.55, 1.0)]), turn, 0.03)
    inside = float(rng.choice([BLOOD_DB, -25.0, -14.0, -8.0]))
    body.fill(ring, inside, 1.0)
    body.wall(ring, rng.uniform(1, 5), rng.uniform(6, 24))
    if rng.random() < 0.6:
        along = size * 0.85 * np.array([np.cos(turn), np.sin(turn)])
        body.line(centre[0] + along[0] * np.array([-1, 1]), centre[1] + along[1] * np.array([-1, 1]), 1.5, 20)
    for _ in range(int(rng.integers(0, 5))):
        spot = centre + rng.uniform(-0.5, 0.5, 2) * size
        body.fill(body.ring(spot, rng.uniform(0.05, 0.25, 2) * size), rng.uniform(-48, 8))


def _vessels(body: _Body) -> None:
    """Even tissue as of liver, thyroid or a test target, with tubes, round vessels and bright points."""
    rng, x = body.rng, np.linspace(-100, 100, 60)
    for _ in range(int(rng.integers(1, 5))):
        depth, slope = rng.uniform(15, 0.9 * body.depth_mm), rng.normal(0, 0.4)
        half = rng.uniform(1.5, 9) * (1 + 0.3 * np.sin(x / 30 + rng.uniform(0, 6)))
        middle = depth + slope * x + rng.uniform(0, 4) * np.sin(x / 25)
        tube = np.concatenate([body.at(x, middle - half), body.at(x[::-1], (middle + half)[::-1])])
        body.fill(tube, BLOOD_DB)
        for side in (-1, 1):
            body.line(x, middle + side * half, rng.uniform(0.6, 1.6), rng.uniform(2, 12))
    for _ in range(int(rng.integers(0, 12))):
        centre = np.array([rng.uniform(-50, 50), rng.uniform(10, 0.95 * body.depth_mm)])
        body.fill(body.ring(centre, np.full(2, rng.uniform(0.8, 8)), wave=0.0), rng.choice([BLOOD_DB, 20.0, -20.0]))
    x0 = rng.uniform(-60, 60)
    body.line(np.linspace(x0 - 60, x0 + 60, 30), np.full(30, rng.uniform(0.6, 1.0) * body.depth_mm), 3.0, 15)


def _short_axis(body: _Body) -> None:
    """The left ventricle as a ring, the right one as a crescent beside it; or the great vessels as rings."""
    rng = body.rng
    centre = np.array([rng.uniform(-12, 18), rng.uniform(0.38, 0.58) * body.depth_mm])
    outer = rng.uniform(24, 42)
    inner = outer * rng.uniform(0.45, 0.8)
    shape = np.array([1.0, rng.uniform(0.8, 1.1)])
    right = body.ring(centre - outer * np.array([0.75, 0.35]), outer * np.array([1.1, 0.7]), 0.6)
    body.fill(right, rng.uniform(-35, -18), 1.2)
    body.fill(body.ring(centre, outer * shape), rng.normal(0, 2), 1.0)
    body.fill(body.ring(centre, inner * shape, wave=0.08), BLOOD_DB)
    body.wall(body.ring(centre, outer * 1.03 * shape), 1.5, rng.uniform(4, 14))
    kind = rng.random()
    if kind < 0.4:  # papillary muscles
        for angle in (0.7 + rng.normal(0, 0.3), 2.4 + rng.normal(0, 0.3)):
            spot = centre + 0.7 * inner * np.array([np.cos(angle), np.sin(angle)])
            body.fill(body.ring(spot, inner * rng.uniform(0.12, 0.25, 2), wave=0.15), -3, 1.0)
    elif kind < 0.7:  # the mitral valve as a fish's mouth, or the three cusps of the aortic one
        for angle in np.arange(3) * 2.1 + rng.uniform(0, 2):
            body.line(
                centre[0] + inner * np.array([0, np.cos(angle)]),
                centre[1] + inner * np.array([0, np.sin(angle)]),
                1.4,
                40,
            )


def _long_axis(body: _Body) -> None:
    """The parasternal long axis: right ventricle, septum, left ventricle and posterior wall lie across the beams; aorta
    and atrium on one side."""
    rng, side = body.rng, body.rng.choice([-1, 1])
    depth, tilt = rng.uniform(0.45, 0.6) * body.depth_mm, side * rng.uniform(-0.1, 0.35)
    length, half, wall = rng.uniform(55, 85), rng.uniform(16, 30), rng.uniform(7, 13)

    def across(u: Points, v: Points | float) -> Points:
        """Along the axis towards the apex, and down."""
        return body.at(-side * u + 0 * np.asarray(v), depth + v + tilt * u)

    u = np.linspace(-15, length, 50)
    taper = np.sqrt(np.clip(1 - (np.clip(u, 0, None) / length) ** 2.2, 0, 1))

    def outline(upper: float, lower: float) -> Points:
        """From so many mm above the axis, at the base, to so many below it."""
        return np.concatenate([across(u, -upper * taper), across(u[::-1], lower * taper[::-1])])

    body.fill(outline(half + wall + 22, -(half + wall)), -25)
    body.fill(outline(half + wall, half + wall), rng.normal(0, 2), 1.0)
    body.fill(outline(half, half), BLOOD_DB)
    body.wall(across(u, (half + wall) * taper), 2.0, rng.uniform(8, 16))
    aorta = np.array([-15.0, -70.0])
    for v, width in ((-half * 0.7, 26.0), (half * 0.6, 34.0)):
        body.fill(np.concatenate([across(aorta, v - width / 2), across(aorta[::-1], v + width / 2)]), BLOOD_DB, 1.0)
        body.wall(across(aorta, v - width / 2), 2.0, 8)
        body.wall(across(aorta, v + width / 2), 2.0, 8)
    for v in (-half * 0.2, half * 0.9):  # the mitral leaflets
        body.wall(across(np.array([-12.0, rng.uniform(0, 18)]), np.array([v, v * 0.3])), 1.4, 40)


_ORGANS: tuple[Callable[[_Body], None], ...] = (
    _lung, _lung, _muscle, _nerve, _nerve, _head, _vessels, _short_axis, _short_axis, _long_axis, _long_axis,
)  # fmt: skip
_SHALLOW = (_muscle, _nerve, _vessels, _lung)
