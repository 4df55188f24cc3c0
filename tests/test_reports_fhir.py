"""report.fhir.json is valid FHIR, says what summary.json says, and names nobody."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle

from echo_rt import Body, process
from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.chambers import Scale
from echo_rt.measures import MeasureFigure, Rolling
from echo_rt.outputs import as_json
from echo_rt.outputs.reports.fhir import RESEARCH, bundle
from echo_rt.outputs.reports.fhir_figures import LOINC, SNOMED
from echo_rt.phantom import open_phantom
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.reading import AREA_EXTREMES, CLIP_EXTREMES
from echo_rt.result import ClipExtremes, ClipFigures, RecordingResult
from support.hearts import A2C, A4C, Traced
from support.printed import OWN
from support.results import provenance, result_of
from support.synthetic import clip

PATIENT = {
    "PatientName": "Doe^Jane", "PatientID": "MRN-4711", "PatientBirthDate": "19500102", "AccessionNumber": "ACC-0815",
    "OtherPatientNames": "Roe^Jane", "InstitutionName": "St Elsewhere", "ReferringPhysicianName": "House^G",
}  # fmt: skip


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the two views of a patient, from two DICOM files of one study: folders of their names."""
    root = tmp_path_factory.mktemp("heart")
    paths = [root / "a4c.dcm", root / "a2c.dcm"]
    for uri, path in zip((A4C, A2C), paths, strict=True):
        write_dicom(open_phantom(uri), path)
        data = pydicom.dcmread(path)
        data.update(PATIENT)
        data.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{len(path.stem)}.{uri.count('A2C')}"
        data.AcquisitionDateTime, data.TimezoneOffsetFromUTC = "20240517101112.250", "+0200"
        data.save_as(path)
    engine = Traced(A4C, A2C)
    process(paths[0], engine, a2c=paths[1], out=root / "out", overlay=False, reports=("fhir",), body=Body(170, 70))
    return root / "out"


def checked(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The Observations of a Bundle by their own code, once the official model has taken all of it."""
    text = as_json(found)
    Bundle.model_validate_json(text)
    resources = [entry["resource"] for entry in json.loads(text)["entry"]]
    assert [resource["resourceType"] for resource in resources[:2]] == ["Device", "Observation"]
    return {own_code(resource): resource for resource in resources[1:]}


def own_code(observation: dict[str, Any]) -> str:
    (code,) = codes_of(observation, OWN)
    return code


def codes_of(observation: dict[str, Any], system: str) -> list[str]:
    return [code["code"] for code in observation["code"]["coding"] if code["system"] == system]


def read(folder: Path) -> dict[str, dict[str, Any]]:
    return checked(json.loads((folder / "report.fhir.json").read_text(encoding="utf-8")))


def test_two_views_have_the_codes_of_the_biplane_method_and_each_view_its_own(views: Path) -> None:
    found = read(views / "a4c.dcm")
    assert codes_of(found["ef_percent"], LOINC) == ["10230-1", "18043-0", "79991-6"]
    assert codes_of(found["a4c.ef_percent"], LOINC) == ["10230-1", "18043-0", "79993-2"]
    assert codes_of(found["a2c.ef_percent"], LOINC) == ["10230-1", "18043-0", "79992-4"]
    assert codes_of(found["edv"], LOINC) == ["18026-5", "79996-5"]
    assert codes_of(found["a2c.esv"], LOINC) == ["18148-7", "80003-7"]
    assert codes_of(found["edvi_ml_m2"], LOINC) == ["79997-3"]
    assert codes_of(found["lav_max_ml"], LOINC) == ["79986-6"]
    assert codes_of(found["sv_ml"], SNOMED) == ["90096001"]
    assert found["sv_ml"]["valueQuantity"]["code"] == "mL"
    assert codes_of(read(views / "a2c.dcm")["ef_percent"], LOINC) == ["10230-1", "18043-0", "79992-4"]


def test_every_measure_of_the_summary_has_its_observation_with_the_figure_or_its_reason(views: Path) -> None:
    summary = json.loads((views / "a4c.dcm" / "summary.json").read_text())
    found = read(views / "a4c.dcm")
    assert found.keys() >= summary["measures"].keys()
    absent = 0
    for name, measure in summary["measures"].items():
        if measure["value"] is None:
            assert "valueQuantity" not in found[name]
            assert found[name]["dataAbsentReason"]["text"] == measure["reason"]
            absent += 1
        else:
            assert found[name]["valueQuantity"]["value"] == measure["value"]
            assert "dataAbsentReason" not in found[name]
    assert 0 < absent < len(summary["measures"])


def test_a_single_view_has_no_observation_of_what_belongs_to_the_other(views: Path) -> None:
    found = read(views / "a2c.dcm")
    assert {"ls_a2c_percent", "mapse_inferior_mm"} <= found.keys()
    assert not {"ls_a4c_percent", "mapse_septal_mm"} & found.keys()


def test_the_interval_and_the_usual_range_stand_where_fhir_has_them(views: Path) -> None:
    summary = json.loads((views / "a4c.dcm" / "summary.json").read_text())
    found = read(views / "a4c.dcm")
    (interval,) = found["ef_percent"]["component"]
    assert interval["code"]["coding"][0]["code"] == "CI"
    ends = interval["valueRange"]["low"]["value"], interval["valueRange"]["high"]["value"]
    assert ends == (summary["ef_low"], summary["ef_high"])
    assert "referenceRange" not in found["ef_percent"]
    (usual,) = found["edvi_ml_m2"]["referenceRange"]
    assert [usual["low"]["value"], usual["high"]["value"]] == summary["measures"]["edvi_ml_m2"]["normal"]


def test_the_heart_rate_keeps_to_the_profile_of_vital_signs(views: Path) -> None:
    rate = read(views / "a4c.dcm")["heart_rate_bpm"]
    assert "vital-signs" in [category["coding"][0]["code"] for category in rate["category"]]
    assert rate["code"]["coding"][0] == {"system": LOINC, "code": "8867-4"}
    assert rate["valueQuantity"]["code"] == "/min"
    assert rate["subject"]
    assert rate["effectiveDateTime"]


def test_the_study_is_told_by_its_uid_and_the_patient_not_at_all(views: Path) -> None:
    text = (views / "a4c.dcm" / "report.fhir.json").read_text()
    for said in (*PATIENT.values(), "4711", "Doe", "Jane", "a4c.dcm", str(views)):
        assert said not in text
    for observation in read(views / "a4c.dcm").values():
        assert observation["subject"].keys() == {"extension", "type"}
        assert observation["subject"]["extension"][0]["valueCode"] == "masked"
        assert [source["identifier"]["value"] for source in observation["derivedFrom"]] == [
            "urn:oid:1.2.826.0.1.3680043.8.498.1", "urn:oid:1.2.3.3.0", "urn:oid:1.2.3.3.1",
        ]  # fmt: skip
        assert observation["effectiveDateTime"] == "2024-05-17T10:11:12+02:00"


def test_every_observation_says_that_it_is_for_research_and_what_made_it(views: Path) -> None:
    whole = json.loads((views / "a4c.dcm" / "report.fhir.json").read_text())
    device = whole["entry"][0]
    versions = {version["type"]["text"]: version["value"] for version in device["resource"]["version"]}
    assert versions["model"] == "toy 1"
    assert versions["echo-rt"] == json.loads((views / "a4c.dcm" / "summary.json").read_text())["version"]
    for observation in read(views / "a4c.dcm").values():
        assert observation["device"] == {"reference": device["fullUrl"]}
        assert observation["note"][0] == {"text": RESEARCH}
        assert observation["status"] == "preliminary"
    addresses = [entry["fullUrl"] for entry in whole["entry"]]
    assert len(set(addresses)) == len(addresses)


def test_the_real_cine_has_an_ef_by_its_view_and_no_interval(cine: Path, tmp_path: Path) -> None:
    result = process(cine, out=tmp_path, name="cine", overlay=False, reports=("fhir",))
    found = read(tmp_path / "cine")
    assert found["ef_percent"]["valueQuantity"]["value"] == result.to_dict()["ef_percent"]
    assert codes_of(found["ef_percent"], LOINC) == ["10230-1", "18043-0", "79993-2"]
    assert "component" not in found["ef_percent"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(T.*)?", found["edv"]["effectiveDateTime"])


def test_without_an_ef_there_is_its_reason_and_no_number() -> None:
    result = result_of(clip(20, beats_found=False), ClipFigures(reason="the volume hardly changes"))
    found = checked(bundle(result))
    assert found.keys() == {"ef_percent"}
    ef = found["ef_percent"]
    assert ef["dataAbsentReason"]["text"] == "the volume hardly changes"
    assert ef["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not {"valueQuantity", "component", "referenceRange"} & ef.keys()
    assert checked(bundle(result_of()))["ef_percent"]["dataAbsentReason"]["text"] == "no frames"


def test_without_a_scale_nothing_is_given_in_pixels() -> None:
    mapse, rate = (next(measure for measure in MEASURES if measure.name == name) for name in ("mapse_septal", "pfr"))
    figures = Rolling(measures=(MeasureFigure(mapse, Scale.PX, 7.2, spread=0.1), MeasureFigure(rate, Scale.PX, 2.5)))
    source = provenance(spacing_note="the file does not say")
    found = checked(bundle(replace(result_of(clip(75, spacing_mm=None), source=source), figures=figures)))
    for name in ("edv", "esv", "mapse_septal_px"):
        assert not {"valueQuantity", "component", "referenceRange"} & found[name].keys()
        assert found[name]["dataAbsentReason"]["text"].startswith("the scale is not known")
    assert found["edv"]["dataAbsentReason"]["text"].endswith("the file does not say")
    assert found["ef_percent"]["valueQuantity"]["value"] > 50
    assert found["pfr_per_s"]["valueQuantity"]["value"] == 2.5


def extremes_of(method: str) -> RecordingResult:
    found = ClipExtremes(0.1, 0.4, 100.0, 45.0, 30.0, 20.0, 33.3, 33.3, method)
    return result_of(clip(20, beats_found=False), ClipFigures(found))


def test_what_is_made_of_areas_is_no_ejection_fraction_to_a_system_that_looks_for_one() -> None:
    assert codes_of(checked(bundle(extremes_of(CLIP_EXTREMES)))["ef_percent"], LOINC)
    assert codes_of(checked(bundle(extremes_of(AREA_EXTREMES)))["ef_percent"], LOINC) == []


@pytest.mark.parametrize("view", [None, "A4C"])
def test_a_view_that_is_not_known_has_no_code(view: str | None) -> None:
    found = checked(bundle(result_of(clip(75), source=provenance(view))))
    assert ("79993-2" in codes_of(found["ef_percent"], LOINC)) == (view is not None)


def test_an_old_figure_says_so() -> None:
    result = result_of(clip(75))
    old = replace(result, ef=replace(result.ef, stale=True, reason="the last good beat was 4 s ago"))
    assert {"text": "the last good beat was 4 s ago"} in checked(bundle(old))["ef_percent"]["note"]


def test_a_calibrated_ef_says_that_it_is_not_that_of_the_volumes() -> None:
    plain, line = (
        checked(bundle(result_of(clip(75), source=provenance(ef_calibration=c)))) for c in (None, (0.9, 5.0))
    )
    assert [len(found["ef_percent"]["note"]) for found in (plain, line)] == [1, 2]
    assert "calibrated" in line["ef_percent"]["note"][1]["text"]


def test_the_same_result_is_the_same_file_and_another_model_another_resource() -> None:
    one, same = (as_json(bundle(result_of(clip(75)))) for _ in range(2))
    assert one == same
    other = as_json(bundle(result_of(clip(75), source=replace(provenance(), model="toy 2"))))
    addresses = [set(re.findall('"fullUrl": "(.*)"', text)) for text in (one, other)]
    assert addresses[0].isdisjoint(addresses[1])


def test_hostile_names_do_no_harm_and_a_path_is_not_told() -> None:
    source = provenance()
    hostile = replace(
        source,
        recording='Doe^Jane "<b>\n\udcff.dcm',
        model="\x00 \x1b[2J\udcff toy \u202e",
        notes=("a\x00b\udcff", " "),
    )
    found = bundle(result_of(clip(75), source=hostile))
    checked(found)
    text = as_json(found)
    text.encode("utf-8")
    assert "Doe" not in text
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    assert not any(re.search(r"[\x00-\x1f\ud800-\udfff\u202e]", said) for said in strings(json.loads(text)))


def strings(found: Any) -> list[str]:
    if isinstance(found, dict | list):
        return [text for part in (found.values() if isinstance(found, dict) else found) for text in strings(part)]
    return [found] if isinstance(found, str) else []
