"""The further measures that stills at ED and ES allow, by the model and by the expert, as the runtime defines them.

What needs motion (velocities, rates, times, strain by speckle) has no part here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from echo_rt.cardiac.measures.annulus import SIDES, excursion
from echo_rt.cardiac.measures.beat_samples import UNCALIBRATED
from echo_rt.cardiac.measures.form import sphericity_index
from echo_rt.cardiac.measures.strain import strain_percent
from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.chambers import LeftAtrium, LeftVentricle, Scale
from echo_rt.measures import LENGTH, Measure, Unknown, Value
from echo_rt_train.evaluate.agreement import Pairs, agreement
from echo_rt_train.evaluate.ejection import BIPLANE, PHASES, VIEW_NAMES

NO_VENTRICLE, NO_ATRIUM = "the ventricle was not found", "no atrium was found"


@dataclass(frozen=True, eq=False)
class Still:
    """What was measured in one image.

    Attributes:
        ventricle, atrium: None where there is nothing to measure.
        spacing_mm: height and width of a pixel, or None.
    """

    ventricle: LeftVentricle | None
    atrium: LeftAtrium | None
    spacing_mm: tuple[float, float] | None

    @property
    def seen(self) -> LeftVentricle:
        """The ventricle; `Unknown` where there is none."""
        if self.ventricle is None:
            raise Unknown(NO_VENTRICLE)
        return self.ventricle

    @property
    def atrium_volume(self) -> float:
        """By disks; `Unknown` where it is not to be trusted."""
        if self.atrium is None:
            raise Unknown(NO_ATRIUM)
        if self.atrium.reason is not None:
            raise Unknown(self.atrium.reason)
        return self.atrium.volume

    @property
    def atrium_ml(self) -> float:
        """By disks, in mL; `Unknown` without a scale too."""
        if self.spacing_mm is None:
            raise Unknown(UNCALIBRATED)
        return self.atrium_volume


Stills: TypeAlias = Mapping[tuple[str, str, str], Still]
"""By patient, view and phase."""


def _strain(ed: Still, es: Still) -> float:
    return strain_percent(ed.seen.endocardium, es.seen.endocardium)


def _mapse(ed: Still, es: Still, place: int) -> float:
    row, column = ed.spacing_mm or (1.0, 1.0)
    scale = np.array([column, row])
    hinges, later = (still.seen.hinges * scale for still in (ed, es))
    # Data sets show the standard display: apex up, septum on the left.
    one, other = (int(found[:, 0].argsort()[place]) for found in (hinges, later))
    return excursion(hinges[one], later[other], hinges.mean(axis=0), ed.seen.apex * scale)


_OF: Mapping[str, Callable[[Still, Still], float]] = {
    "ls_a4c": _strain,
    "ls_a2c": _strain,
    "sphericity": lambda ed, es: sphericity_index(ed.seen.disks),
    **{f"mapse_{side}": partial(_mapse, place=place) for side, (_, place) in SIDES.items()},
    "lav_max": lambda ed, es: es.atrium_ml,
    "lav_min": lambda ed, es: ed.atrium_ml,
    "la_emptying": lambda ed, es: 100 * (1 - ed.atrium_volume / es.atrium_volume),
}
"""What the measures of the runtime's table are of two stills, by name."""

_BOTH_VIEWS = "ls_mean"


@dataclass(frozen=True, eq=False)
class StillMeasure:
    """One measure of all patients.

    Attributes:
        measure, scale: what it is, and in which unit.
        method: the view, or ``biplane``.
        rows: patient, and the figure by the model and by the expert, or the reason why there is none.
    """

    measure: Measure
    scale: Scale
    method: str
    rows: tuple[tuple[str, Value, Value], ...]

    @property
    def name(self) -> str:
        """With the unit, as in the runtime's outputs."""
        return self.measure.column(self.scale)

    @property
    def unit(self) -> str:
        return self.measure.unit_at(self.scale)

    @property
    def pairs(self) -> Pairs:
        """(patients, 2) by the model and by the expert, of the patients who have both."""
        both = [values for _, *values in self.rows if not any(isinstance(value, str) for value in values)]
        return np.array(both, np.float64).reshape(-1, 2)

    def to_dict(self) -> dict[str, Any]:
        """Label, unit, what `agreement` gives, and how many patients are left out for which reason.

        Who has no figure on the expert's masks has no reference. Where the model has none though the expert has, it
        was not measured; the runtime would show that reason too.
        """
        no_reference = Counter(expert for _, _, expert in self.rows if isinstance(expert, str))
        not_measured = Counter(
            model for _, model, expert in self.rows if isinstance(model, str) and not isinstance(expert, str)
        )
        return {
            "label": self.measure.label,
            "unit": self.unit,
            **agreement(self.pairs),
            "no_reference": dict(no_reference),
            "not_measured": dict(not_measured),
        }


def measures_by_stills(model: Stills, expert: Stills) -> list[StillMeasure]:
    """Every measure that two stills allow, in each view, and the mean strain of both views.

    Args:
        model, expert: of the same images.

    Returns:
        Of the patients who have ED and ES. A measure in mm of images without a scale is one in pixels.
    """
    patients = sorted({patient for patient, _, _ in expert})
    found: list[StillMeasure] = []
    for view in BIPLANE:
        whole = [p for p in patients if all((p, view, phase) in expert for phase in PHASES)]
        for measure in MEASURES:
            if measure.name in _OF and measure.view in (None, VIEW_NAMES[view]):
                found += _in_view(measure, view, whole, model, expert)
    strains = {one.method: one.rows for one in found if one.measure.name in ("ls_a4c", "ls_a2c")}
    if set(strains) == set(BIPLANE):
        found.append(_mean_of_views(*(strains[view] for view in BIPLANE)))
    return found


def _in_view(measure: Measure, view: str, patients: Sequence[str], model: Stills, expert: Stills) -> list[StillMeasure]:
    rows: dict[Scale, list[tuple[str, Value, Value]]] = {}
    for patient in patients:
        of_model, of_expert = (_value(measure, *(of[patient, view, p] for p in PHASES)) for of in (model, expert))
        # Only lengths are given in pixels too.
        scale = Scale.of(expert[patient, view, PHASES[0]].spacing_mm) if measure.unit == LENGTH else Scale.MM
        rows.setdefault(scale, []).append((patient, of_model, of_expert))
    return [StillMeasure(measure, scale, view, tuple(of_scale)) for scale, of_scale in rows.items()]


def _value(measure: Measure, ed: Still, es: Still) -> Value:
    try:
        return _OF[measure.name](ed, es)
    except Unknown as why:
        return str(why)


def _mean_of_views(*views: Sequence[tuple[str, Value, Value]]) -> StillMeasure:
    one, other = ({patient: values for patient, *values in rows} for rows in views)
    rows = []
    for patient in sorted(one.keys() & other.keys()):
        model, expert = (_mean(pair) for pair in zip(one[patient], other[patient], strict=True))
        rows.append((patient, model, expert))
    measure = next(measure for measure in MEASURES if measure.name == _BOTH_VIEWS)
    return StillMeasure(measure, Scale.MM, "biplane", tuple(rows))


def _mean(values: Sequence[Value]) -> Value:
    reason = next((value for value in values if isinstance(value, str)), None)
    return reason if reason is not None else fmean(value for value in values if not isinstance(value, str))
