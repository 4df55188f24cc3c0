"""Regional wall motion: thickness and inward motion of the six segments of the apical four-chamber view.

**Segments.** Each is a third of the long axis, perpendicular to it, on its side of the axis (Cerqueira et al.,
Circulation 105:539-542, 2002; Lang et al., J Am Soc Echocardiogr 28:1-39, 2015): basal, mid and apical from the mitral
plane to the apex. The septum is on the left of the picture, as the standard display has it. The labels cannot tell: a
`mirrored` display has to be told.

**Frame of reference.** Position is the distance from the long axis at a level, the level being a fraction of the axis.
That axis is found anew in each picture, from the middle of the mitral annulus to the apex. So a shift of the heart, its
swing and the descent of the base are no wall motion, which they are in a frame fixed to the image (Clayton et al.,
Circulation 65:1518-1521, 1982). The price of a floating reference is known too (Schnittger et al., Circulation
70:242-254, 1984; Pearlman et al., J Am Coll Cardiol 16:986-992, 1990): one made of the contour follows it, so that a
still segment seems to move a little and the one across from it a little less. A centroid goes half the way of each
wall; the axis hangs on annulus and apex alone, and errs where a hinge or the tip is misplaced: half the error of a
hinge at the base.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.arrays import Array
from echo_rt.cardiac.speckle import Followed, SpeckleTracking
from echo_rt.frame import CLOCK_S, Frame
from echo_rt.reading import Beat, LeftVentricle, WallBeat, WallReading
from echo_rt.reference.types import WallLines
from echo_rt.segmentation import Segmentation

LEVELS = 12
"""Levels of each segment at which the wall is measured: so many that the stairs of a mask even out."""

SAMPLES = 48
"""Along each normal, through the wall."""

REACH = 0.5
"""How far along the normal the epicardium is looked for, as a fraction of the long axis: a thick wall at the end of a
vigorous systole has 0.4."""

HALF_WINDOW_S = 0.045
"""ED and ES are means over the frames within so much of them."""

MEMORY_S = 3.5
"""How far back frames are kept: the longest beat that can be accepted (2 s), and until it is certain."""

STILL_MOTION, STILL_SHARE, STILL_THICKENING = 4.5, 0.5, 25.0
"""The limits of `akinetic`, in percent, share, percent. Chosen on phantoms of the seeds 1000 to 1069
(`benchmarks/wall_motion.py`) as those that find most akinetic segments through lv-edge with few false flags, find all
from the phantom's own masks, and flag at most 5 % of the segments in CAMUS's expert contours of patients with an EF of
55 % and more. There contours scatter: thickening alone, of which less than 10 % is often called akinesia, would flag
more than a quarter."""

BASE_MOVES = (0.4, 0.7)
"""Inward motion of the basal septal and the basal lateral segment as a share of the median segment's: the annulus is
stiff, and the septal side of it is held by the aortic root. 0.6 to 0.65 in the phantom, 0.6 and 0.85 in CAMUS's expert
contours in the mean; what a flag stands on is lower where the contours scatter most."""

_EXPECTED = np.array([BASE_MOVES[0], 1, 1.15, 1.15, 1, BASE_MOVES[1]])
"""The apex, which closes upon itself, comes in a little further than the middle."""

UNKNOWN: Array = np.full(6, np.nan)
"""What the speckle says where it was not followed."""

MIDDLE, APART, SCATTER = (
    np.array(of)[:, None] for of in ((0.90, 0.80, 0.65, 0.82), (0.60, 0.50, 0.90, 0.37), (0.30, 0.40, 0.45, 0.30))
)
"""Of motion, thickening, strain and motion of the speckle, each as a share of what can be expected: the middle between
segments that move and such that stand still, how far apart these are in the mean, and the standard deviation of both.
Of phantoms of the seeds 1000 to 1139 and 6500 to 6953 through lv-edge; but their walls are drawn more evenly (0.25)
than those of CAMUS's patients (0.47 to 0.74), so that thickening counts for less, and so may the motion of the speckle
(0.25)."""

AGREE = 1.0
"""Of the four shares three have to be below what can be expected: not two decide alone."""

EVIDENCE = -0.9
"""Natural logarithm of how much likelier standing still than moving has to be. Less than as likely: so 94 % of the
still segments of those phantoms are found, and 4 % of the others flagged."""

FOLLOWED = 5.0
"""Strain of the median segment, in percent, below which the speckle was not followed."""

SHARES = (-2.0, 3.0)
"""What a share counts for at least and at most."""

LEAST_MOTION, LEAST_THICKENING, LEAST_STRAIN, LEAST_SPECKLE_MOTION = 9.0, 12.0, 10.0, 2.0
"""Percent that are expected of the median segment at least."""

EXPECTED_STRAIN = np.array([0.9, 0.95, 1, 1.1, 1.3, 1.05])
"""As the strain of segments that move is followed in phantoms; along the beams, as at the apex, and away from the
bright septum it is told a little larger."""

EXPECTED_SPECKLE_MOTION = np.array([0.7, 1.1, 1.55, 1.2, 0.9, 0.9])
"""As segments that move are followed in phantoms: what the walls have in common passes for a motion of the whole."""

# Levels of one side from base to apex, and one more at each end for the tangent there.
_LEVEL = np.clip((np.arange(-1, 3 * LEVELS + 1) + 0.5) / (3 * LEVELS), 0, 1)
# What lies at the border of a segment belongs half to its neighbour: the middle counts most.
_WEIGHT = np.minimum(np.arange(LEVELS) + 0.5, LEVELS - np.arange(LEVELS) - 0.5)
_WEIGHT /= _WEIGHT.sum()


class WallMotion:
    """Feed it every frame; it measures the wall in it, and tells for each accepted beat how the segments moved.

    It remembers `MEMORY_S` of two numbers a segment, and of how the speckle moved along the lines through the wall.

    Args:
        mirrored: the septum is on the right of the picture.
    """

    def __init__(self, mirrored: bool = False) -> None:
        self.mirrored = mirrored
        self._speckle = SpeckleTracking(MEMORY_S)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._speckle.reset()
        self._times: deque[float] = deque()
        self._measured: deque[Array] = deque()
        self._largest = 0.0
        self._ed: Array | None = None
        self._ed_certain = False
        self._beat: WallBeat | None = None

    def update(
        self, segmentation: Segmentation, frame: Frame, ventricle: LeftVentricle | None, beat: Beat | None
    ) -> tuple[WallReading | None, WallBeat | None]:
        """Take the next frame.

        Args:
            segmentation: of the frame.
            frame: its picture, its time and its scale.
            ventricle: measured in it; None where the frame cannot be used.
            beat: that was completed with this frame.

        Returns:
            The wall in this frame, None without a ventricle; and what it did in the last accepted beat, None until
            there is one and where the wall was not seen in it.
        """
        if ventricle is None:
            self._complete(beat, calibrated=frame.spacing_mm is not None)
            return None, self._beat
        wall = measure_wall(segmentation, ventricle, frame.spacing_mm, self.mirrored)
        self._speckle.update(frame, ventricle, wall.start, wall.normal)
        distance, thickness = wall.measured
        self._times.append(frame.t_s)
        self._measured.append(wall.measured)
        while self._times[0] < frame.t_s - MEMORY_S:
            self._times.popleft()
            self._measured.popleft()
        self._complete(beat, ventricle.calibrated)
        if self._ed is None or (not self._ed_certain and ventricle.volume > self._largest):
            # Until the first end-diastole is certain the largest ventricle so far stands in for it.
            self._largest, self._ed = ventricle.volume, distance
        return WallReading(thickness, self._ed - distance, wall.segment, ventricle.calibrated), self._beat

    def _complete(self, beat: Beat | None, calibrated: bool) -> None:
        if beat is None:
            return
        times, measured = np.array(self._times), np.array(self._measured)

        def around(t_s: float) -> Array | None:
            near = np.abs(times - t_s) <= HALF_WINDOW_S + CLOCK_S
            if not near.any():
                return None
            # Of a segment whose wall is missing in some of the frames, the others.
            seen = np.isfinite(measured[near]).sum(axis=0)
            mean: Array = np.nansum(measured[near], axis=0) / np.where(seen > 0, seen, np.nan)
            return mean

        ed, es, next_ed = around(beat.t_ed_s), around(beat.t_es_s), around(beat.t_next_ed_s)
        if next_ed is not None:
            self._ed, self._ed_certain = next_ed[0], True
        if beat.accepted:
            followed = Followed(*by_segment(np.array(self._speckle.of_beat(beat))))
            self._beat = wall_beat(ed, es, calibrated, followed) if ed is not None and es is not None else None


def wall_beat(ed: Array, es: Array, calibrated: bool, followed: Followed | None = None) -> WallBeat:
    """What the wall did between end-diastole and end-systole.

    Args:
        ed, es: (2, 6) distance of the endocardium from the long axis and thickness of the wall, by segment.
        calibrated: they are in mm, else in px.
        followed: (6,) each, what the speckle did; None where it was not followed at all.
    """
    whole = np.where(ed > 0, ed, np.nan)
    motion, thickening = 100 * (ed[0] - es[0]) / whole[0], 100 * (es[1] - ed[1]) / whole[1]
    strain, strain_error, inwards, inwards_error = followed or [UNKNOWN] * 4
    speckle = strain, strain_error, 100 * inwards / whole[0], 100 * inwards_error / whole[0]
    return WallBeat(motion, thickening, *speckle, ed[1], akinetic(motion, thickening, *speckle), calibrated)


def akinetic(
    motion_percent: Array,
    thickening_percent: Array,
    strain_percent: Array = UNKNOWN,
    strain_error_percent: Array = UNKNOWN,
    speckle_motion_percent: Array = UNKNOWN,
    speckle_motion_error_percent: Array = UNKNOWN,
) -> NDArray[np.bool_]:
    """Which segments do not move.

    Where the speckle was followed: those of which motion and thickening, by the contour and by the speckle, each as a
    share of what can be expected of the segment in this ventricle, taken together are as likely those of a segment that
    stands still (the linear discriminant of Fisher, Ann Eugen 7:179-188, 1936: each counts the more the further it lies
    from the `MIDDLE`, and the less it is known), where three of the four agree. None can be trusted alone: a segment
    that stands still is not seen to, its neighbours draw it along, and so does the floating axis; a wall that is hardly
    seen is drawn where such a wall usually is; its speckle is noise.

    Where it was not (too few pictures a second, a poor picture, a ventricle that does not move at all): those that come
    inwards by less than `STILL_MOTION` and `STILL_SHARE` of what can be expected, and thicken by less than
    `STILL_THICKENING`. When nothing moves the first part alone remains, so that a ventricle may be akinetic all over.
    Where no wall is seen motion decides alone.

    Args:
        motion_percent, thickening_percent, strain_percent, speckle_motion_percent: (6,) of one beat; NaN where not
            known.
        strain_error_percent, speckle_motion_error_percent: (6,) standard errors.
    """
    motion, strain = _median(motion_percent), _median(strain_percent)
    still: NDArray[np.bool_] = (motion_percent < STILL_MOTION + STILL_SHARE * motion * _EXPECTED) & ~(
        thickening_percent >= STILL_THICKENING
    )
    followed = np.isfinite(strain_percent)
    if 2 * followed.sum() < len(followed) or strain < FOLLOWED:
        return still
    whole = np.array([
        max(motion, LEAST_MOTION) * _EXPECTED,
        np.full(6, max(_median(thickening_percent), LEAST_THICKENING)),
        max(strain, LEAST_STRAIN) * EXPECTED_STRAIN,
        max(_median(speckle_motion_percent), LEAST_SPECKLE_MOTION) * EXPECTED_SPECKLE_MOTION,
    ])  # fmt: skip
    shares = np.array([motion_percent, thickening_percent, strain_percent, speckle_motion_percent]) / whole
    errors = np.nan_to_num([np.zeros(6), np.zeros(6), strain_error_percent, speckle_motion_error_percent]) / whole
    variance = SCATTER**2 + errors**2
    # What moves several times as much as expected makes up for nothing more.
    against = np.clip(shares, *SHARES) - MIDDLE
    evidence = -np.where(np.isfinite(against), APART / variance * against, 0.0).sum(axis=0)
    # NaN is sorted to the end.
    agreed = (evidence > EVIDENCE) & (np.sort(shares, axis=0)[2] < AGREE)
    return np.where(followed & np.isfinite(shares[0]), agreed, still)


def _median(values: Array) -> float:
    """Of those that are known; 0 where none is."""
    known = values[np.isfinite(values)].tolist()
    # Not np.median: at its first call it loads a part of NumPy for 20 ms.
    return median(known) if known else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredWall:
    """The wall of one frame.

    Attributes:
        measured: (2, 6) mean distance of the endocardium from the long axis and mean thickness of the wall by segment,
            mm or px, thickness NaN where no wall is seen.
        segment: (N,) of each point of the contour.
        start, normal: (2, 3 LEVELS, 2) lines through the wall, those of the septal side first.
    """

    measured: Array
    segment: NDArray[np.int8]
    start: Array
    normal: Array


def measure_wall(
    segmentation: Segmentation, ventricle: LeftVentricle, spacing_mm: tuple[float, float] | None, mirrored: bool = False
) -> MeasuredWall:
    """The wall of one frame, by segment.

    Args:
        segmentation: of the frame.
        ventricle: measured in it.
        spacing_mm: height and width of a pixel (row, column), or None.
        mirrored: the septum is on the right of the picture.
    """
    row, column = spacing_mm or (1.0, 1.0)
    length, place = ventricle.length, segmentation.map
    (x0, y0), (x1, y1) = ventricle.hinges.tolist()
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    apex_x, apex_y = ventricle.apex.tolist()
    cavity, wall = segmentation.probability[1:3]
    lines = WallLines(
        up=((apex_x - x) * column / length, (apex_y - y) * row / length),
        length=length,
        origin=((x - place.x0) / place.scale, (y - place.y0) / place.scale),
        to_grid=(1 / (column * place.scale), 1 / (row * place.scale)),
        levels=_LEVEL,
        reach=REACH * length,
        samples=SAMPLES,
    )
    points = (ventricle.contour - (x, y)) * (column, row)
    distances, found, segment, start, normal = native.wall_lines(cavity, wall, points, lines)
    by_side = np.array([distances.reshape(2, 3, LEVELS) @ _WEIGHT, _mean_thickness(found)])
    # The septal hinge is the one further to the left in the picture, whichever way up it is.
    if (ventricle.hinges[0, 0] > ventricle.hinges[1, 0]) != mirrored:
        by_side, segment, start, normal = by_side[:, ::-1], (5 - segment).astype(np.int8), start[::-1], normal[::-1]
    return MeasuredWall(by_segment(by_side), segment, start, normal)


def by_segment(by_side: Array) -> Array:
    """What is known by side and third (..., 2, 3), the septal side first, from base to apex, as (..., 6) in the order
    of `SEGMENTS`."""
    return np.concatenate([by_side[..., 0, :], by_side[..., 1, ::-1]], axis=-1)


def _mean_thickness(found: Array) -> Array:
    """(2, 3) by side and third, from the thickness (2, levels) along the normals; NaN where less than half of a third
    has one."""
    by_third = found.reshape(2, 3, LEVELS)
    seen = np.isfinite(by_third)
    whole = seen @ _WEIGHT
    mean: Array = np.where(whole >= 0.5, np.where(seen, by_third, 0.0) @ _WEIGHT / np.maximum(whole, 1e-9), np.nan)
    return mean
