"""What the monitor says after each frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import echo_rt
from echo_rt.chambers import BeatDisks
from echo_rt.measures import STRAINS, Rolling, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from echo_rt.chambers import LeftAtrium, LeftVentricle, Scale
    from echo_rt.segmentation import Segmentation

EfMethod = Literal["disks", "biplane", "area-length", "area"]
EF_METHODS: tuple[EfMethod, ...] = ("disks", "biplane", "area-length", "area")

SEGMENTS = ("basal_septal", "mid_septal", "apical_septal", "apical_lateral", "mid_lateral", "basal_lateral")
"""The six wall segments of the apical four-chamber view, along the endocardium from the septal hinge over the apex to
the lateral one."""

APICAL_VIEWS = ("A4C", "A2C")
"""In the order in which two recordings of one heart are given."""

CLIP_EXTREMES, AREA_EXTREMES = "clip-extremes", "area-extremes"
CLIP_METHODS = (CLIP_EXTREMES, AREA_EXTREMES)
"""EF from the largest and the smallest volume, or area, of a whole recording; a live feed has none."""


class Reason:
    """Why a frame is not used. The texts stand in outputs; the constants are for code."""

    NO_VENTRICLE = "no ventricle"
    NOT_APICAL = "not apical"
    CUT_OFF = "cut off by the sector"
    FORESHORTENED = "foreshortened"
    LOW_CONFIDENCE = "low confidence"
    COLOUR_DOPPLER = "colour Doppler"
    FROZEN = "frozen frame"


@dataclass(frozen=True, slots=True, eq=False)
class WallReading:
    """The wall of one frame: arrays of 6 in the order of `SEGMENTS`, lengths in the unit of `scale`.

    Attributes:
        thickness: from the endocardium to the epicardium, along the normal of the endocardium; NaN where no wall is
            seen.
        displacement: of the endocardium towards the long axis since the last end-diastole, in the frame of that axis.
            Outwards is negative.
        segment: (N,) int8, for each point of `LeftVentricle.contour` the index of its segment.
        scale: in which these are given.
    """

    thickness: NDArray[np.float64] = field(repr=False)
    displacement: NDArray[np.float64] = field(repr=False)
    segment: NDArray[np.int8] = field(repr=False)
    scale: Scale


@dataclass(frozen=True, slots=True, eq=False)
class WallBeat:
    """What the wall did in one beat, by segment: arrays of 6 in the order of `SEGMENTS`.

    Attributes:
        motion_percent: inward motion from ED to ES, in percent of the endocardium's distance from the long axis at ED.
        thickening_percent: (thickness at ES - at ED) / thickness at ED x 100; NaN where no wall is seen.
        strain_percent: thickening from ED to ES by the motion of the speckle, see `echo_rt.cardiac.speckle`; NaN where
            it was not followed.
        strain_error_percent: its standard error, in the same percent.
        speckle_motion_percent: inward motion of the middle of the wall from ED to ES by the speckle, against the heart
            as a rigid body, in percent of the same distance as `motion_percent`; NaN where it was not followed.
        speckle_motion_error_percent: its standard error, in the same percent.
        thickness_ed: at ED, in the length of `scale`.
        akinetic: bool, the segment does not move, see `echo_rt.cardiac.akinesia`.
        scale: in which these are given.
        along_percent: strain along the wall from ED to ES by the speckle, one number for both walls; NaN where it was
            not followed.
    """

    motion_percent: NDArray[np.float64]
    thickening_percent: NDArray[np.float64]
    strain_percent: NDArray[np.float64]
    strain_error_percent: NDArray[np.float64]
    speckle_motion_percent: NDArray[np.float64]
    speckle_motion_error_percent: NDArray[np.float64]
    thickness_ed: NDArray[np.float64]
    akinetic: NDArray[np.bool_]
    scale: Scale
    along_percent: float = math.nan

    def __repr__(self) -> str:
        akinetic = [name for name, still in zip(SEGMENTS, self.akinetic, strict=True) if still]
        return f"WallBeat({akinetic=}, {self.scale.length})"


@dataclass(frozen=True, slots=True)
class Quality:
    """Whether a frame can be used, and why not.

    Attributes:
        ok: it can.
        reason: one of `Reason` where it cannot.
        confidence: mean probability of the winning class inside and around the ventricle, 0 to 1; 0 without a
            ventricle.
    """

    ok: bool
    reason: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class BeatDetails:
    """What else is known of a beat.

    Attributes:
        disks: the ventricle at ED and ES; None where the samples had none.
        expected_dice: of the cavity, by the model itself, mean over the frames; None where it does not say.
        measures: of `echo_rt.measures.Measure.name`, the figure of this beat, or the reason why there is none; empty
            for a beat that does not count.
        wall: what the wall did; None where it was not seen or the beat does not count.
    """

    disks: BeatDisks | None = field(default=None, repr=False)
    expected_dice: float | None = None
    measures: Mapping[str, Value] = field(default_factory=dict, repr=False)
    wall: WallBeat | None = field(default=None, repr=False, compare=False)

    @property
    def strain_percent(self) -> float | None:
        """Longitudinal strain by the contour; None where it is not known."""
        said = (self.measures.get(name) for name in STRAINS)
        return next((value for value in said if isinstance(value, float) and math.isfinite(value)), None)


@dataclass(frozen=True, slots=True)
class Beat:
    """One heart beat, from end-diastole to the next end-diastole.

    Attributes:
        t_ed_s, t_es_s, t_next_ed_s: on the source's clock.
        edv, esv: volumes, in the unit of `LeftVentricle.volume`.
        eda, esa: areas, in the unit of `LeftVentricle.area`.
        ef_percent: (EDV - ESV) / EDV x 100, the model's calibration applied where it has one.
        fac_percent: (EDA - ESA) / EDA x 100, fractional area change.
        reason: why it does not count; None where it does.
        details: its disks, its further measures, and what the model expects of itself.
    """

    t_ed_s: float
    t_es_s: float
    t_next_ed_s: float
    edv: float
    esv: float
    eda: float
    esa: float
    ef_percent: float
    fac_percent: float
    reason: str | None = None
    details: BeatDetails = field(default=BeatDetails(), repr=False)

    @property
    def accepted(self) -> bool:
        return self.reason is None

    @property
    def heart_rate_bpm(self) -> float:
        return 60.0 / (self.t_next_ed_s - self.t_ed_s)


@dataclass(frozen=True, slots=True)
class EjectionFraction:
    """The rolling figure.

    Attributes:
        percent: median over the last accepted beats; None until there is one.
        low, high: 95 % interval for the heart's EF, see `echo_rt.cardiac.ejection_fraction.interval`; None where there
            is no figure, and where it stands on no beat.
        beats: how many beats it stands on.
        method: which volume it is made of, one of `EF_METHODS`, or of `CLIP_METHODS`.
        reason: why there is no figure, or why it is stale.
        stale: the last good beat was long ago, see `echo_rt.cardiac.ejection_fraction`; the figure is that of then.
    """

    percent: float | None
    low: float | None
    high: float | None
    beats: int
    method: str
    reason: str | None = None
    stale: bool = False

    @property
    def told(self) -> str:
        """The figure and its method, or why there is none."""
        return f"no EF: {self.reason}" if self.percent is None else f"EF {self.percent:.0f} % by {self.method}"


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """All that is known after one frame.

    Attributes:
        index, t_s: of the frame.
        segmentation: what the engine gave.
        ventricle: its measurements; None where none was found.
        quality: of this frame.
        beat: the beat that was completed with this frame, accepted or not; None at most frames.
        ef: the rolling ejection fraction.
        rolling: heart rate, fractional area change and every further measure, of the same beats.
        atrium: the left atrium; None where none was found or the frame cannot be used.
        time_ms: milliseconds that each stage took for this frame, by name.
        wall: thickness and displacement of the wall in this frame; None where the frame cannot be used.
        wall_beat: what the wall did in the last accepted beat, from the frame on that completed it; None without an EF.
    """

    index: int
    t_s: float
    segmentation: Segmentation
    ventricle: LeftVentricle | None
    quality: Quality
    beat: Beat | None
    ef: EjectionFraction
    rolling: Rolling
    time_ms: dict[str, float] = field(default_factory=dict)
    wall: WallReading | None = None
    wall_beat: WallBeat | None = None
    atrium: LeftAtrium | None = None

    def __repr__(self) -> str:
        quality, ef = "ok" if self.quality.ok else self.quality.reason, self.ef
        return f"Reading(index={self.index}, t_s={self.t_s}, {quality=!s}, ef={ef.percent}, beats={ef.beats})"

    def _repr_html_(self) -> str:
        return echo_rt.as_html(self)

    @property
    def fac_percent(self) -> float | None:
        """The rolling fractional area change; None until there is one."""
        return self.rolling.fac_percent

    @property
    def heart_rate_bpm(self) -> float | None:
        """The rolling heart rate; None until there is one."""
        return self.rolling.heart_rate_bpm

    @property
    def latency_ms(self) -> float:
        """From the frame's arrival to the reading: the total where one was taken, else the sum of the stages."""
        return self.time_ms["total"] if "total" in self.time_ms else sum(self.time_ms.values())
