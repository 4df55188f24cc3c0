"""The marks of one lattice, each looked at by itself: is it there, how long is it, is something written beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from echo_rt.arrays import Array, Field, Image
from echo_rt.sources.screen.fan import Fan
from echo_rt.sources.screen.lattice import Lattice, axes
from echo_rt.sources.screen.mark_shapes import THERE, Flags, Shapes, are_there, cut_off, likeness, lit_between
from echo_rt.sources.screen.marks import longest_mark
from echo_rt.sources.screen.writing import Writing, number_widths

OVERLAP = (0.14, 0.06)
"""Shares of the depth by which a ruler is looked for above the sector's tip and below its bottom."""

REACH = 1.6
"""How far to either side of a mark is looked, in lengths of the longest mark."""

SPINE_PX, ASKEW_PX = 2, 4
"""Pixels that a mark may lie beside its line, and beside that of a lattice at an angle known to half a degree."""

FEW = 4
"""Fewer marks are not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """What stands at the points of a lattice, from the top down: arrays of (K,).

    Attributes:
        lattice: with the place of the first point here as its `first`.
        there: whether there is a mark.
        brightness: of each mark, in grey levels above what lies around it.
        length, thick: of each mark in pixels, across the ruler and along it.
        ink: sum of the brightness of each mark, in pixels of full brightness.
        writing: what is written beside the marks.
        shape: how much it looks like the mean minor mark, a correlation.
        inside: whether it lies in the sector, where tissue may hide it.
        between: share of the gaps between the marks in which something is lit.
        cut: whether the marks reach to the side of the screen, so that something longer may have been cut off.
        error: standard error of `lattice.step`, in pixels.
    """

    lattice: Lattice
    there: Flags
    brightness: Array
    length: Array
    thick: Array
    ink: Array
    writing: Writing
    shape: Array
    inside: Flags
    between: float
    cut: bool
    error: float

    @property
    def places(self) -> Array:
        """(K,) where the points are along the line, as `Lattice.first`."""
        return np.asarray(self.lattice.first + self.lattice.step * np.arange(len(self.there)), np.float64)


def measure_ticks(still: Image, small: Image, lattice: Lattice, fan: Fan) -> Ticks | None:
    """The marks at the points of a lattice; None where there are hardly any.

    Args:
        still: (H, W) what of the screen does not move.
        small: (H, W) what `small_things` gave of it.
        lattice: as it was found; its step is found anew.
        fan: how far the sector reaches.
    """
    error = 0.0
    for _ in range(3):
        lattice = _from_the_top(lattice, fan)
        patches = _patches(small, lattice, fan)
        if patches is None:
            return None
        offsets, sideways, brightness = _peaks(patches, lattice.step, ASKEW_PX if lattice.angle_deg else SPINE_PX)
        there = are_there(brightness)
        if there.sum() < FEW:
            return None
        if (wider := _wider(lattice, there)) is not None:
            lattice = wider
            continue
        lattice, error = _fitted(lattice, offsets, there)
        if lattice.angle_deg:
            lattice = _straightened(lattice, sideways, there)
    lattice = _from_the_top(lattice, fan)
    patches = _patches(small, lattice, fan)
    if patches is None:
        return None
    offsets, _, brightness = _peaks(patches, lattice.step, SPINE_PX)
    there = are_there(brightness) & (np.abs(offsets) < max(1.5, 0.1 * lattice.step))
    if there.sum() < FEW:
        return None
    around = _patches(still, lattice, fan)
    assert around is not None
    shapes = Shapes(patches, around, offsets, brightness, lattice.step)
    there &= shapes.stands
    if there.sum() < FEW:
        return None
    points = points_of(lattice, fan, small.shape)
    usual = THERE * float(np.median(brightness[there]))
    widths = number_widths(small, lattice, points, shapes.ends, usual)
    shape, plain = likeness(patches, offsets, there, shapes.length)
    thickest = min(float(np.quantile(shapes.thick[there], 0.9)), 0.3 * lattice.step)
    between = lit_between(patches, there, brightness, thickest)
    return Ticks(
        lattice,
        there,
        brightness,
        length=shapes.length,
        thick=shapes.thick,
        ink=shapes.ink,
        writing=Writing(shapes.written, widths, shapes.crowded, plain),
        inside=fan.reaches(points),
        shape=shape,
        between=between,
        cut=cut_off(lattice, small.shape[1], float(np.median(shapes.length[there]))),
        error=error,
    )


def _from_the_top(lattice: Lattice, fan: Fan) -> Lattice:
    """The lattice with its first point at the upper end of the sector, on the screen."""
    along, across = lattice.axes()
    start = float(along @ np.array(fan.tip)) - OVERLAP[0] * fan.depth
    start = max(start, (1.0 - across[1] * lattice.across) / along[1])
    return replace(lattice, first=lattice.first + np.ceil((start - lattice.first) / lattice.step) * lattice.step)


def points_of(lattice: Lattice, fan: Fan, shape: tuple[int, ...]) -> Array:
    """(K, 2) x, y of the points from `lattice.first` to the end of the sector or of the screen."""
    along, across = lattice.axes()
    end = float(along @ np.array(fan.tip)) + (1 + OVERLAP[1]) * fan.depth
    count = max(int((end - lattice.first) / lattice.step) + 1, 0)
    points = across * lattice.across + along * (lattice.first + lattice.step * np.arange(count))[:, None]
    # The points on the screen are neighbours, as it is convex.
    inside = (points[:, 1] <= shape[0] - 2) & (points[:, 0] >= 1) & (points[:, 0] <= shape[1] - 2)
    return points[inside]


def _patches(small: Image, lattice: Lattice, fan: Fan) -> Field | None:
    """(K, V, U) brightness around each point, V along the ruler and U across it, in pixels, the point in the middle;
    None where there are hardly any points."""
    points = points_of(lattice, fan, small.shape)
    if len(points) < FEW:
        return None
    along, across = lattice.axes()
    v = np.arange(-round(0.5 * lattice.step), round(0.5 * lattice.step) + 1)
    reach = round(REACH * longest_mark(small.shape))
    u = np.arange(-reach, reach + 1)
    grid = along[:, None, None] * v[None, :, None] + across[:, None, None] * u[None, None, :]
    x, y = (points[:, axis, None, None] + grid[axis][None] for axis in (0, 1))
    shape = len(points) * len(v), len(u)
    map_x, map_y = (np.ascontiguousarray(field.reshape(shape), np.float32) for field in (x, y))
    found = cv2.remap(small, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(found, np.float32).reshape(len(points), len(v), len(u))


def _peaks(patches: Field, step: float, reach: int) -> tuple[Array, Array, Array]:
    """Of each point: how far from it its mark is along the ruler and across it, and how bright.

    Args:
        patches: around the points.
        step: from point to point.
        reach: how far across the ruler a mark may lie.
    """
    rows, columns = patches.shape[1] // 2, patches.shape[2] // 2
    near = max(1, round(0.25 * step))
    place = patches[:, rows - near : rows + near + 1, columns - reach : columns + reach + 1]
    spine = place.max(axis=2)
    top = spine.max(axis=1)
    weight = np.maximum(spine - 0.3 * top[:, None], 0)
    # Only what belongs to the brightest mark: a second one nearby would pull the centre towards it.
    rows_of = np.arange(-near, near + 1)
    peak = rows_of[spine.argmax(axis=1)]
    weight = weight * (np.abs(rows_of[None, :] - peak[:, None]) <= max(2.0, 0.12 * step))
    offsets = (weight * rows_of).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)
    beside = place.max(axis=1)
    pull = np.maximum(beside - 0.5 * top[:, None], 0)
    sideways = (pull * np.arange(-reach, reach + 1)).sum(axis=1) / np.maximum(pull.sum(axis=1), 1e-6)
    return np.asarray(offsets, np.float64), np.asarray(sideways, np.float64), np.asarray(top, np.float64)


def _straightened(lattice: Lattice, sideways: Array, there: Flags) -> Lattice:
    """The lattice on the line through its marks: it was found at one of some angles."""
    k = np.flatnonzero(there)
    keep = np.ones(len(k), bool)
    slope = shift = 0.0
    for _ in range(3):
        if keep.sum() < FEW:
            return lattice
        slope, shift = np.polyfit(k[keep], sideways[k[keep]], 1)
        left = np.abs(sideways[k] - shift - slope * k)
        keep = left <= max(2.5 * float(np.median(left)), 0.6)
    along, across = lattice.axes()
    turned = lattice.angle_deg + float(np.degrees(np.arctan(slope / lattice.step)))
    first = across * (lattice.across + shift) + along * lattice.first
    new_along, new_across = axes(turned)
    return replace(lattice, angle_deg=turned, across=float(first @ new_across), first=float(first @ new_along))


def _wider(lattice: Lattice, there: Flags) -> Lattice | None:
    """The lattice of every second or third point where the marks stand at these alone; None where they do not."""
    if there.mean() > 0.7:
        return None
    for many in (2, 3):
        shares = [there[rest::many].mean() for rest in range(many)]
        rest = int(np.argmax(shares))
        if shares[rest] > 0.75 and sum(shares) - shares[rest] < 0.3 * (many - 1):
            return replace(lattice, first=lattice.first + rest * lattice.step, step=many * lattice.step)
    return None


def _fitted(lattice: Lattice, offsets: Array, there: Flags) -> tuple[Lattice, float]:
    """The lattice through the marks that are there, by least squares without outliers, and the error of its step."""
    k = np.flatnonzero(there)
    off = offsets[k]
    keep = np.ones(len(k), bool)
    slope = shift = 0.0
    for _ in range(4):
        slope, shift = np.polyfit(k[keep], off[keep], 1) if keep.sum() >= 3 else (0.0, float(np.median(off)))
        left = np.abs(off - shift - slope * k)
        keep = left <= max(2.5 * float(np.median(left)), 0.6)
    spread = float(np.std(off[keep] - shift - slope * k[keep]))
    error = max(spread, 0.15) / max(float(np.std(k[keep])) * np.sqrt(keep.sum()), 1.0)
    return replace(lattice, first=lattice.first + shift, step=lattice.step + slope), error
