"""The chambers of one frame, measured, and the scale that they are measured in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
        endocardium: length of the contour, the mitral plane left out; mm or px.
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
    endocardium: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class LeftAtrium:
    """The left atrium of one frame, measured from the mitral plane to its roof: in the units of `scale`.

    Attributes:
        length: from the mid-point between the hinges to the roof; mm or px.
        area: mm² or px².
        volume: by the method of disks, single plane; mL or px³.
        volume_area_length: 8 area² / (3 pi length); mL or px³.
        reason: why its volume is not to be trusted, as where the sector cuts it off; None where it is.
        scale: in which these are given.
    """

    length: float
    area: float
    volume: float
    volume_area_length: float
    reason: str | None
    scale: Scale
