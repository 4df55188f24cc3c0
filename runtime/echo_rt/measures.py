"""Further measures of a heart, beside its EF: what each is, and what was found of it. `echo_rt.cardiac.measures` has
the table of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from echo_rt.chambers import Scale
from echo_rt.errors import ParameterError

Value = float | str
"""A figure, or in its place the reason why there is none."""

LENGTH = "mm"
"""The unit of measures that are given in pixels where the scale is not known."""

STRAINS = ("ls_a4c", "ls_a2c")
"""The measures that are the longitudinal strain by the contour: a view has one of them."""

_SUFFIXES = {
    "": "",
    "%": "percent",
    "1/s": "per_s",
    "L/min": "l_min",
    "L/min/m²": "l_min_m2",
    "bpm": "bpm",
    "cm/s": "cm_s",
    "mL": "ml",
    "mL/m²": "ml_m2",
    "mm": "mm",
    "ms": "ms",
}


@dataclass(frozen=True, slots=True)
class Normal:
    """The usual range in healthy adults.

    Attributes:
        low, high: its ends; None where it has none.
        source: where it is from.
    """

    low: float | None
    high: float | None
    source: str

    def holds(self, value: float) -> bool:
        """Whether a figure lies in it."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure is. It adds no figure by itself: see `echo_rt.cardiac.measures.table`.

    Attributes:
        name: as in outputs, without the unit, such as ``mapse_septal``.
        label: for people, such as "MAPSE, septal".
        unit: such as ``%`` or ``mL``; `LENGTH` is px where the scale is not known.
        digits: behind the point, as many as it is worth.
        source: of its definition.
        of: the function that measures it, from a beat's samples (`echo_rt.cardiac.measures.beat_samples`) to the
            figure; it raises `Unknown` where there is none.
        group: under which heading people look for it.
        normal: the usual range; None without a known one.
        foremost: one of the few that stand beside EF, where there is no room for all.
        view: the only view that it can be measured in, ``A4C`` or ``A2C``; None for either.
    """

    name: str
    label: str
    unit: str
    digits: int
    source: str
    of: Callable[[Any], float] = field(repr=False)
    group: str = "Ventricle"
    normal: Normal | None = None
    foremost: bool = False
    view: str | None = None

    def unit_at(self, scale: Scale) -> str:
        """The unit that it has at that scale."""
        return scale.length if self.unit == LENGTH else self.unit

    def column(self, scale: Scale) -> str:
        """Its name in outputs: with the unit."""
        suffix = scale.length if self.unit == LENGTH else _SUFFIXES[self.unit]
        return f"{self.name}_{suffix}" if suffix else self.name


class Unknown(Exception):
    """There is no figure; the text says why, in a few words."""


@dataclass(frozen=True, slots=True)
class MeasureFigure:
    """What was found of a measure, over some beats.

    Attributes:
        measure: what it is.
        scale: decides on its unit.
        value: the median of the beats, in an irregular rhythm their mean; None where it is not known.
        reason: why it is not known; None where it is.
        spread: standard deviation from beat to beat; None for fewer than two.
        beats: that have a figure.
    """

    measure: Measure
    scale: Scale
    value: float | None
    reason: str | None = None
    spread: float | None = None
    beats: int = 0

    @property
    def name(self) -> str:
        """In outputs."""
        return self.measure.column(self.scale)

    @property
    def unit(self) -> str:
        return self.measure.unit_at(self.scale)

    @property
    def text(self) -> str:
        """For people: the value with its unit, a dash where there is none."""
        if self.value is None:
            return "–"
        return f"{self.value:.{self.measure.digits}f} {self.unit}".replace("-", "−").rstrip()

    @property
    def normal(self) -> Normal | None:
        """The usual range; None without a known one, and in pixels."""
        return self.measure.normal if self.unit == self.measure.unit else None

    @property
    def usual(self) -> bool | None:
        """Whether it lies in the usual range; None where that or the figure is not known."""
        return None if self.normal is None or self.value is None else self.normal.holds(self.value)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        digits, normal = self.measure.digits, self.normal
        known = self.value is not None and math.isfinite(self.value)
        return {
            "value": round(self.value, digits or None) if known and self.value is not None else None,
            "unit": self.unit,
            "reason": self.reason,
            "spread": None if self.spread is None else round(self.spread, digits + 1),
            "beats": self.beats,
            "normal": None if normal is None else [normal.low, normal.high],
        }


HEIGHT_CM, WEIGHT_KG = (30.0, 250.0), (1.0, 400.0)
"""Of a patient, from a newborn child on."""

MASS_INDEX = 5.0, 120.0
"""Weight in kg over height in m squared: outside of it one of the two is wrong, or they are swapped."""


@dataclass(frozen=True, slots=True)
class Body:
    """How large the patient is; None where it is not known.

    Attributes:
        height_cm, weight_kg: as told.

    Raises:
        ParameterError: no patient is so large or so small.
    """

    height_cm: float | None = None
    weight_kg: float | None = None

    def __post_init__(self) -> None:
        limited = ("a height", self.height_cm, "cm", HEIGHT_CM), ("a weight", self.weight_kg, "kg", WEIGHT_KG)
        for what, value, unit, (least, most) in limited:
            if value is not None and not least <= value <= most:
                raise ParameterError(
                    f"expected {what} of {least:g} to {most:g} {unit}, found {value:g}; give it in {unit}"
                )
        if self.height_cm is not None and self.weight_kg is not None:
            index, (least, most) = self.weight_kg / (self.height_cm / 100) ** 2, MASS_INDEX
            if not least <= index <= most:
                raise ParameterError(
                    f"expected height and weight of one patient, found a body mass index of {index:.3g}; look whether "
                    "they are swapped"
                )

    def or_else(self, other: Body) -> Body:
        """With what is not known taken from another."""
        height, weight = self.height_cm, self.weight_kg
        return Body(other.height_cm if height is None else height, other.weight_kg if weight is None else weight)

    @property
    def surface_m2(self) -> float | None:
        """Body surface area by Du Bois and Du Bois (Arch Intern Med 17:863-871, 1916), as Lang 2015 indexes by."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return float(0.007184 * self.height_cm**0.725 * self.weight_kg**0.425)


@dataclass(frozen=True, slots=True)
class Rolling:
    """What stands beside the rolling EF, of the same beats.

    Attributes:
        fac_percent: fractional area change, their median; None until there is one.
        heart_rate_bpm: their median; None until there is one.
        rr_variation_percent: standard deviation over mean of the length of the last beats, those that do not count
            too; None for fewer than five.
        irregular: it varies by more than in sinus rhythm, as in atrial fibrillation.
        measures: all of the table, in its order, with or without a figure; empty until a beat was accepted.
        body: how large the patient is.
    """

    fac_percent: float | None = None
    heart_rate_bpm: float | None = None
    rr_variation_percent: float | None = None
    irregular: bool = False
    measures: tuple[MeasureFigure, ...] = field(default=(), repr=False)
    body: Body = field(default=Body(), repr=False)

    @property
    def rhythm(self) -> str:
        """For people."""
        return "irregular" if self.irregular else "regular"

    @property
    def known(self) -> tuple[MeasureFigure, ...]:
        """The measures that have a figure."""
        return tuple(figure for figure in self.measures if figure.value is not None)

    @property
    def strain_percent(self) -> float | None:
        """Longitudinal strain by the contour; None where it is not known."""
        return next((figure.value for figure in self.known if figure.measure.name in STRAINS), None)

    def in_view(self, view: str | None) -> tuple[MeasureFigure, ...]:
        """Those that people look for in a view: all but those that have no figure because they are of another.

        Args:
            view: where it is not ``A2C`` it is taken for the A4C, as everywhere.
        """
        other = "A4C" if view == "A2C" else "A2C"
        return tuple(figure for figure in self.measures if figure.value is not None or figure.measure.view != other)

    def __getitem__(self, name: str) -> MeasureFigure:
        """The figure of the measure of that name, with or without its unit; `KeyError` where there is none."""
        for figure in self.measures:
            if name in (figure.name, figure.measure.name):
                return figure
        raise KeyError(name)
