"""Phantoms that are quick to draw, and what is measured on their contours."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom import Phantom, PhantomOptions

SMALL = {"height": 240, "width": 320}


def heart(**options) -> Phantom:
    """A small clip of 4 s, regular and without breath, unless the options say otherwise."""
    return Phantom(PhantomOptions.of(**{"seconds": 4.0, "hr_variability": 0.0, "breathing": 0.0, **SMALL, **options}))


def at(phantom: Phantom, t_s: float) -> int:
    """The frame at an instant."""
    return round(t_s * phantom.options.recording.fps)


def ed_and_es(phantom: Phantom) -> tuple[int, int]:
    beat = phantom.beats()[0]
    return at(phantom, beat.t_ed_s), at(phantom, beat.t_es_s)


def on_axis(contour: Array, axis: Array) -> Array:
    """Points (N, 2) as (across, along) the long axis of the contour `axis`, from the middle of its hinges; its apex has
    along > 0."""
    middle = (axis[0] + axis[-1]) / 2
    along = axis[len(axis) // 2] - middle
    along /= np.linalg.norm(along)
    return (contour - middle) @ np.stack([[-along[1], along[0]], along], axis=1)


def disks_ml(contour_mm: Array) -> float:
    """Method of disks by where 20 lines cross the closed polygon."""
    points = on_axis(contour_mm, contour_mm)
    length = points[len(points) // 2, 1]
    start, end = points, np.roll(points, -1, axis=0)
    total = 0.0
    for height in (np.arange(20) + 0.5) / 20 * length:
        cut = (start[:, 1] > height) != (end[:, 1] > height)
        share = (height - start[cut, 1]) / (end[cut, 1] - start[cut, 1])
        across = start[cut, 0] + share * (end[cut, 0] - start[cut, 0])
        total += np.pi / 4 * np.ptp(across) ** 2 * length / 20
    return total / 1000
