"""The numbers of a report, as it prints them, under the names that they have in summary.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OWN = "urn:echo-rt:measure"

AT_TOP = "ef_percent edv esv heart_rate_bpm ecg_heart_rate_bpm rr_variation_percent fac_percent".split()
"""Figures of summary.json that are not under `measures`."""


def summary_numbers(path: Path) -> dict[str, str]:
    """Every number of a summary.json by its place, such as ``measures.sv_ml.value``, as it stands there."""
    return dict(_leaves("", exact_json(path)))


def exact_json(path: Path) -> Any:
    """A JSON file whose numbers are the text that stands there, marked as numbers."""
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Printed, parse_int=Printed)


class Printed(str):
    """A number as it is printed."""


def _leaves(place: str, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, Printed):
        yield place, found
    elif isinstance(found, dict | list):
        for name, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from _leaves(f"{place}.{name}" if place else str(name), value)


def fhir_numbers(path: Path) -> dict[str, str]:
    """Those of report.fhir.json; it fails where a quantity stands in none of the places that are looked at."""
    found: dict[str, str] = {}
    whole = exact_json(path)
    for entry in whole["entry"][1:]:
        found |= _of_observation(entry["resource"])
    assert len(found) == len(list(_leaves("", whole)))
    return found


def _of_observation(observation: dict[str, Any]) -> dict[str, str]:
    (name,) = [code["code"] for code in observation["code"]["coding"] if code["system"] == OWN]
    ef, measure = name.removesuffix("_percent"), f"measures.{name}"
    further = name not in AT_TOP and not name.startswith(("a4c.", "a2c."))
    found = {}
    if "valueQuantity" in observation:
        found[f"{measure}.value" if further else name] = observation["valueQuantity"]["value"]
    for component in observation.get("component", []):
        if component["code"]["coding"][0]["code"] == "CI":
            for end in ("low", "high"):
                found[f"{ef}_{end}"] = component["valueRange"][end]["value"]
        else:
            found[f"{measure}.spread"] = component["valueQuantity"]["value"]
    for usual in observation.get("referenceRange", []):
        for number, end in enumerate(("low", "high")):
            if end in usual:
                found[f"{measure}.normal.{number}"] = usual[end]["value"]
    return found


NUMBERS_IN: dict[str, Callable[[Path], dict[str, str]]] = {
    "fhir": fhir_numbers,
}
"""By kind of report, what reads its numbers. A new report adds its line here."""

COMPARED_IN = {
    "html": "test_report_page.py",
    "pdf": "test_report_page.py",
    "sr": "test_reports_dicom.py",
    "sr1500": "test_reports_dicom.py",
}
"""Where the numbers of the other reports are compared. The PDF is the page, printed."""

NO_NUMBERS = {"seg", "labelmap"}
"""Reports that show no figure."""
