"""The figures of a recording as FHIR needs them: each with its codes, its unit in UCUM, and where it is of.

The numbers are those of `RecordingResult.to_dict`. LOINC's codes are those of DICOM's context groups 12300 and 12202
(PS3.16), SNOMED's those of 12200, 12239 and 12305. A code stands here without the words of its table: these change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from echo_rt.measures import MeasureFigure
from echo_rt.reading import APICAL_VIEWS, AREA_EXTREMES, CLIP_EXTREMES
from echo_rt.result import RecordingResult

Code = tuple[str, str]
"""A system and a code of it."""

LOINC, SNOMED, OWN = "http://loinc.org", "http://snomed.info/sct", "urn:echo-rt:measure"
"""Code systems. The codes of the own one are the names in summary.json."""

UCUM = {
    "": "1",
    "%": "%",
    "1/s": "/s",
    "L/min": "L/min",
    "L/min/m²": "L/min/m2",
    "bpm": "/min",
    "cm/s": "cm/s",
    "mL": "mL",
    "mL/m²": "mL/m2",
    "mm": "mm",
    "ms": "ms",
}
"""By the unit in summary.json. A pixel is none: what is in pixels has no figure in FHIR."""

UNCALIBRATED = "the scale is not known"

CALIBRATED = "calibrated by the model's line, so not exactly that of EDV and ESV"

BIPLANE = "biplane"
HEART_RATE = (LOINC, "8867-4")

_GENERAL: dict[str, tuple[Code, ...]] = {
    "ef_percent": ((LOINC, "10230-1"), (LOINC, "18043-0")),
    "edv": ((LOINC, "18026-5"),),
    "esv": ((LOINC, "18148-7"),),
}
"""Of the left ventricle, by whatever method; 18043-0 is the EF by ultrasound."""

_BY_DISKS: dict[tuple[str, str], str] = {
    ("ef_percent", "A4C"): "79993-2",
    ("ef_percent", "A2C"): "79992-4",
    ("ef_percent", BIPLANE): "79991-6",
    ("edv", "A4C"): "79999-9",
    ("edv", "A2C"): "79998-1",
    ("edv", BIPLANE): "79996-5",
    ("esv", "A4C"): "80004-5",
    ("esv", "A2C"): "80003-7",
    ("esv", BIPLANE): "80001-1",
    ("edvi", BIPLANE): "79997-3",
    ("esvi", BIPLANE): "80002-9",
    ("lav_max", "A4C"): "79986-6",
    ("lav_max", "A2C"): "79985-8",
}
"""LOINC's codes of what is made by the method of disks, by figure and view."""

_FAC = (SNOMED, "399287000")
_SNOMED = {"fac_percent": _FAC, "sv": (SNOMED, "90096001"), "co": (SNOMED, "82799009"),
           "svi": (SNOMED, "277381004"), "ci": (SNOMED, "54993008"), "ivct": (SNOMED, "399051002")}  # fmt: skip
"""Where LOINC has a code of another method alone, such as Doppler, or none."""

_VENTRICLE, _ATRIUM, _ANNULUS = (SNOMED, "87878005"), (SNOMED, "82471001"), (SNOMED, "65197004")
_SITES = {"Left atrium": _ATRIUM, "Annulus": _ANNULUS}

_METHODS = {
    "disks": "method of disks, single plane",
    BIPLANE: "method of disks, biplane",
    "area-length": "area-length method, single plane",
    "area": "areas in place of volumes",
    CLIP_EXTREMES: "largest and smallest volume of the recording",
    AREA_EXTREMES: "largest and smallest area of the recording",
}
_AREAS = ("area", AREA_EXTREMES)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, or the reason why there is none.

    Attributes:
        name: in summary.json.
        label: for people.
        value: to the last digit that summary.json has; None where there is none.
        unit: of summary.json.
        reason: why there is no figure; None where there is one.
        codes: of standard systems, from the general to the particular.
        method: how it was made, in words.
        site: where it is of.
        interval: ends of the 95 % interval; None without.
        spread: standard deviation from beat to beat; None without.
        usual: ends of the usual range, and its source; None without.
        notes: what else a reader must know.
    """

    name: str
    label: str
    value: float | None
    unit: str
    reason: str | None
    codes: tuple[Code, ...] = ()
    method: str | None = None
    site: Code | None = _VENTRICLE
    interval: tuple[float, float] | None = None
    spread: float | None = None
    usual: tuple[float | None, float | None, str] | None = None
    notes: tuple[str, ...] = ()


def figures(result: RecordingResult) -> Iterator[Figure]:
    """All that stand in FHIR. One that summary.json has neither value nor reason of is left out."""
    found, source, views = result.to_dict(), result.provenance, result.two_views
    notes = (*source.notes, *filter(None, [source.spacing_note]), *(views.biplane.doubts if views else ()))
    view = BIPLANE if views else source.view
    yield from _ventricle(result, view, views.biplane.volume_note if views else _no_scale(result), notes)
    for name, label, unit, codes in (
        ("heart_rate_bpm", "Heart rate", "bpm", (HEART_RATE,)),
        ("ecg_heart_rate_bpm", "Heart rate by the ECG on the screen", "bpm", ()),
        ("rr_variation_percent", "Variation of the length of the beats", "%", ()),
        ("fac_percent", "LV fractional area change", "%", (_FAC,)),
    ):
        if found[name] is not None:
            yield Figure(name, label, found[name], unit, None, codes, site=_VENTRICLE if "fac" in name else None)
    for figure in result.figures.measures if views else result.figures.in_view(source.view):
        yield _measured(figure, view)
    if views:
        for name, of in zip(APICAL_VIEWS, (views.a4c, views.a2c), strict=True):
            yield from _ventricle(of, name, _no_scale(of), (), of=f"{name.lower()}.")


def _no_scale(result: RecordingResult) -> str:
    """Why there are no volumes in mL, where there are none."""
    note = result.provenance.spacing_note
    return f"{UNCALIBRATED}: {note}" if note else UNCALIBRATED


def _ventricle(
    result: RecordingResult, view: str | None, no_volumes: str | None, notes: tuple[str, ...], of: str = ""
) -> Iterator[Figure]:
    """EF, EDV and ESV; `of` stands before their names where the result is that of one view of two."""
    found, place = result.to_dict(), f", {view}" if of else ""
    method, reason, told = found["ef_method"], found["ef_reason"], _METHODS.get(result.ef.method, result.ef.method)
    # The extremes of a clip are those of the volumes that its beats would have been made of.
    made_of = result.rolling[-1][1].method if method == CLIP_EXTREMES and result.rolling else method
    disks = view if made_of in ("disks", BIPLANE) else None
    ends, known = (found["ef_low"], found["ef_high"]), found["ef_percent"] is not None
    # Beside a figure the reason says that it is an old one.
    told_of_it = [note for note in (reason, found["ef_calibration"] and CALIBRATED) if note and known]
    yield Figure(
        name=f"{of}ef_percent",
        label=f"LV ejection fraction{' by areas' if method in _AREAS else ''}{place}",
        value=found["ef_percent"],
        unit="%",
        reason=reason or "not known",
        # What is made of areas is no ejection fraction to a system that looks for one.
        codes=(_FAC,) if method in _AREAS else _codes("ef_percent", disks),
        method=told,
        interval=None if None in ends else ends,
        notes=(*told_of_it, *notes),
    )
    for name, label in (("edv", "LV end-diastolic volume"), ("esv", "LV end-systolic volume")):
        in_ml = found["volume_unit"] == "mL"
        if found[name] is not None or not in_ml:
            value = found[name] if in_ml else None
            yield Figure(f"{of}{name}", label + place, value, "mL", no_volumes, _codes(name, disks), told)


def _codes(name: str, view: str | None) -> tuple[Code, ...]:
    """From the general to that of the method of disks in a view; None for another method, or an unknown view."""
    special = _BY_DISKS.get((name, view or ""))
    return (*_GENERAL.get(name, ()), *([(LOINC, special)] if special else []))


def _measured(figure: MeasureFigure, view: str | None) -> Figure:
    """One of the further measures; in pixels it has no figure."""
    found, measure = figure.to_dict(), figure.measure
    known = found["unit"] in UCUM
    # The atrium of two views is that of the A4C.
    codes = _codes(measure.name, "A4C" if view == BIPLANE and measure.group == "Left atrium" else view)
    return Figure(
        name=figure.name,
        label=measure.label,
        value=found["value"] if known else None,
        unit=found["unit"],
        reason=found["reason"] or (UNCALIBRATED if not known else "not known"),
        codes=(*codes, *([_SNOMED[measure.name]] if measure.name in _SNOMED else [])),
        method=measure.source,
        site=_SITES.get(measure.group, _VENTRICLE),
        spread=found["spread"] if known else None,
        usual=(*found["normal"], figure.normal.source) if figure.normal else None,
    )
