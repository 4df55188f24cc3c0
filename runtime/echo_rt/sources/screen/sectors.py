"""Where ultrasound lies on a screen, by its motion: nothing else changes all the time over so large an area.

Of each pixel of a coarse image the share of comparisons counts in which it changed. A clock, a cursor, an ECG trace and
a menu that opens change a pixel now and then; speckle changes it nearly every time, and a picture that stands still
never.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np

from echo_rt.arrays import Field, Image
from echo_rt.sources.screen.fan import fan_of
from echo_rt.sources.screen.region import Box, Points, Region

GRID_PX = 320
"""Pixels along the longer side of the coarse image in which motion is looked for."""

LEVELS = 3
"""Grey levels by which a coarse pixel has changed. Compression moves still letters by less."""

NOISE = 3.0
"""A pixel of a noisy screen has changed by more than that many times the usual change of its stillest fifth."""

OFTEN = 0.2
"""Share of the comparisons from which on a pixel moves."""

SPECK, BESIDE = 0.012, 0.2
"""Moving pieces below that share of the screen, or below that share of the largest piece, are no sector: a clock, a
cursor, a small picture that plays in a list."""

LEAST_PX = 96
"""Longer side of the smallest sector, in pixels of the screen. No scanner shows a smaller one, and none could be
measured."""

SOLID = 0.85
"""Share of its convex hull that a sector fills at least. Two beside each other leave a notch between them."""

LIT = 7
"""Grey levels by which a coarse pixel is brighter than what lies around the sector, from which on it is lit."""

GROWTH = 2.5
"""What is lit belongs to a moving sector where both are at most that many times as large as the moving part."""

DIM = 1.6
"""A fan whose corners are nearly black is at most that many times as large as what is seen to move in it."""

VIEW = 4 / 3
"""Width to height of what a network sees of a picture: ultrasound is stored so."""

SLIM, SLIM_BESIDE_LIGHT, STRAY = 1.4, 1.08, 0.1
"""By how much the ultrasound would become larger in the network's view at most, so that it still fills the picture; the
same where other things are lit on more than that share of it."""

ROUGH, AMID = 2.0, 0.4
"""Standard deviation of the grey levels around a coarse pixel from which on it may be speckle; and the share of such
pixels around a moving piece from which on that is a part of the ultrasound only."""

INSIDE = 0.5
"""A sector of which so large a share lies in a larger one is no other."""

FRAMED = 0.15
"""Of the screen's edges, the share from which on what is lit around a sector is the desktop."""

ROOM = 0.06
"""Black border around a sector that is cut out, as a share of its longer side. Cut closer, it gives another EF than the
same heart in a picture of its own: by 2 points at times."""

MARGIN = 0.02
"""Widening of what was found, as a share of its longer side: the edge of the sector moves least."""


@dataclass(frozen=True, eq=False)
class Sector:
    """Ultrasound on a screen.

    Attributes:
        outline: (N, 2) x, y in pixels of the screen, in order: its convex hull, a little widened.
        shape: rows and columns of the screen.
        stray: share of the screen that is lit and does not belong to it.
    """

    outline: Points
    shape: tuple[int, int]
    stray: float = 0.0

    @cached_property
    def box(self) -> Box:
        """The smallest rectangle around it."""
        x, y, width, height = cv2.boundingRect(self.outline)
        return x, y, width, height

    @cached_property
    def region(self) -> Region:
        """It, in a rectangle around it with some room, as pictures of ultrasound usually have."""
        x, y, width, height = self.box
        room, (rows, columns) = round(ROOM * max(width, height)), self.shape
        left, top = max(0, x - room), max(0, y - room)
        right, bottom = min(columns, x + width + room), min(rows, y + height + room)
        return Region((left, top, right - left, bottom - top), self.outline)

    @cached_property
    def area(self) -> float:
        """In square pixels."""
        return cv2.contourArea(self.outline)

    @property
    def fills(self) -> bool:
        """Whether it fills the picture, but for slim margins, so that nothing is gained by a cut."""
        (rows, columns), (_, _, width, height) = self.shape, self.box
        gain = max(columns, VIEW * rows) / max(width, VIEW * height)
        return gain <= (SLIM_BESIDE_LIGHT if self.stray > STRAY else SLIM)


def coarse(image: Image) -> Image:
    """The image (H, W) or (H, W, 3) in grey, its longer side at most `GRID_PX`."""
    factor = GRID_PX / max(image.shape[:2])
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small, np.uint8)


def find_sectors(pictures: list[Image], shape: tuple[int, int]) -> list[Sector]:
    """The moving sectors of a screen, the largest first.

    Args:
        pictures: `coarse` ones (h, w), some 0.1 s apart, at least two.
        shape: rows and columns of the screen.
    """
    moving = _moving(pictures)
    level = np.median(np.stack(pictures[:: max(1, len(pictures) // 9)]), axis=0).astype(np.float32)
    rough = _rough(level)
    found = [_sector(_grown(piece, moving, level, rough), level, shape) for piece in _pieces(moving)]
    large = [sector for sector in found if max(sector.box[2:]) >= LEAST_PX]
    kept: list[Sector] = []
    for sector in sorted(large, key=lambda sector: -sector.area):
        # Parts of one picture that move, with the rest of it.
        if not any(overlap(sector, other) > INSIDE * sector.area for other in kept):
            kept.append(sector)
    return kept


def overlap(one: Sector, two: Sector) -> float:
    """The area that two sectors share, in square pixels."""
    shared, _ = cv2.intersectConvexConvex(one.outline.astype(np.float32), two.outline.astype(np.float32))
    return float(shared)


def _rough(level: Field) -> Image:
    """(h, w) 1 where grey levels differ from pixel to pixel, as in speckle; a desktop is flat, and thin lines do not
    count."""
    mean, square = cv2.boxFilter(level, -1, (5, 5)), cv2.boxFilter(level * level, -1, (5, 5))
    rough = (np.sqrt(np.maximum(square - mean * mean, 0)) >= ROUGH).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(rough, cv2.MORPH_OPEN, disk(7)), np.uint8)


def _moving(pictures: list[Image]) -> Image:
    """(h, w) 1 where the screen changes most of the time."""
    changes = [cv2.absdiff(after, before) for before, after in pairwise(pictures)]
    usual = np.mean(changes, axis=0)
    least = max(LEVELS, NOISE * float(np.quantile(usual, 0.2)))
    share: Field = np.mean([change >= least for change in changes], axis=0, dtype=np.float32)
    # Of the neighbourhood too: what moves little changes here and there.
    return (cv2.boxFilter(share, -1, (5, 5)) > OFTEN).astype(np.uint8)


def _pieces(moving: Image) -> list[Image]:
    """Masks (h, w) of the large pieces that move, two sectors that touch taken apart."""
    cleaned = cv2.morphologyEx(moving, cv2.MORPH_OPEN, disk(5))
    closed = np.asarray(cv2.morphologyEx(cleaned, cv2.MORPH_CLOSE, disk(7)), np.uint8)
    parts = [part for piece in _connected(closed) for part in _apart(piece)]
    largest = max((int(part.sum()) for part in parts), default=0)
    least = max(SPECK * moving.size, BESIDE * largest)
    return [part for part in parts if part.sum() >= least]


def _apart(piece: Image) -> list[Image]:
    """The piece, or the parts into which it falls where it is notched like several sectors beside each other."""
    if _solidity(piece) >= SOLID:
        return [piece]
    size = int(piece.sum() ** 0.5)
    for width in range(5, max(6, size // 3), 4):
        parts = _connected(np.asarray(cv2.erode(_without_holes(piece), disk(width)), np.uint8))
        parts = [part for part in parts if part.sum() >= 0.15 * piece.sum()]
        if len(parts) > 1:
            return [_wider(part, width) & piece for part in parts]
    return [piece]


def _grown(piece: Image, moving: Image, level: Field, rough: Image) -> Image:
    """The piece with what is lit beside it: the near field moves least. Where that is much more, or no sector, it is
    something else, and only what lies close by counts."""
    hull = _filled(piece)
    around = (_wider(hull, 11) & ~_wider(hull, 5) & ~moving & 1) > 0
    if not around.any():
        return hull
    if rough[around].mean() > AMID:
        # Only a part of the ultrasound moves much. There is speckle around it, as far as it goes.
        all_of_it = _with(piece, rough | hull)
        if _solidity(all_of_it) >= SOLID:
            return all_of_it
    lit = ((level - float(np.median(level[around])) >= LIT) | (hull > 0)).astype(np.uint8)
    lit = np.asarray(cv2.morphologyEx(lit, cv2.MORPH_OPEN, disk(5)), np.uint8)
    near = _with(piece, lit)
    # A bright desktop around it reaches further along the edges of the screen.
    inside = _at_edges(near) - _at_edges(hull) < FRAMED
    if inside and near.sum() <= GROWTH * hull.sum() and _solidity(near) >= SOLID:
        return near
    reach = 2 * int(0.08 * piece.sum() ** 0.5) + 1
    return _with(piece, lit & _wider(hull, reach))


def _at_edges(mask: Image) -> float:
    """Share of the screen's edges that a mask covers."""
    edges = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return float(edges.mean())


def _with(piece: Image, mask: Image) -> Image:
    """What of the mask is connected with the piece, and the piece."""
    _, names = cv2.connectedComponents(mask | piece, connectivity=4)
    return np.isin(names, np.unique(names[piece > 0])).astype(np.uint8) & (mask | piece)


def _sector(piece: Image, level: Field, shape: tuple[int, int]) -> Sector:
    factor = np.array([shape[1] / piece.shape[1], shape[0] / piece.shape[0]])
    hull = (_whole(_hull(piece), piece) + 0.5) * factor
    size = float(np.ptp(hull, axis=0).max())
    grown = 2 * max(1, round(MARGIN * size)) + 1
    # Widened evenly, and kept within the image.
    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, np.round(hull).astype(np.int32), 1)
    edge, _ = cv2.findContours(_wider(canvas, grown), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = np.asarray(cv2.convexHull(edge[0])[:, 0], np.int32)
    beside = (level > 2 * LIT) & (_wider(_filled(piece), 2 * max(1, round(2 * MARGIN * max(piece.shape))) + 1) == 0)
    return Sector(outline, shape, float(beside.mean()))


def _whole(hull: Field, piece: Image) -> Field:
    """The hull (N, 2) of a piece, with the corners of its fan: they are far from the probe, and often nearly black."""
    fan = fan_of(piece)
    if fan is None:
        return hull
    angles = np.radians(np.linspace(-fan.sides_deg[0], fan.sides_deg[1], 33))
    rim = fan.tip + fan.depth * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    both = cv2.convexHull(np.concatenate([hull, rim.astype(np.float32)]))[:, 0]
    return np.asarray(both, np.float32) if cv2.contourArea(both) <= DIM * cv2.contourArea(hull) else hull


def _connected(mask: Image) -> list[Image]:
    count, names = cv2.connectedComponents(mask, connectivity=4)
    return [(names == number).astype(np.uint8) for number in range(1, count)]


def _hull(mask: Image) -> Field:
    """(N, 2) corners x, y of the convex hull of a mask that is not empty."""
    return np.asarray(cv2.convexHull(cv2.findNonZero(mask))[:, 0], np.float32)


def _filled(mask: Image) -> Image:
    """The convex hull of a mask, as a mask."""
    canvas = np.zeros_like(mask)
    cv2.fillConvexPoly(canvas, _hull(mask).astype(np.int32), 1)
    return canvas


def _wider(mask: Image, by: int) -> Image:
    """A mask with all that lies within half of `by` pixels of it."""
    return np.asarray(cv2.dilate(mask, disk(by)), np.uint8)


def _without_holes(mask: Image) -> Image:
    """A mask with its holes filled in."""
    edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros_like(mask)
    cv2.drawContours(canvas, edges, -1, 1, cv2.FILLED)
    return canvas


def _solidity(mask: Image) -> float:
    """Share of its convex hull that a mask without its holes fills."""
    return float(_without_holes(mask).sum() / max(1, int(_filled(mask).sum())))


def disk(size: int) -> Image:
    """A structuring element of that diameter."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
