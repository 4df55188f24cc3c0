"""How the muscle moves and thickens, by its speckle: the grain of the picture belongs to the tissue and moves with it.

A network draws a border that it hardly sees where such a border usually is, so that a static segment seems to move. Its
speckle does not. The contour only says where to look. Two things are measured:

- The strain across the wall: how far its outside moves away from its inside. It needs no frame of reference, and a
  moving probe changes nothing of it (D'hooge et al., Eur J Echocardiogr 1:154-170, 2000).
- The inward motion of the middle of the wall. The heart as a whole swings by more than a wall comes inwards, so the
  shift and the turn of a rigid body that explain most of all six segments are taken off.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from math import ceil, log
from typing import NamedTuple

import numpy as np

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.chambers import LeftVentricle
from echo_rt.frame import CLOCK_S, Frame
from echo_rt.reading import Beat
from echo_rt.reference.types import SpecklePicture, SpeckleSearch

CELL = 1 / 90
"""Side of a cell as a share of the long axis: a millimetre, the size of a speckle."""

STRIDES = 2
"""Pixels along the side of a cell that its mean is made of, at most."""

REACH, SAMPLES = 0.16, 14
"""How far from the endocardium outwards the wall is followed, as a share of the long axis, and the samples along each
normal."""

ROUNDS = 2
"""Of the search. The wall moves by less than a speckle between two pictures."""

MIN_STEP_S, MAX_STEP_S = 0.03, 0.1
"""Between the two pictures: not so near that the noise is more than the motion, nor so far that the speckle is
another."""

MARGIN = 4
"""Cells around the wall that are kept: the wall of the next picture lies elsewhere."""

FEWEST = 6
"""Pairs of pictures in a beat that says anything."""

MOST_ERROR = 15.0
"""Standard error of a thickening, in percent, above which it is not known. Its median is 2 to 6 in phantoms at 50
frames a second, 9 to 32 in a compressed clinical cine of one beat at 30."""


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """What is kept of a frame: its time, the ventricle's volume, the part with the wall, and the pixels along the side
    of a cell."""

    t_s: float
    volume: float
    picture: SpecklePicture
    cell: int

    @property
    def middle(self) -> float:
        """Of a cell, in pixels from its first one, as its mean was made."""
        stride = _stride(self.cell)
        return (self.cell - 1) // stride * stride / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """What two pictures say.

    Attributes:
        begin_s, end_s: when they were taken.
        fall: of the volume's logarithm.
        motion, certain: (2, 3, 3) and (2, 3), see `echo_rt.reference.follow_speckle`.
        middle, normal: (2, L, 2) the middle of the wall on each line, and the lines' directions.
    """

    begin_s: float
    end_s: float
    fall: float
    motion: Array
    certain: Array
    middle: Array
    normal: Array


class Followed(NamedTuple):
    """What the speckle did in a beat from ED to ES, by side and third from base to apex (2, 3); NaN where it was not
    followed.

    Attributes:
        strain_percent, strain_error_percent: thickening of the wall, and its standard error.
        inwards, inwards_error: motion of the middle of the wall towards the cavity, against the heart as a rigid body,
            and the standard error; in the unit of the ventricle's length.
        along_percent: strain of the middle of the wall along it, the mean of both sides; one number.
    """

    strain_percent: Array
    strain_error_percent: Array
    inwards: Array
    inwards_error: Array
    along_percent: float = math.nan


_NOTHING: Array = np.full((2, 3), np.nan)
UNKNOWN = Followed(_NOTHING, _NOTHING, _NOTHING, _NOTHING)


class SpeckleTracking:
    """Feed it every frame whose wall was measured; it tells of a beat how much each third of the two sides moved and
    thickened.

    Args:
        memory_s: how far back it remembers.
    """

    def __init__(self, memory_s: float) -> None:
        self.memory_s = memory_s
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._last: _Patch | None = None
        self._pairs: deque[_Pair] = deque()

    def update(self, frame: Frame, ventricle: LeftVentricle, start: Array, normal: Array) -> None:
        """Take the next frame.

        Args:
            frame: with its picture.
            ventricle: measured in it.
            start, normal: (2, L, 2) lines from the endocardium outwards, L a multiple of 3, isotropic in the unit of
                the ventricle's length, from the middle between its hinges on.
        """
        last = self._last
        if last is not None and frame.t_s - last.t_s < MIN_STEP_S - CLOCK_S:
            return
        row, column = frame.spacing_mm or (1.0, 1.0)
        length_px = ventricle.length / row, ventricle.length / column
        shorter_px = min(length_px)
        cell = (
            last.cell
            if last is not None and 0.5 < shorter_px * CELL / last.cell < 2
            else max(1, round(shorter_px * CELL))
        )
        patch = self._last = _cut(frame, ventricle, length_px, cell)
        if last is None or patch is None or last.cell != cell or frame.t_s - last.t_s > MAX_STEP_S + CLOCK_S:
            return
        (x0, y0), (x1, y1) = ventricle.hinges.tolist()
        origin = ((x0 + x1) / 2 - patch.middle) / cell, ((y0 + y1) / 2 - patch.middle) / cell
        unit = REACH * ventricle.length / (SAMPLES - 1)
        search = SpeckleSearch(origin, (1 / (column * cell), 1 / (row * cell)), unit, SAMPLES, ROUNDS)
        motion, certain = native.follow_speckle(last.picture, patch.picture, start, normal, search)
        middle = start + 0.5 * unit * (SAMPLES - 1) * normal
        self._pairs.append(_Pair(last.t_s, patch.t_s, log(last.volume / patch.volume), motion, certain, middle, normal))
        while self._pairs[0].begin_s < frame.t_s - self.memory_s:
            self._pairs.popleft()

    def of_beat(self, beat: Beat) -> Followed:
        """What the speckle did from ED to ES; not known where the standard error of the strain is above `MOST_ERROR`.

        The motion between two pictures is mostly noise. So motion per fall of the volume's logarithm is found by least
        squares over the whole beat, systole and filling, and multiplied by that fall from ED to ES.
        """
        first_s, last_s = beat.t_ed_s - MIN_STEP_S - CLOCK_S, beat.t_next_ed_s + MIN_STEP_S + CLOCK_S
        pairs = [pair for pair in self._pairs if pair.begin_s >= first_s and pair.end_s <= last_s]
        if len(pairs) < FEWEST or not 0 < beat.esv < beat.edv:
            return UNKNOWN
        fall = np.array([pair.fall for pair in pairs])[:, None, None, None]
        # A curve that does not come back to where it began has drifted.
        fall = fall - fall.mean()
        motion, certain = np.array([pair.motion for pair in pairs]), np.array([pair.certain for pair in pairs])
        # The shifts are known about as well in every pair.
        weight = np.where(certain > 0, 1.0, 0.0)[..., None].repeat(3, axis=-1)
        weight[..., 1] = certain
        information = (weight * fall * fall).sum(axis=0)
        information = np.where(information > 0, information, np.nan)
        share = (weight * fall * motion).sum(axis=0) / information
        left = (weight * (motion - share * fall) ** 2).sum(axis=0) / (len(pairs) - 1)
        whole = log(beat.edv / beat.esv)
        error = whole * np.sqrt(left / information)
        middle, normal = (np.mean([getattr(pair, name) for pair in pairs], axis=0) for name in ("middle", "normal"))
        body = as_a_rigid_body(share[..., 0], share[..., 2], middle, normal)
        outwards = whole * (share[..., 0] - body)
        moved = np.where(100 * error[..., 1:2] <= MOST_ERROR, whole * share, np.nan)
        said = np.array([100 * np.expm1(share[..., 1] * whole), 100 * error[..., 1], -outwards, error[..., 0]])
        along_percent = strain_along_percent(moved[..., 0], moved[..., 2], middle, normal)
        strain, strain_error, inwards, inwards_error = np.where(100 * error[..., 1] <= MOST_ERROR, said, np.nan)
        return Followed(strain, strain_error, inwards, inwards_error, along_percent)


def as_a_rigid_body(shift: Array, slide: Array, middle: Array, normal: Array) -> Array:
    """(2, 3) the shifts of a rigid body that moves as much as all segments together, by least squares.

    Args:
        shift, slide: (2, 3) outwards and along the wall; NaN where not known.
        middle, normal: (2, L, 2) places and directions of lines, L a multiple of 3.
    """
    along = np.stack([-normal[..., 1], normal[..., 0]], axis=-1)
    # What moving by one along x, along y, and turning by one give along each direction, in the mean of the lines of a
    # third.
    across_by, along_by = (
        np.concatenate([way, (middle[..., :1] * way[..., 1:] - middle[..., 1:] * way[..., :1])], axis=-1)
        .reshape(2, 3, -1, 3)
        .mean(axis=2)
        for way in (normal, along)
    )
    known = np.isfinite(shift) & np.isfinite(slide)
    if not known.any():
        return np.full(shift.shape, np.nan)
    body = np.linalg.lstsq(
        np.concatenate([across_by[known], along_by[known]]), np.concatenate([shift[known], slide[known]]), rcond=None
    )[0]
    explained: Array = across_by @ body
    return explained


def strain_along_percent(outwards: Array, slides: Array, middle: Array, normal: Array) -> float:
    """Strain of the middle of the wall along it, the mean of both sides; NaN where a third was not followed.

    A line that turns by an angle gets longer by how far its ends slide apart, and by the angle times how far it moves
    outwards. A shift or a turn of the whole heart changes nothing of it.

    Args:
        outwards, slides: (2, 3) motion across and along the wall, of each side and third, in the unit of the places.
        middle, normal: (2, L, 2) places and directions of lines, L a multiple of 3.
    """
    strains = []
    for side in range(2):
        steps = np.diff(middle[side], axis=0)
        way = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))]).reshape(3, -1).mean(axis=1)
        out = normal[side].reshape(3, -1, 2).mean(axis=1)
        along, up = np.stack([-out[:, 1], out[:, 0]], axis=-1), middle[side][-1] - middle[side][0]
        sign = np.where(along @ up > 0, 1.0, -1.0)  # of sliding towards the apex
        angle = np.arctan2(out[:, 1], out[:, 0])
        turns = np.angle(np.exp(1j * np.diff(angle)))
        slide = sign * slides[side]
        turned = float((sign[:-1] * turns) @ (outwards[side][:-1] + outwards[side][1:]) / 2)
        strains.append((slide[2] - slide[0] + turned) / (way[2] - way[0]))
    return float(100 * np.mean(strains))


def _cut(frame: Frame, ventricle: LeftVentricle, length_px: tuple[float, float], cell: int) -> _Patch | None:
    """The part of a frame that holds the wall; None where that is not in the picture. `length_px`: the long axis in
    rows and columns."""
    height, width = frame.image.shape[:2]
    rows, columns = (REACH * length + MARGIN * cell for length in length_px)
    (left, top), (right, bottom) = ventricle.contour.min(axis=0).tolist(), ventricle.contour.max(axis=0).tolist()
    first = max(0, int((top - rows) / cell)), max(0, int((left - columns) / cell))
    last = min(height // cell, ceil((bottom + rows) / cell)), min(width // cell, ceil((right + columns) / cell))
    size = last[0] - first[0], last[1] - first[1]
    if min(size) < 2:
        return None
    field = native.cells(frame.image, first, size, cell, _stride(cell))
    return _Patch(frame.t_s, ventricle.volume, SpecklePicture(field, first), cell)


def _stride(cell: int) -> int:
    return ceil(cell / STRIDES)
