"""DICOM structured reports: what they say, of whom, and whether those who did not write them can read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.examples import get_path

from echo_rt import process
from echo_rt.outputs.reports import REPORTS
from echo_rt.phantom import open_phantom
from echo_rt.phantom.dicom_file import write_dicom
from support.dicom_reports import (
    as_enhanced,
    check_by_dicom_validator,
    errors_of_dciodvfy,
    errors_of_dsrdump,
    frames_of,
    items,
    numbers,
    texts,
)

KINDS = ("sr", "sr1500")
SOURCES = ("phantom", "ybr_color", "two")

HEART = "width=160&height=120&fps=25&seconds=3&variety=0"

WHERE = {
    "18043-0": "ef_percent",
    "79993-2": "ef_percent",
    "79992-4": "ef_percent",
    "79991-6": "ef_percent",
    "ef_area": "ef_percent",
    "ef_low": "ef_low",
    "ef_high": "ef_high",
    **dict.fromkeys(("79999-9", "79998-1", "79996-5", "edv_ml", "edv_px3"), "edv"),
    **dict.fromkeys(("80004-5", "80003-7", "80001-1", "esv_ml", "esv_px3"), "esv"),
    "8867-4": "heart_rate_bpm",
    "fac": "fac_percent",
}
"""By the code of a number, its name in summary.json."""

MEASURES = {
    "130687": "ls_a4c", "130688": "ls_a2c", "79986-6": "lav_max", "79985-8": "lav_max", "90096001": "sv",
    "277381004": "svi", "82799009": "co", "54993008": "ci", "125202": "wmsi", "79997-3": "edvi", "80002-9": "esvi",
}  # fmt: skip
"""By the code of a further measure its name without the unit; any other has its name for a code."""


@dataclass(frozen=True)
class Made:
    """The files of one recording."""

    folder: Path
    source: Path

    def report(self, kind: str) -> Path:
        return self.folder / REPORTS[kind].file

    def read(self, kind: str) -> Dataset:
        return pydicom.dcmread(self.report(kind))

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """The phantom's DICOM, pydicom's cine, and two views of one study."""
    folder = tmp_path_factory.mktemp("reports")
    paths = [folder / "a4c.dcm", folder / "a2c.dcm"]
    for path, uri in zip(paths, (f"phantom:?seed=4&{HEART}", f"phantom:?seed=9&named=A2C&{HEART}"), strict=True):
        write_dicom(open_phantom(uri), path)
    other, own = map(pydicom.dcmread, paths)
    own.PatientID, own.StudyInstanceUID = other.PatientID, other.StudyInstanceUID
    own.save_as(paths[1])
    cine = Path(get_path("ybr_color"))
    for name, source, second in (("phantom", paths[0], None), ("ybr_color", cine, None), ("two", *paths)):
        process(source, a2c=second, out=folder, name=name, overlay=False, reports=KINDS)
    return {name: Made(folder / name, cine if name == "ybr_color" else paths[0]) for name in SOURCES}


def in_summary(code: str, summary: dict[str, Any]) -> list[Any]:
    """Every number of summary.json that the one of that code may be."""
    views = [summary, *(summary[view] for view in ("a4c", "a2c") if view in summary)]
    if code in WHERE:
        return [view[WHERE[code]] for view in views]
    name = MEASURES.get(code, code)
    told = summary["measures"]
    (key,) = {key for key in told if key == name or key.removeprefix(f"{name}_") in UNITS}
    return [told[key]["value"]]


UNITS = {"percent", "per_s", "l_min", "l_min_m2", "bpm", "cm_s", "ml", "ml_m2", "mm", "ms", "px"}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_that_of_the_summary_to_the_last_digit(made: dict[str, Made], kind: str, name: str) -> None:
    summary = made[name].summary
    found = numbers(made[name].read(kind))
    assert len(found) >= (3 if name == "ybr_color" else 15)
    for code, number, _, _ in found:
        assert number in [json.dumps(value) for value in in_summary(code, summary)], code
    codes = [code for code, *_ in found]
    known = [name for name, told in summary["measures"].items() if told["value"] is not None]
    assert len(set(codes) - WHERE.keys()) == len(known), "every further measure is said"


def test_ef_and_volumes_have_the_codes_of_their_view(made: dict[str, Made]) -> None:
    for kind in KINDS:
        single = {code: number for code, number, *_ in numbers(made["phantom"].read(kind))}
        assert {"79993-2", "79999-9", "80004-5", "8867-4"} <= single.keys()
        summary = made["phantom"].summary
        assert [float(single[code]) for code in ("79993-2", "79999-9")] == [summary["ef_percent"], summary["edv"]]
        both = {code: float(number) for code, number, *_ in numbers(made["two"].read(kind))}
        summary = made["two"].summary
        views = (summary, "79991-6", "80001-1"), (summary["a4c"], "79993-2", "80004-5"), (
            summary["a2c"], "79992-4", "80003-7",
        )  # fmt: skip
        for told, ef, esv in views:
            assert (both[ef], both[esv]) == (told["ef_percent"], told["esv"])
        assert None not in both.values()


def test_numbers_refer_to_the_frames_at_ed_and_es_of_the_beats_they_stand_on(made: dict[str, Made]) -> None:
    summary = made["phantom"].summary
    accepted = [beat for beat in summary["beats"] if beat["accepted"]]
    assert accepted
    ed, es = ([1 + round(beat[f"t_{end}_s"] * 25) for beat in accepted] for end in ("ed", "es"))
    for kind in KINDS:
        found = {code: frames_of(item) for code, _, _, item in numbers(made["phantom"].read(kind))}
        assert (found["79999-9"], found["80004-5"]) == (ed, es)
        assert found["79993-2"] == sorted({*ed, *es})
    source = pydicom.dcmread(made["phantom"].source, stop_before_pixels=True)
    for image in (item for item in items(made["phantom"].read("sr")) if item.get("ValueType") == "IMAGE"):
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID


def test_patient_and_study_are_those_of_the_source_in_a_new_series(made: dict[str, Made]) -> None:
    for name in SOURCES:
        source = pydicom.dcmread(made[name].source, stop_before_pixels=True)
        reports = [made[name].read(kind) for kind in KINDS]
        for report in reports:
            for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyID"):
                assert report[keyword].value == (source.get(keyword) or ("" if keyword == "PatientSex" else None)), (
                    keyword
                )
            assert (report.CompletionFlag, report.VerificationFlag) == ("PARTIAL", "UNVERIFIED")
            assert "For research" in report.SeriesDescription
            assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99ECHORT"
        uids = [report[word].value for report in reports for word in ("SOPInstanceUID", "SeriesInstanceUID")]
        assert len({*uids, source.SOPInstanceUID, source.SeriesInstanceUID}) == 6


def test_the_model_is_the_observer(made: dict[str, Made]) -> None:
    said = texts(made["phantom"].read("sr"))
    assert {made["phantom"].summary["model"], "echo-rt"} <= set(said)
    (observer,) = (item.UID for item in items(made["phantom"].read("sr")) if item.get("ValueType") == "UIDREF")
    again = [item.UID for item in items(made["two"].read("sr")) if item.get("ValueType") == "UIDREF"]
    assert again == [observer], "one device for one model and version"


@pytest.mark.parametrize("name", SOURCES)
def test_validators_that_nobody_here_wrote_find_no_error(made: dict[str, Made], name: str, tmp_path: Path) -> None:
    files = made[name]
    assert [errors_of_dsrdump(files.report(kind)) for kind in KINDS] == [[], []]
    assert errors_of_dciodvfy(files.report("sr1500")) == []
    assert errors_of_dciodvfy(as_enhanced(files.report("sr"), tmp_path / "enhanced.dcm")) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOURCES)
def test_dicom_validator_finds_no_error(made: dict[str, Made], name: str, kind: str) -> None:
    check_by_dicom_validator(made[name].report(kind))


def test_highdicom_reads_the_measurement_report(made: dict[str, Made]) -> None:
    report = highdicom.sr.srread(made["two"].report("sr1500"))
    groups = report.content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["Biplane, A4C and A2C", "A4C", "A2C"]
    ef = groups[0].get_measurements(name=highdicom.sr.CodedConcept("79991-6", "LN", "EF biplane"))
    assert [one.value for one in ef] == [made["two"].summary["ef_percent"]]
    assert ef[0].method.value == "125207"


@pytest.mark.parametrize("kind", KINDS)
def test_two_views_without_an_ef_say_nothing_of_the_second(tmp_path: Path, kind: str, made: dict[str, Made]) -> None:
    first = made["phantom"].source
    stranger = tmp_path / "stranger.dcm"
    write_dicom(open_phantom(f"phantom:?seed=5&named=A2C&{HEART}"), stranger)
    process(first, a2c=stranger, out=tmp_path, name="pair", overlay=False, reports=[kind])
    report = pydicom.dcmread(tmp_path / "pair" / REPORTS[kind].file)
    codes = {code for code, *_ in numbers(report)}
    assert not {code for code in codes if WHERE.get(code) in ("ef_percent", "ef_low", "edv", "esv")}
    assert not {code for code in codes if code.endswith(("a2c", "inferior", "anterior"))}
    assert any("two patients" in said for said in texts(report))
    assert pydicom.dcmread(stranger).SOPInstanceUID not in str(report)
