"""What the monitor says after each frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


class Scale(Enum):
    """In what lengths, areas and volumes are given: mm where the size of a pixel is known, else pixels."""

    MM = ("mm", "mm2", "mL")
    PX = ("px", "px2", "px3")

    @classmethod
    def of(cls, spacing_mm: tuple[float, float] | None) -> Scale:
        """That of a frame."""
        return cls.PX if spacing_mm is None else cls.MM

    def __repr__(self) -> str:
        return f"Scale.{self.name}"

    @property
    def calibrated(self) -> bool:
        """Whether the size of a pixel is known."""
        return self is Scale.MM

    @property
    def length(self) -> str:
        """``mm`` or ``px``."""
        return self.value[0]

    @property
    def area(self) -> str:
        """``mm2`` or ``px2``."""
        return self.value[1]

    @property
    def volume(self) -> str:
        """``mL`` or ``px3``."""
        return self.value[2]


class Reason:
    """Why a frame is not used. The texts stand in outputs; the constants are for code."""

    NO_VENTRICLE = "no ventricle"
    NOT_APICAL = "not apical"
    CUT_OFF = "cut off by the sector"
    FORESHORTENED = "foreshortened"
    LOW_CONFIDENCE = "low confidence"
    COLOUR_DOPPLER = "colour Doppler"
    FROZEN = "frozen frame"


@dataclass(frozen=True, slots=True)
class Disks:
    """The disks that a cavity is made of, from the mitral plane to the apex; the biplane volume needs them.

    Attributes:
        diameters: (20,) in the unit of the length.
        length: of the long axis; mm or px.
    """

    diameters: tuple[float, ...]
    length: float


class BeatDisks(NamedTuple):
    """The disks of a cavity at end-diastole and at end-systole."""

    ed: Disks
    es: Disks


@dataclass(frozen=True, slots=True, eq=False)
class LeftVentricle:
    """The cavity of one frame, measured: in the units of `scale`.

    Attributes:
        contour: (N, 2) x, y in image pixels: the endocardium from one mitral hinge point over the apex to the other.
            Open: the straight line between its ends is the mitral plane.
        apex: (2,) x, y in image pixels.
        hinges: (2, 2) x, y in image pixels: the two ends of the mitral annulus, in the order of the contour.
        length: of the long axis, from the mid-point between the hinges to the apex; mm or px.
        area: inside the contour and the mitral plane; mm² or px².
        volume: by the method of disks, single plane; mL or px³.
        volume_area_length: 8 area² / (3 pi length), a cross-check; mL or px³.
        scale: in which these are given.
        disks: those that the volume is made of; in mm or px.
    """

    contour: NDArray[np.float64] = field(repr=False)
    apex: NDArray[np.float64] = field(repr=False)
    hinges: NDArray[np.float64] = field(repr=False)
    length: float
    area: float
    volume: float
    volume_area_length: float
    scale: Scale
    disks: Disks = field(repr=False)


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
class Beat:
    """One heart beat, from end-diastole to the next end-diastole.

    Attributes:
        t_ed_s, t_es_s, t_next_ed_s: on the source's clock.
        edv, esv: volumes, in the unit of `LeftVentricle.volume`.
        eda, esa: areas, in the unit of `LeftVentricle.area`.
        ef_percent: (EDV - ESV) / EDV x 100, the model's calibration applied where it has one.
        fac_percent: (EDA - ESA) / EDA x 100, fractional area change.
        reason: why it does not count; None where it does.
        disks: the ventricle at the two moments; None where the samples had none.
        expected_dice: of the cavity, by the model itself, mean over the frames; None where it does not say.
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
    disks: BeatDisks | None = field(default=None, repr=False)
    expected_dice: float | None = None

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
        fac_percent: the rolling fractional area change, median of the same beats; None until there is one.
        heart_rate_bpm: median of the same beats; None until there is one.
        time_ms: milliseconds that each stage took for this frame, by name.
        wall: thickness and displacement of the wall in this frame; None where the frame cannot be used.
        wall_beat: what the wall did in the last accepted beat, from the frame on that completed it; None until there is
            one.
    """

    index: int
    t_s: float
    segmentation: Segmentation
    ventricle: LeftVentricle | None
    quality: Quality
    beat: Beat | None
    ef: EjectionFraction
    fac_percent: float | None
    heart_rate_bpm: float | None
    time_ms: dict[str, float] = field(default_factory=dict)
    wall: WallReading | None = None
    wall_beat: WallBeat | None = None

    def __repr__(self) -> str:
        quality, ef = "ok" if self.quality.ok else self.quality.reason, self.ef
        return f"Reading(index={self.index}, t_s={self.t_s}, {quality=!s}, ef={ef.percent}, beats={ef.beats})"

    @property
    def latency_ms(self) -> float:
        """From the frame's arrival to the reading: the total where one was taken, else the sum of the stages."""
        return self.time_ms["total"] if "total" in self.time_ms else sum(self.time_ms.values())
