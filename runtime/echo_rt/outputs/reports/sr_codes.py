"""The codes of DICOM, LOINC, SNOMED and UCUM for what is measured, by its name in summary.json.

From PS3.16: CID 12300 and 12309 (core measurements), 12302 to 12305 and 12307 (what is measured, where and when),
12227 (methods), 12239 (output). Where no code is known for a measure its name is the code, in the scheme 99ECHORT.
"""

from __future__ import annotations

from typing import NamedTuple

from echo_rt.outputs.reports.identifiers import SCHEME


class Term(NamedTuple):
    """A coded word: value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str


class Facets(NamedTuple):
    """What a measure is of, as TID 5302 puts it: the site, what of it is observed, how, which property and when."""

    site: Term
    observed: Term
    kind: Term
    property: Term | None = None
    cycle: Term | None = None


def private(name: str, meaning: str) -> Term:
    """The code of a measure that has none."""
    return Term(name, SCHEME, meaning)


VENTRICLE = Term("87878005", "SCT", "Left ventricle")
MYOCARDIUM = Term("49848007", "SCT", "Left Ventricle Myocardium")
ATRIUM = Term("82471001", "SCT", "Left atrium")
ANNULUS = Term("65197004", "SCT", "Mitral Annulus")
MEDIAL, LATERAL = Term("399093001", "SCT", "Medial Mitral Annulus"), Term("399086000", "SCT", "Lateral Mitral Annulus")

STRUCTURE = Term("125311", "DCM", "Structure of the Finding Site")
BEHAVIOUR = Term("125312", "DCM", "Behavior of the Finding Site")
FLOW = Term("44324008", "SCT", "Hemodynamic Measurements")

DIRECT, CALCULATED = Term("125316", "DCM", "Directly measured"), Term("125315", "DCM", "Calculated")
CHANGE, INDEXED = Term("125314", "DCM", "Fractional Change"), Term("125313", "DCM", "Indexed")
RATIO = Term("118586006", "SCT", "Ratio")

EJECTION = Term("70822001", "SCT", "Cardiac ejection fraction")
VOLUME, AREA = Term("118565006", "SCT", "Volume"), Term("42798000", "SCT", "Area")
STRAIN = Term("130670", "DCM", "Longitudinal Lagrangian Strain")
INTERVAL, LENGTH = Term("385673002", "SCT", "Interval"), Term("410668003", "SCT", "Length")
STROKE, OUTPUT = Term("90096001", "SCT", "Stroke Volume"), Term("82799009", "SCT", "Cardiac Output")
HEART_RATE = Term("8867-4", "LN", "Heart rate")
EF_BY_ULTRASOUND = Term("18043-0", "LN", "Left Ventricular Ejection Fraction by US")

ED, ES = Term("416190007", "SCT", "End diastole"), Term("416430001", "SCT", "End Systole")
WHOLE_BEAT = Term("125324", "DCM", "Full Cardiac Cycle")

_PLANES = {
    "A4C": ("79993-2", "79999-9", "80004-5", "single plane 4C"),
    "A2C": ("79992-4", "79998-1", "80003-7", "single plane 2C"),
    "biplane": ("79991-6", "79996-5", "80001-1", "biplane"),
}


def volumes_by_disks(plane: str | None) -> dict[str, Term]:
    """The codes of EF, EDV and ESV by the method of disks, all of CID 12300; empty where the plane is not known.

    Args:
        plane: ``A4C``, ``A2C`` or ``biplane``.
    """
    if plane not in _PLANES:
        return {}
    ef, edv, esv, words = _PLANES[plane]
    return {
        "ef": Term(ef, "LN", f"Left ventricular ejection fraction {words} (MOD)"),
        "edv": Term(edv, "LN", f"Left ventricular end diastolic volume {words} (MOD)"),
        "esv": Term(esv, "LN", f"Left ventricular end systolic volume {words} (MOD)"),
    }


BIPLANE_INDICES = {
    "edvi": Term("79997-3", "LN", "Left ventricular end diastolic volume biplane (MOD) / BSA"),
    "esvi": Term("80002-9", "LN", "Left ventricular end systolic volume biplane (MOD) / BSA"),
}
"""Of the biplane volumes alone."""

ATRIUM_BY_DISKS = {
    "A4C": Term("79986-6", "LN", "Left atrial end systolic volume single plane 4C (MOD)"),
    "A2C": Term("79985-8", "LN", "Left atrial end systolic volume single plane 2C (MOD)"),
}
"""The largest volume, `lav_max`, which is taken at the ventricle's ES."""

CORE_STRAIN = {
    "ls_a4c": Term("130687", "DCM", "LV End-systolic GLS 4CH (Endocardial)"),
    "ls_a2c": Term("130688", "DCM", "LV End-systolic GLS 2CH (Endocardial)"),
}
"""Of one view, by the endocardium, from ED to ES: what Voigt et al. 2015 define is what CID 12309 names."""

CODED = {
    "sv": STROKE,
    "svi": Term("277381004", "SCT", "Stroke Index"),
    "co": OUTPUT,
    "ci": Term("54993008", "SCT", "Cardiac Index"),
    "wmsi": Term("125202", "DCM", "LV Wall Motion Score Index"),
}
"""Measures whose name has a code, outside of CID 12300."""

METHODS = {
    "disks": Term("125208", "DCM", "Method of Disks, Single Plane"),
    "biplane": Term("125207", "DCM", "Method of Disks, Biplane"),
    "area-length": Term("125205", "DCM", "Area-Length Single Plane"),
    "area": Term("125220", "DCM", "Planimetry"),
}
"""By `echo_rt.reading.EF_METHODS`."""

VIEWS = {"A4C": Term("399214001", "SCT", "Apical four chamber"), "A2C": Term("399232001", "SCT", "Apical two chamber")}
MEAN, MEDIAN = Term("373098007", "SCT", "Mean"), Term("373099004", "SCT", "Median")

UNITS = {
    "%": Term("%", "UCUM", "percent"),
    "1/s": Term("/s", "UCUM", "/s"),
    "L/min": Term("l/min", "UCUM", "l/min"),
    "L/min/m²": Term("l/min/m2", "UCUM", "l/min/m2"),
    "bpm": Term("{H.B.}/min", "UCUM", "BPM"),
    "cm/s": Term("cm/s", "UCUM", "cm/s"),
    "mL": Term("ml", "UCUM", "ml"),
    "mL/m²": Term("ml/m2", "UCUM", "ml/m2"),
    "mm": Term("mm", "UCUM", "mm"),
    "ms": Term("ms", "UCUM", "ms"),
    "px": Term("{px}", "UCUM", "pixels"),
    "px3": Term("{px3}", "UCUM", "cubic pixels"),
    "": Term("1", "UCUM", "no units"),
}

_PEAK = Term("125330", "DCM", "Peak Tissue Velocity")
_EXCURSION = Term("125327", "DCM", "Excursion Distance")
_FLOW_RATE = Term("34141-2", "LN", "Peak Instantaneous Flow Rate")
_WAVES = {
    "mapse": (_EXCURSION, Term("111973004", "SCT", "Systole")),
    "s_prime": (_PEAK, Term("444371003", "SCT", "Ventricular Ejection (S-wave)")),
    "e_prime": (_PEAK, Term("444392003", "SCT", "Diastolic Rapid Inflow (E-wave)")),
    "a_prime": (_PEAK, Term("59972007", "SCT", "Atrial Systole (A-wave)")),
}
_ENDS = {"septal": MEDIAL, "lateral": LATERAL, "inferior": ANNULUS, "anterior": ANNULUS}

_FACETS = {
    "ef": Facets(VENTRICLE, BEHAVIOUR, CHANGE, EJECTION, WHOLE_BEAT),
    "edv": Facets(VENTRICLE, STRUCTURE, DIRECT, VOLUME, ED),
    "esv": Facets(VENTRICLE, STRUCTURE, DIRECT, VOLUME, ES),
    "fac": Facets(VENTRICLE, BEHAVIOUR, CHANGE, AREA, WHOLE_BEAT),
    "heart_rate": Facets(VENTRICLE, FLOW, CALCULATED, HEART_RATE, WHOLE_BEAT),
    "ls": Facets(MYOCARDIUM, BEHAVIOUR, CALCULATED, STRAIN, ES),
    "sphericity": Facets(VENTRICLE, STRUCTURE, RATIO, LENGTH, ED),
    "rwt": Facets(MYOCARDIUM, STRUCTURE, RATIO, Term("59089-3", "LN", "Thickness"), ED),
    "wmsi": Facets(MYOCARDIUM, BEHAVIOUR, CALCULATED, CODED["wmsi"], WHOLE_BEAT),
    "sv": Facets(VENTRICLE, FLOW, CALCULATED, STROKE, WHOLE_BEAT),
    "co": Facets(VENTRICLE, FLOW, CALCULATED, OUTPUT, WHOLE_BEAT),
    "svi": Facets(VENTRICLE, FLOW, INDEXED, STROKE, WHOLE_BEAT),
    "ci": Facets(VENTRICLE, FLOW, INDEXED, OUTPUT, WHOLE_BEAT),
    "edvi": Facets(VENTRICLE, STRUCTURE, INDEXED, VOLUME, ED),
    "esvi": Facets(VENTRICLE, STRUCTURE, INDEXED, VOLUME, ES),
    "lavi": Facets(ATRIUM, STRUCTURE, INDEXED, VOLUME, ES),
    "lav": Facets(ATRIUM, STRUCTURE, DIRECT, VOLUME),
    "lav_max": Facets(ATRIUM, STRUCTURE, DIRECT, VOLUME, ES),
    "lav_min": Facets(ATRIUM, STRUCTURE, DIRECT, VOLUME, ED),
    "la_emptying": Facets(ATRIUM, BEHAVIOUR, CHANGE, VOLUME),
    "la": Facets(ATRIUM, BEHAVIOUR, CALCULATED, VOLUME),
    "per": Facets(VENTRICLE, FLOW, CALCULATED, _FLOW_RATE, Term("111973004", "SCT", "Systole")),
    "pfr": Facets(VENTRICLE, FLOW, CALCULATED, _FLOW_RATE, Term("90892000", "SCT", "Diastole")),
    "time": Facets(VENTRICLE, FLOW, DIRECT, INTERVAL),
    "et": Facets(VENTRICLE, FLOW, DIRECT, INTERVAL, Term("444371003", "SCT", "Ventricular Ejection (S-wave)")),
    "ivct": Facets(VENTRICLE, FLOW, DIRECT, INTERVAL, Term("444379001", "SCT", "Ventricular Isovolumic Contraction")),
    "ivrt": Facets(VENTRICLE, FLOW, DIRECT, INTERVAL, Term("444361000", "SCT", "Ventricular Isovolumic Relaxation")),
    "filling_time": Facets(VENTRICLE, FLOW, RATIO, INTERVAL),
}


def facets(name: str) -> Facets:
    """Of the measure of that name, by the longest beginning of it that is known; any other is one of the ventricle."""
    parts = name.split("_")
    for length in range(len(parts), 0, -1):
        start = "_".join(parts[:length])
        if start in _WAVES:
            found, cycle = _WAVES[start]
            return Facets(_ENDS.get(parts[-1], ANNULUS), BEHAVIOUR, DIRECT, found, cycle)
        if start in _FACETS:
            return _FACETS[start]
    return Facets(VENTRICLE, BEHAVIOUR, CALCULATED)
