"""Wall motion: how the six segments of the apical four-chamber view move and thicken from beat to beat."""

from __future__ import annotations

from collections import deque

import numpy as np

from echo_rt.arrays import Array
from echo_rt.cardiac.akinesia import UNKNOWN, akinetic
from echo_rt.cardiac.speckle import Followed, SpeckleTracking
from echo_rt.cardiac.wall_geometry import by_segment, measure_wall
from echo_rt.chambers import LeftVentricle, Scale
from echo_rt.frame import CLOCK_S, Frame
from echo_rt.model import AkinesiaRule
from echo_rt.reading import Beat, WallBeat, WallReading
from echo_rt.segmentation import Segmentation

MOMENT_HALF_WINDOW_S = 0.045
"""ED and ES are means over the frames within so much of them."""

WALL_MEMORY_S = 3.5
"""How far back frames are kept: the longest beat that can be accepted (2 s), and until it is certain."""


class WallMotion:
    """Feed it every frame; it measures the wall, and tells for each accepted beat how the segments moved.

    Args:
        rule: for akinesia, of the model that segments.
        mirrored: the septum is on the right of the picture.
    """

    def __init__(self, rule: AkinesiaRule, mirrored: bool = False) -> None:
        self.rule, self.mirrored = rule, mirrored
        self._speckle = SpeckleTracking(WALL_MEMORY_S)
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
            The wall in this frame, None without a ventricle; and what it did in the last accepted beat, None without
            one or where the wall was not seen in it.
        """
        if ventricle is None:
            self._complete(beat, Scale.of(frame.spacing_mm))
            return None, self._beat
        wall = measure_wall(segmentation, ventricle, frame.spacing_mm, self.mirrored)
        self._speckle.update(frame, ventricle, wall.start, wall.normal)
        distance, thickness = wall.measured
        self._times.append(frame.t_s)
        self._measured.append(wall.measured)
        while self._times[0] < frame.t_s - WALL_MEMORY_S:
            self._times.popleft()
            self._measured.popleft()
        self._complete(beat, ventricle.scale)
        if self._ed is None or (not self._ed_certain and ventricle.volume > self._largest):
            # The largest ventricle so far stands in for the first end-diastole until that is certain.
            self._largest, self._ed = ventricle.volume, distance
        return WallReading(thickness, self._ed - distance, wall.segment, ventricle.scale), self._beat

    def _complete(self, beat: Beat | None, scale: Scale) -> None:
        if beat is None:
            return
        times, measured = np.array(self._times), np.array(self._measured)

        def around(t_s: float) -> Array | None:
            near = np.abs(times - t_s) <= MOMENT_HALF_WINDOW_S + CLOCK_S
            if not near.any():
                return None
            # Frames in which the wall of a segment is missing do not count for it.
            seen = np.isfinite(measured[near]).sum(axis=0)
            mean: Array = np.nansum(measured[near], axis=0) / np.where(seen > 0, seen, np.nan)
            return mean

        ed, es, next_ed = around(beat.t_ed_s), around(beat.t_es_s), around(beat.t_next_ed_s)
        if next_ed is not None:
            self._ed, self._ed_certain = next_ed[0], True
        if beat.accepted:
            by_third = self._speckle.of_beat(beat)
            followed = Followed(*by_segment(np.array(by_third[:4])))._replace(along_percent=by_third.along_percent)
            self._beat = wall_beat(self.rule, ed, es, scale, followed) if ed is not None and es is not None else None


def wall_beat(rule: AkinesiaRule, ed: Array, es: Array, scale: Scale, followed: Followed | None = None) -> WallBeat:
    """What the wall did between end-diastole and end-systole.

    Args:
        rule: for akinesia.
        ed, es: (2, 6) distance of the endocardium from the long axis and thickness of the wall, by segment.
        scale: in whose length they are given.
        followed: what the speckle did, its arrays by segment (6,); None where it was not followed at all.
    """
    whole = np.where(ed > 0, ed, np.nan)
    motion, thickening = 100 * (ed[0] - es[0]) / whole[0], 100 * (es[1] - ed[1]) / whole[1]
    known = followed or Followed(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    shares = 100 * known.inwards / whole[0], 100 * known.inwards_error / whole[0]
    speckle = known.strain_percent, known.strain_error_percent, *shares
    still = akinetic(rule, motion, thickening, *speckle)
    return WallBeat(motion, thickening, *speckle, ed[1], still, scale, known.along_percent)
