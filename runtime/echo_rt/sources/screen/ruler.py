"""The scale of a screen, read from the depth ruler beside the sector.

A ruler is a line of small marks, evenly spaced, from the sector's tip to its bottom. The distance of its marks is 1 cm
or 5 mm: which one, longer or numbered marks tell, and the depth, that for the heart is 6 to 24 cm. What leaves a doubt
gives no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image
from echo_rt.provenance import RulerScale
from echo_rt.sources.screen.fan import Fan, find_fans
from echo_rt.sources.screen.graduation import DEPTH_MM, Majors, in_fifths, majors, numbered, step_mm
from echo_rt.sources.screen.lattice import Lattice, find_lattices
from echo_rt.sources.screen.mark_shapes import Flags
from echo_rt.sources.screen.marks import find_marks, small_things
from echo_rt.sources.screen.plausible import IN_FIFTHS, IN_HALVES, PLAIN, like_a_ruler
from echo_rt.sources.screen.region import Box
from echo_rt.sources.screen.sectors import coarse, find_sectors
from echo_rt.sources.screen.still import Still
from echo_rt.sources.screen.ticks import Ticks, measure_ticks
from echo_rt.sources.screen.writing import HIGH

SAMPLE_S, SAMPLES, LEAST_SAMPLES = 0.1, 12, 4
"""Between two frames that are looked at, how many make a reading, and how many at least."""

NO_RULER = "no ruler is seen beside the sector"

BUSY = 0.6
"""With something in more than that share of the gaps, shorter marks may stand between the long ones."""

ENDS = 0.06
"""Share of the depth by which the first mark may lie above the sector's tip or below its top, and the last mark below
its bottom."""

ROOM_PX, BEFORE = 3, 0.03
"""Room around a mark in pixels; and before its number, as a share of the screen's shorter side."""

FAR_ABOVE = 0.12
"""The same of the depth above the sector's tip, for a ruler that is sure: the tip is where two sides meet, and one of
them may be seen badly."""

SYSTEMATIC_PERCENT = 0.5
"""Error of a scale that more marks do not lessen: pixels that are not quite square, resized screens."""

AGREE = 0.02
"""Two rulers of one screen may differ by that share."""

ASKEW_DEG = 5.0
"""Angles by which an oblique ruler may be seen askew."""


@dataclass(frozen=True, slots=True)
class Found:
    """A scale, and the marks that it was read from; sure where several of them, every fifth, are long."""

    scale: RulerScale
    ticks: Ticks
    sure: bool

    def boxes(self, shape: tuple[int, int]) -> tuple[Box, ...]:
        """x, y, width and height of a rectangle around each mark and its number, on a screen of that shape.

        A single one around the ruler would hold what stands between the marks and above them: a name, at times.
        """
        lattice, there, side_px = self.ticks.lattice, self.ticks.there, min(shape)
        along, across = lattice.axes()
        points = (across * lattice.across + along * self.ticks.places[:, None])[there]
        mark = float(np.quantile(self.ticks.length[there], 0.9)) + ROOM_PX
        sides = zip(self.ticks.writing.widths[:, there], numbered(self.ticks)[:, there], strict=True)
        left, right = (mark + _number_room(widths, numbers, side_px) for widths, numbers in sides)
        # The number of an oblique mark stands at its end, which is higher or lower than its point.
        high = HIGH * side_px + ROOM_PX + mark * abs(float(across[1]))
        low = np.maximum(np.round(points - np.stack([left, np.full(len(points), high)], axis=1)).astype(int), 0)
        far = np.round(points + np.stack([right, np.full(len(points), high)], axis=1)).astype(int)
        far = np.minimum(far, (shape[1], shape[0]))
        return tuple((int(x), int(y), int(w), int(h)) for (x, y), (w, h) in zip(low, far - low, strict=True))


def _number_room(widths: Array, numbers: Flags, side_px: int) -> Array:
    """(K,) pixels to one side of each mark in which its number stands.

    Args:
        widths: of what is written beside the marks; 0 for nothing.
        numbers: whether it is a number.
        side_px: the shorter side of the screen.
    """
    room = np.zeros(len(widths))
    if numbers.any():
        room[numbers] = BEFORE * side_px + np.maximum(widths[numbers], np.median(widths[numbers]))
    return room


class RulerReader:
    """Reads the ruler of a screen from a second of its frames.

    Attributes:
        reason: why there is no scale, after `read` gave none.
    """

    def __init__(self) -> None:
        self.reason = NO_RULER
        self._still = Still()
        self._coarse: list[Image] = []
        self._last_s = -np.inf

    def update(self, image: Image, t_s: float) -> bool:
        """Take a frame (H, W) or (H, W, 3), all of one size, unless it follows too soon; whether they are enough."""
        if t_s - self._last_s >= SAMPLE_S:
            self._still.update(image)
            self._coarse.append(coarse(image))
            self._last_s = t_s
        return self._still.count >= SAMPLES

    def read(self) -> Found | None:
        """The scale by the frames so far."""
        found: Found | str = NO_RULER
        if self._still.count >= LEAST_SAMPLES:
            sectors = find_sectors(self._coarse, self._still.picture.shape)
            found = read_still(self._still, [sector.outline for sector in sectors])
        self.reason = found if isinstance(found, str) else ""
        return found if isinstance(found, Found) else None


def read_still(still: Still, outlines: Sequence[NDArray[np.int32]]) -> Found | str:
    """The scale of a screen, or the reason why it has none.

    Args:
        still: what of the screen stands still, and what moves.
        outlines: of its ultrasound, see `find_fans`.
    """
    if still.count < LEAST_SAMPLES:
        return NO_RULER
    verdicts = [read_ruler(still.picture, fan) for fan in find_fans(still.highest, still.lowest, outlines)]
    return _agreed(
        [one for one in verdicts if isinstance(one, Found)], [one for one in verdicts if isinstance(one, str)]
    )


def read_ruler(still: Image, fan: Fan) -> Found | str:
    """The scale of a screen, or the reason why it has none.

    Args:
        still: (H, W) what of the screen does not move, see `marks.brightness`.
        fan: the sector.
    """
    small = small_things(still, fan.mask(still.shape))
    marks = find_marks(small)
    if marks is None:
        return "the screen is too noisy for a ruler"
    found: list[Found] = []
    doubts: list[tuple[Lattice, str]] = []
    for lattice in find_lattices(marks, fan):
        ticks = _measured(still, small, lattice, fan)
        verdict = judge(ticks, fan) if ticks is not None else ""
        if isinstance(verdict, Found):
            found.append(verdict)
        elif verdict and ticks is not None:
            doubts.append((ticks.lattice, verdict))
    # A ruler that was read is seen at other angles too, and worse.
    reasons = [doubt for lattice, doubt in doubts if not any(_askew(lattice, one.ticks.lattice) for one in found)]
    # Several long fifth marks say more than evenness alone. Without them, another ruler that is unclear is a doubt.
    found = [one for one in found if one.sure] or (found if not reasons else [])
    return _agreed(found, reasons)


def _askew(one: Lattice, other: Lattice) -> bool:
    """Whether two oblique lattices are of one ruler."""
    turned = abs(one.angle_deg - other.angle_deg)
    return bool(one.angle_deg and turned < ASKEW_DEG and abs(one.step / other.step - 1) < AGREE)


def _agreed(found: list[Found], reasons: list[str]) -> Found | str:
    """The surest of some scales where they agree; else the first reason."""
    if not found:
        return next((reason for reason in reasons if reason != NO_RULER), NO_RULER)
    best = min(found, key=lambda one: one.scale.error_percent)
    if any(abs(one.scale.mm_per_px / best.scale.mm_per_px - 1) > AGREE for one in found):
        return "two rulers on the screen have different scales"
    return best


def _measured(still: Image, small: Image, lattice: Lattice, fan: Fan) -> Ticks | None:
    """The marks of a lattice; of a finer one where something stands in most gaps: shorter marks between."""
    ticks = measure_ticks(still, small, lattice, fan)
    if ticks is None or ticks.between > BUSY:
        coarse = lattice if ticks is None else ticks.lattice
        finer = measure_ticks(still, small, replace(coarse, step=coarse.step / 2), fan)
        if finer is not None and finer.between <= PLAIN.between:
            return finer
    return ticks


def judge(ticks: Ticks, fan: Fan) -> Found | str:
    """The scale by these marks; a reason where they are a ruler that cannot be read, and "" where they are none."""
    pattern = majors(ticks)
    sure = in_fifths(ticks)
    demands = IN_FIFTHS if sure else IN_HALVES if 2 in pattern else PLAIN
    if not like_a_ruler(ticks, pattern, demands, fan.depth):
        return ""
    along, _ = ticks.lattice.axes()
    tip, depth, step = float(along @ np.array(fan.tip)), fan.depth, ticks.lattice.step
    end, places = tip + depth, ticks.places
    first, last = places[np.flatnonzero(ticks.there)[[0, -1]]]
    # It begins at the tip and ends at the bottom.
    top = tip if ticks.lattice.angle_deg else max(tip, fan.top)
    late, below = first - top - 1.1 * step, last - end
    if late > ENDS * depth or below > ENDS * depth or below < -1.25 * step - demands.hidden * depth:
        return ""
    above = (FAR_ABOVE if sure else ENDS) * depth
    zero = _zero(ticks, pattern, tip - above, top + ENDS * depth)
    if zero is None:
        return "a ruler is seen whose long marks do not begin at the sector's tip" if pattern else ""
    count = float((end - places[0]) / step) - zero
    between_mm = step_mm(ticks, pattern, zero, count)
    if isinstance(between_mm, str):
        return between_mm
    depth_mm = count * between_mm
    if not DEPTH_MM[0] <= depth_mm <= DEPTH_MM[1]:
        return f"a ruler is seen that would be {depth_mm / 10:.0f} cm deep" if 5 in pattern else ""
    error_percent = 100 * 2 * ticks.error / step + SYSTEMATIC_PERCENT
    return Found(RulerScale(float(between_mm / step), float(error_percent), depth_mm), ticks, sure)


def _zero(ticks: Ticks, pattern: Majors, low: float, high: float) -> int | None:
    """The index of the point of depth 0: a major mark, if there are such, between two places; None where none is there.

    It is the first mark, or the one before where the picture hides that.
    """
    many = next((many for many in (5, 10, 2) if many in pattern), 1)
    index = np.arange(pattern.get(many, 0) - many, len(ticks.there), many)
    places = ticks.places[0] + ticks.lattice.step * index
    near = np.flatnonzero((places >= low) & (places <= high))
    first_there = int(np.flatnonzero(ticks.there)[0])
    return int(index[near[np.argmin(np.abs(index[near] - first_there))]]) if len(near) else None
