"""The codes and units of report.fhir.json are those of LOINC, SNOMED CT and UCUM, by tables that others wrote."""

from __future__ import annotations

import re

from pydicom.sr.codedict import codes

from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.outputs.reports import fhir_figures
from echo_rt.outputs.reports.fhir_figures import UCUM

ATOMS = r"(?:%|1|[mcdk]?(?:m|s|L|g)|min)[0-9]?"


def test_every_unit_is_written_in_ucum() -> None:
    assert {measure.unit for measure in MEASURES} <= UCUM.keys()
    for unit, code in UCUM.items():
        assert re.fullmatch(rf"/?{ATOMS}(?:[./]{ATOMS})*", code), code
        assert code == (unit.replace("1/", "/").replace("²", "2").replace("bpm", "/min") or "1")


WORDS = {"ef_percent": "ejection fraction", "edv": "end diastolic volume", "esv": "end systolic volume",
         "edvi": "/ BSA", "esvi": "/ BSA", "lav_max": "atrial end systolic volume"}  # fmt: skip
VIEWS = {"A4C": "single plane 4C (MOD)", "A2C": "single plane 2C (MOD)", "biplane": "biplane (MOD)"}


def meanings(*groups: int) -> dict[str, set[str]]:
    """What DICOM calls the codes of some context groups, by pydicom's table."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for code in getattr(codes, f"cid{group}").concepts.values():
            found.setdefault(code.value, set()).add(code.meaning)
    return found


def test_a_code_of_a_view_is_that_of_dicom_for_this_figure_and_view() -> None:
    known = meanings(12300)
    for (name, view), code in fhir_figures._BY_DISKS.items():
        (meaning,) = known[code]
        assert WORDS[name] in meaning
        assert VIEWS[view] in meaning
        assert ("BSA" in meaning) == (name in ("edvi", "esvi"))


GENERAL = {
    "18043-0": "Left Ventricular Ejection Fraction by US", "18026-5": "Left Ventricular End Diastolic Volume",
    "18148-7": "Left Ventricular End Systolic Volume", "8867-4": "Heart rate",
    "399287000": "Left Ventricular Fractional Area Change", "90096001": "Stroke Volume", "82799009": "Cardiac Output",
    "277381004": "Stroke Index", "54993008": "Cardiac Index",
    "399051002": "Left Ventricular Isovolumic Contraction Time", "87878005": "Left ventricle",
    "82471001": "Left atrium", "65197004": "Mitral Annulus",
}  # fmt: skip


def test_every_other_code_is_that_of_dicom_for_what_it_stands_for() -> None:
    known = meanings(4, 12200, 12202, 12203, 12239, 12305)
    for code, meaning in GENERAL.items():
        assert meaning in known[code]
    used = {code for many in fhir_figures._GENERAL.values() for _, code in many}
    used |= {code for _, code in (*fhir_figures._SNOMED.values(), fhir_figures.HEART_RATE)}
    used |= {code for _, code in (fhir_figures._VENTRICLE, fhir_figures._ATRIUM, fhir_figures._ANNULUS)}
    # LOINC 10230-1 is the EF by any method (https://loinc.org/10230-1); DICOM has no such code.
    assert used == GENERAL.keys() | {"10230-1"}
