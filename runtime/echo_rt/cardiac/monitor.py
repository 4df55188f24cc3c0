"""The monitor: the only object with a history. It is causal, and the same for files and live feeds."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from echo_rt.cardiac.atrium_geometry import atrium_volumes, find_atrium
from echo_rt.cardiac.beats import BeatFinder
from echo_rt.cardiac.clip_extremes import Extremes
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.ejection_fraction import (
    BEATS,
    MEASUREMENT_POINTS,
    RollingEjectionFraction,
    calibrated,
    error_points,
)
from echo_rt.cardiac.geometry import find_ventricle, outline
from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.cardiac.measures.rolling import RollingMeasures
from echo_rt.cardiac.picture import Picture
from echo_rt.cardiac.quality import Past, assess, gather
from echo_rt.cardiac.wall_motion import WallMotion
from echo_rt.cardiac.zoom import zoomed
from echo_rt.chambers import LeftAtrium, LeftVentricle, Scale
from echo_rt.errors import ParameterError
from echo_rt.frame import Frame
from echo_rt.measures import Body
from echo_rt.model import CLASSES, ModelSpec
from echo_rt.reading import EF_METHODS, Beat, Reading, Reason, WallBeat
from echo_rt.result import ClipFigures
from echo_rt.segmentation import Segmentation

_ATRIUM = CLASSES.index("left_atrium")


SAME_SCALE = 0.002
"""Share by which the spacing of a feed may waver; volumes then change by less than 1 %."""


class Monitor:
    """From the segmentations of a feed to its readings.

    Args:
        spec: of the model that segments: its quality thresholds, akinesia rule and EF calibration are used.
        ef_method: what the rolling EF is made of, one of `EF_METHODS`.
        beats: how many accepted beats it stands on.
        mirrored: the septum is on the right of the picture, not on the left as in the standard display.
        view: ``A4C`` or ``A2C``, where the recording says; else the one that the model sees in most usable frames.
        body: how large the patient is, where that is known.

    Raises:
        ParameterError: there is no such method, or the number of beats is not positive.
    """

    def __init__(
        self,
        spec: ModelSpec,
        ef_method: str = "disks",
        beats: int = BEATS,
        mirrored: bool = False,
        view: str | None = None,
        body: Body | None = None,
    ) -> None:
        if ef_method not in EF_METHODS or ef_method == "biplane":
            offered = ", ".join(m for m in EF_METHODS if m != "biplane")
            raise ParameterError(f"expected an EF method of {offered} for a single view, found {ef_method!r}")
        if beats < 1:
            raise ParameterError(f"expected at least 1 beat in the rolling EF, found {beats}")
        self.spec, self.ef_method = spec, ef_method
        self._past = Past()
        self._finder = BeatFinder()
        self._rolling = RollingEjectionFraction(ef_method, beats, self._error_points)
        self._extremes = Extremes(by_area=ef_method == "area")
        self._wall = WallMotion(spec.tuning.akinesia, mirrored)
        self._measures = RollingMeasures(body or Body())
        self._state: object = None
        self._spacing_mm: tuple[float, float] | None = None
        self._given_view, self._views = view, Counter[str]()

    @property
    def view(self) -> str | None:
        """What the recording says, or what the model saw in most usable frames so far; None where neither tells."""
        return self._given_view or next((name for name, _ in self._views.most_common(1)), None)

    @property
    def seen(self) -> dict[str, int]:
        """In how many usable frames so far the model saw which view."""
        return dict(self._views)

    @property
    def state(self) -> Any:
        """A temporal model's state after the last frame, for the engine's next call; None at the start."""
        return self._state

    @property
    def body(self) -> Body:
        """How large the patient is. A reset leaves it as it is: set it anew for another patient."""
        return self._measures.body

    @body.setter
    def body(self, body: Body) -> None:
        self._measures.body = body

    def reset(self) -> None:
        """Start afresh, as for a new patient."""
        self._past.reset()
        self._finder.reset()
        self._rolling.reset()
        self._extremes.reset()
        self._wall.reset()
        self._measures.reset()
        self._views.clear()
        self._state = self._spacing_mm = None

    def _begin_at_scale(self, spacing_mm: tuple[float, float] | None) -> None:
        """Forget the lengths and volumes of another scale: no beat is made of both. What is known of whole beats, which
        have an EF, stays."""
        self._spacing_mm = spacing_mm
        self._past.reset()
        self._finder.reset()
        self._extremes.reset()
        self._wall.reset()

    def update(self, segmentation: Segmentation, frame: Frame) -> Reading:
        """Take the next frame; the reading depends on this frame and those before alone."""
        start = time.perf_counter()
        picture, before = Picture.of(frame.image), self._past.picture
        if _differ(frame.spacing_mm, self._spacing_mm) or (before is not None and zoomed(before, picture)):
            self._begin_at_scale(frame.spacing_mm)
        self._state = segmentation.state
        rule = self.spec.tuning.contour
        border = outline(segmentation, rule)
        ventricle = find_ventricle(segmentation, border, frame.spacing_mm, rule) if border is not None else None
        quality = assess(gather(segmentation, border, ventricle, picture, self._past), self.spec.tuning.quality)
        self._past.update(frame.t_s, picture, ventricle, quality)
        if quality.ok and segmentation.view is not None:
            self._views[segmentation.view] += 1
        sample = atrium = beat = None
        if quality.ok and ventricle is not None:
            least = self.spec.tuning.quality["min_atrium_confidence"]
            atrium = find_atrium(segmentation, ventricle, picture, frame.spacing_mm, least)
            sample = self._sample(frame, ventricle, segmentation, atrium)
        # A frozen frame tells nothing, neither good nor bad: a recording whose frames were each written twice has the
        # beats it had.
        if quality.reason != Reason.FROZEN:
            self._extremes.update(frame.t_s, sample)
            beat = self._finder.update(frame.t_s, sample)
        wall, wall_beat = self._wall.update(segmentation, frame, ventricle if quality.ok else None, beat)
        if beat is not None:
            beat = self._judge(self._measured(beat, wall_beat))
            self._rolling.update(beat, self._extremes.stretches.share)
        ef = self._rolling.at(frame.t_s, self._extremes.stretches.now)
        steps = dict(segmentation.time_ms or {})
        steps["monitor"] = 1e3 * (time.perf_counter() - start)
        return Reading(
            index=frame.index,
            t_s=frame.t_s,
            segmentation=segmentation,
            ventricle=ventricle,
            quality=quality,
            beat=beat,
            ef=ef,
            rolling=self._measures.of(self._rolling.beats, Scale.of(frame.spacing_mm), self._rolling.rhythm),
            time_ms=steps,
            wall=wall,
            # Without an EF nothing speaks for a heart, and nothing is said of its wall.
            wall_beat=wall_beat if ef.percent is not None else None,
            atrium=atrium,
        )

    def clip_figures(self, *, even_with_beats: bool = False) -> ClipFigures:
        """EF of a recording without a whole beat: from its largest and smallest volume (by the area method: area).
        A live feed never asks for it.

        Args:
            even_with_beats: give it for a recording with whole beats too.
        """
        ef = self._rolling.current
        if self._rolling.seen and (ef.percent is None or not even_with_beats):
            # Beats that are not enough for an EF make no better one by another method.
            return ClipFigures(reason=ef.reason or "whole beats were seen")
        return self._extremes.result(self.spec.tuning.calibration(self.view), with_beats=self._rolling.seen)

    def _measured(self, beat: Beat, wall_beat: WallBeat | None) -> Beat:
        """With the further measures, where it counts."""
        found = self._finder.found
        assert found is not None
        scale, wall = Scale.of(self._spacing_mm), wall_beat if beat.accepted else None
        known = BeatSamples(beat, found.samples, found.systole, scale, wall, self.view, self._wall.mirrored)
        return self._measures.update(known)

    def _sample(
        self, frame: Frame, ventricle: LeftVentricle, segmentation: Segmentation, left_atrium: LeftAtrium | None
    ) -> Sample:
        volume = ventricle.volume_area_length if self.ef_method == "area-length" else ventricle.volume
        # In pixels of the grid, the uncertain ones in part: only how it changes counts.
        atrium = float(segmentation.tally[1, _ATRIUM])
        dice = math.nan if segmentation.confidence is None else segmentation.confidence
        row, column = frame.spacing_mm or (1.0, 1.0)
        (x0, y0), (x1, y1) = ventricle.hinges.tolist()
        x, y = ventricle.apex.tolist()
        places = x0 * column, y0 * row, x1 * column, y1 * row, x * column, y * row
        return Sample(
            frame.t_s,
            volume,
            ventricle.area,
            ventricle.disks,
            ventricle.length,
            atrium,
            dice,
            (ventricle.endocardium, *places),
            atrium_volumes(left_atrium),
        )

    def _judge(self, beat: Beat) -> Beat:
        """With the EF of the chosen method. The area method reports FAC as EF, as two published systems do."""
        if self.ef_method == "area":
            return replace(beat, ef_percent=beat.fac_percent)
        return replace(beat, ef_percent=calibrated(beat.ef_percent, self.spec.tuning.calibration(self.view)))

    def _error_points(self, beats: Sequence[Beat]) -> float:
        # The model's error was measured on EF by disks: it says little about areas.
        return MEASUREMENT_POINTS if self.ef_method == "area" else error_points(self.spec, self.view, beats)


def _differ(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    """Whether two spacings are of different scales, not only of different rounding."""
    if one is None or other is None:
        return one is not other
    return any(abs(mm / before - 1) > SAME_SCALE for mm, before in zip(one, other, strict=True))
