"""Drawn walls, and what is measured of them."""

from __future__ import annotations

import numpy as np

from echo_rt.cardiac.geometry import find_ventricle, outline
from echo_rt.cardiac.wall_geometry import measure_wall
from echo_rt.cardiac.wall_motion import wall_beat
from echo_rt.chambers import Scale
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.reading import SEGMENTS, WallBeat
from echo_rt.segmentation import Segmentation
from support.shapes import segmentation_of

SPEC = ModelSpec("toy", "1", ModelInput(240, 240, 40.0, 50.0))


LENGTH, RADIUS, WALL = 120.0, 40.0, 14.0


def drawn(
    inwards: float | np.ndarray = 0.0, *, ring: bool = True, shortening: float = 0.0, scale: float = 1.0,
    angle_deg: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), mirror: bool = False, atrium: bool = True,
) -> Segmentation:  # fmt: skip
    """A half ellipsoid whose endocardium has come inwards by a fraction of its distance from the axis, one fraction for
    each of `SEGMENTS`, inside of an epicardium that stands still but for the shortening of both. The septum is on the
    left. A `ring` at the base moves in by a quarter of that, as the mitral annulus does."""
    turn, part = np.deg2rad(angle_deg), np.broadcast_to(np.asarray(inwards, float), 6)
    y, x = np.mgrid[:240, :240].astype(float)
    x, y = (x - 120 - shift[0]) / scale, (y - 155 - shift[1]) / scale
    u, v = np.cos(turn) * x + np.sin(turn) * y, (np.cos(turn) * y - np.sin(turn) * x) / (1 - shortening)
    if mirror:
        u = -u
    level = -v / LENGTH
    # Nearly a step from segment to segment: muscle is not torn.
    knots = (0.29, 0.37, 0.63, 0.71)
    septal, lateral = (np.interp(level, knots, np.repeat(side, (1, 2, 1))) for side in (part[:3], part[:2:-1]))
    factor = 1 - np.where(u < 0, septal, lateral) * (0.25 + 0.75 * np.clip(level / 0.2, 0, 1) if ring else 1.0)
    labels = np.zeros((240, 240), np.uint8)
    labels[((u / (RADIUS + WALL)) ** 2 + (v / (LENGTH + WALL)) ** 2 <= 1) & (v <= 0)] = 2
    if atrium:
        labels[((u / (0.95 * RADIUS)) ** 2 + (v / RADIUS - 0.9) ** 2 <= 1) & (v > 0)] = 3
    labels[((u / (RADIUS * factor)) ** 2 + (v / LENGTH) ** 2 <= 1) & (v <= 0)] = 1
    return segmentation_of(labels)


def measured(
    segmentation: Segmentation, spacing_mm: tuple[float, float] | None = None, mirrored: bool = False
) -> np.ndarray:
    """(2, 6) distance from the axis and thickness."""
    border = outline(segmentation)
    assert border is not None
    ventricle = find_ventricle(segmentation, border, spacing_mm)
    assert ventricle is not None
    return measure_wall(segmentation, ventricle, spacing_mm, mirrored).measured


def beat_of(ed: np.ndarray, es: np.ndarray) -> WallBeat:
    return wall_beat(SPEC.tuning.akinesia, ed, es, Scale.PX)


def frozen(*segments: str, ef: float = 0.35) -> np.ndarray:
    return np.array([0.0 if segment in segments else ef for segment in SEGMENTS])


def flagged(beat: WallBeat | None) -> set[str]:
    assert beat is not None
    return {segment for segment, still in zip(SEGMENTS, beat.akinetic, strict=True) if still}
