"""report.fhir.json: the figures of a recording as FHIR R4 Observations, in a Bundle with the Device that made them.

The file names no patient: the subject of every Observation is a patient whose identity is withheld, and the study is
told by its UID. Whoever may see the study finds the patient there. Nothing in it depends on when it was written.
"""

from __future__ import annotations

import uuid
from typing import Any

from echo_rt.errors import output_errors, printable
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.reports.fhir_figures import HEART_RATE, OWN, UCUM, Code, Figure, figures
from echo_rt.outputs.reports.study import Study
from echo_rt.outputs.summary import as_json
from echo_rt.result import RecordingResult

RESEARCH = "For research. Not a medical device."

_HL7 = "http://terminology.hl7.org/CodeSystem"
_UNITS = "http://unitsofmeasure.org"
_CATEGORY, _PRECISION = f"{_HL7}/observation-category", f"{_HL7}/precision-estimate-type"
_ABSENT, _USUAL = f"{_HL7}/data-absent-reason", f"{_HL7}/referencerange-meaning"
_ABSENT_HERE = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:echo-rt")

_Json = dict[str, Any]


class FhirOutput(FileOutput):
    """Writes a Bundle of the type ``collection``.

    Raises:
        OutputError: the file cannot be written.
    """

    def finish(self, result: RecordingResult) -> None:
        with output_errors(self.path):
            self.path.write_text(as_json(bundle(result)), encoding="utf-8")


def bundle(result: RecordingResult) -> _Json:
    """The Bundle: the Device first, then an Observation for each of `figures`, EF the first of them."""
    views = [result] if result.two_views is None else [result.two_views.a4c, result.two_views.a2c]
    studies = [Study.of(view.provenance.recording) for view in views]
    source = result.provenance
    of = studies[0].instance_uid or source.recording_id
    device = _urn(f"device {source.version} {source.model} {source.engine}")
    shared = {
        "subject": _subject(studies[0]),
        **_effective(studies[0]),
        "device": {"reference": device},
        "derivedFrom": _derived_from(views, studies),
    }
    entries = [{"fullUrl": device, "resource": _device(result)}]
    for figure in figures(result):
        named = f"{of} {source.version} {source.model} {figure.name}"
        entries.append({"fullUrl": _urn(named), "resource": _observation(figure, shared)})
    whole = {"system": "urn:ietf:rfc:3986", "value": _urn(f"{of} {source.version} {source.model}")}
    return {"resourceType": "Bundle", "identifier": whole, "type": "collection", "entry": entries}


def _device(result: RecordingResult) -> _Json:
    source = result.provenance
    parts = (("echo-rt", source.version), ("model", source.model), ("engine", source.engine))
    return {
        "resourceType": "Device",
        "status": "active",
        "deviceName": [{"name": "echo-rt", "type": "model-name"}],
        "type": {"text": "software that measures the left ventricle in an ultrasound recording"},
        "version": [{"type": {"text": part}, "value": _words(which)} for part, which in parts if _words(which)],
        "note": [{"text": RESEARCH}],
    }


def _observation(figure: Figure, shared: _Json) -> _Json:
    heart_rate = HEART_RATE in figure.codes
    # FHIR's profile of vital signs holds for every heart rate.
    categories = ["vital-signs", "imaging"] if heart_rate else ["imaging"]
    own = [*figure.codes, (OWN, figure.name)]
    found: _Json = {
        "resourceType": "Observation",
        # Nobody has looked at it yet.
        "status": "preliminary",
        "category": [{"coding": [_coding((_CATEGORY, name))]} for name in categories],
        "code": {"coding": [_coding(code) for code in own], "text": figure.label},
        **shared,
    }
    if figure.value is not None:
        found["valueQuantity"] = _quantity(figure.value, figure.unit)
    else:
        found["dataAbsentReason"] = {"coding": [_coding((_ABSENT, "unknown"))], "text": _words(figure.reason)}
    found["note"] = [{"text": text} for text in (RESEARCH, *map(_words, figure.notes)) if text]
    if figure.site is not None:
        found["bodySite"] = {"coding": [_coding(figure.site)]}
    if figure.method:
        found["method"] = {"text": figure.method}
    if figure.value is not None and figure.usual is not None:
        found["referenceRange"] = [_usual(figure)]
    if figure.value is not None and (components := _components(figure)):
        found["component"] = components
    return found


def _components(figure: Figure) -> list[_Json]:
    """How sure the figure is: its 95 % interval, and how it varies from beat to beat."""
    found: list[_Json] = []
    if figure.interval is not None:
        ends = zip(("low", "high"), figure.interval, strict=True)
        found.append(
            {
                "code": {"coding": [_coding((_PRECISION, "CI"))], "text": "95 % interval"},
                "valueRange": {end: _quantity(value, figure.unit) for end, value in ends},
            }
        )
    if figure.spread is not None:
        found.append(
            {
                "code": {"coding": [_coding((_PRECISION, "SD"))], "text": "standard deviation from beat to beat"},
                "valueQuantity": _quantity(figure.spread, figure.unit),
            }
        )
    return found


def _usual(figure: Figure) -> _Json:
    assert figure.usual is not None
    low, high, source = figure.usual
    ends = {end: _quantity(value, figure.unit) for end, value in (("low", low), ("high", high)) if value is not None}
    return {**ends, "type": {"coding": [_coding((_USUAL, "normal"))]}, "text": f"healthy adults: {source}"}


def _subject(study: Study) -> _Json:
    """A patient of whom nothing is told: the study leads to who that is, for those who may see it."""
    why = "unknown" if study.study_uid is None else "masked"
    return {"extension": [{"url": _ABSENT_HERE, "valueCode": why}], "type": "Patient"}


def _effective(study: Study) -> _Json:
    if study.acquired is not None:
        return {"effectiveDateTime": study.acquired}
    return {"_effectiveDateTime": {"extension": [{"url": _ABSENT_HERE, "valueCode": "unknown"}]}}


def _derived_from(views: list[RecordingResult], studies: list[Study]) -> list[_Json]:
    """The studies, each once, and the recordings: by their UID, else by the `recording_id` of summary.json."""
    uids = dict.fromkeys(study.study_uid for study in studies if study.study_uid is not None)
    found = [_elsewhere("ImagingStudy", "urn:dicom:uid", f"urn:oid:{uid}") for uid in uids]
    for view, study in zip(views, studies, strict=True):
        if study.instance_uid is not None:
            found.append(_elsewhere("Media", "urn:dicom:uid", f"urn:oid:{study.instance_uid}"))
        else:
            found.append(_elsewhere("Media", "urn:echo-rt:recording", view.provenance.recording_id))
    return found


def _elsewhere(kind: str, system: str, value: str) -> _Json:
    """A reference by identifier to what is not in the Bundle."""
    return {"type": kind, "identifier": {"system": system, "value": value}}


def _coding(code: Code) -> _Json:
    return {"system": code[0], "code": code[1]}


def _quantity(value: float, unit: str) -> _Json:
    named = {"unit": unit} if unit else {}
    return {"value": value, **named, "system": _UNITS, "code": UCUM[unit]}


def _words(text: str | None) -> str:
    """Text as FHIR takes it: without control characters, and without blanks around it."""
    return printable(text or "").strip()


def _urn(name: str) -> str:
    """The same for the same name."""
    return f"urn:uuid:{uuid.uuid5(_NAMES, printable(name))}"
