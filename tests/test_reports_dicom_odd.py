"""DICOM structured reports of results and of headers that are not as usual."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.sr._concepts_dict import concepts

from echo_rt.cardiac.rhythm import FEWEST
from echo_rt.errors import MissingExtraError
from echo_rt.outputs.reports import REPORTS, Asked, sr_codes, sr_echo
from echo_rt.outputs.reports.sr_codes import Term
from echo_rt.outputs.reports.sr_figures import IRREGULAR_BEATS
from echo_rt.phantom import open_phantom
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.reading import EjectionFraction
from echo_rt.result import ClipExtremes, ClipFigures, RecordingResult
from support.dicom_reports import code_of, errors_of_dsrdump, items, numbers, texts, written
from support.results import provenance, result_of
from support.synthetic import clip

KINDS = ("sr", "sr1500")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom in DICOM."""
    path = tmp_path_factory.mktemp("source") / "clip.dcm"
    write_dicom(open_phantom("phantom:?seed=4&width=160&height=120&seconds=1"), path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_without_ef_the_report_says_why_and_holds_no_number_for_it(tmp_path: Path, kind: str) -> None:
    none = result_of(clip(20, beats_found=False), ClipFigures(reason="the volume hardly changes"))
    report = written(none, tmp_path / "none.dcm", kind)
    assert numbers(report) == []
    assert any("No ejection fraction: the volume hardly changes" in said for said in texts(report))
    assert errors_of_dsrdump(tmp_path / "none.dcm") == []


def test_volumes_in_pixels_do_not_pass_for_volumes(tmp_path: Path) -> None:
    report = written(result_of(clip(75, spacing_mm=None)), tmp_path / "a.dcm")
    units = {code: unit for code, _, unit, _ in numbers(report)}
    assert units["edv_px3"] == "{px3}"
    assert not {"79999-9", "80004-5"} & units.keys()
    assert units["79993-2"] == "%", "EF needs no scale"


@pytest.mark.parametrize(
    ("change", "code", "method"),
    [
        ({"method": "disks"}, "79993-2", None),
        ({"method": "area-length"}, "18043-0", "125205"),
        ({"method": "area"}, "ef_area", "125220"),
    ],
)
def test_ef_of_another_method_has_another_code(tmp_path: Path, change: dict[str, str], code: str, method: str) -> None:
    result = result_of(clip(75))
    told = replace(result.ef, **change)
    result = replace(result, ef=told, rolling=((1.0, told),))
    report = written(result, tmp_path / "a.dcm")
    found = {code: item for code, _, _, item in numbers(report)}
    assert code in found
    methods = [
        code_of(item.ConceptCodeSequence[0])
        for item in items(found[code])
        if item.get("ValueType") == "CODE" and code_of(item.ConceptNameCodeSequence[0]) == "370129005"
    ]
    assert methods == ([method] if method else [])
    assert ("79999-9" in found) == (change["method"] != "area-length"), "the volumes by disks have their own codes"


def test_ef_of_an_unknown_view_has_the_code_of_no_view(tmp_path: Path) -> None:
    report = written(result_of(clip(75), source=provenance(view=None)), tmp_path / "a.dcm")
    codes = {code for code, *_ in numbers(report)}
    assert {"18043-0", "edv_ml", "esv_ml"} <= codes
    assert "79993-2" not in codes


def test_the_derivation_is_that_of_the_figure(tmp_path: Path) -> None:
    def derivations(result: RecordingResult) -> list[str]:
        report = written(result, tmp_path / "a.dcm")
        (ef,) = (item for code, _, _, item in numbers(report) if code == "79993-2")
        return [
            item.ConceptCodeSequence[0].CodeMeaning
            for item in items(ef)
            if item.get("ValueType") == "CODE" and code_of(item.ConceptNameCodeSequence[0]) == "121401"
        ]

    assert IRREGULAR_BEATS == FEWEST
    result = result_of(clip(150))
    assert result.ef.beats == 5
    assert derivations(result) == ["Median"]
    assert derivations(replace(result, figures=replace(result.figures, irregular=True))) == ["Mean"]
    assert derivations(replace(result, ef=replace(result.ef, beats=1))) == [], "of one beat there is none"
    extremes = ClipFigures(ClipExtremes(0.1, 0.4, 100.0, 45.0, 30.0, 20.0, 55.0, 33.3))
    assert derivations(result_of(clip(20, beats_found=False), extremes)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_dicom_has_an_unknown_patient_and_a_study_of_its_own(tmp_path: Path, kind: str) -> None:
    result = result_of(clip(75))
    other = tmp_path / "other.avi"
    other.write_bytes(b"RIFF" * 100)
    report = written(result, tmp_path / "a.dcm", kind, str(other))
    again = written(result, tmp_path / "b.dcm", kind, str(other))
    strange = written(result, tmp_path / "c.dcm", kind, str(tmp_path / "strange.avi"))
    assert not report.PatientName
    assert not report.PatientID
    assert report.StudyInstanceUID == again.StudyInstanceUID != strange.StudyInstanceUID
    assert "CurrentRequestedProcedureEvidenceSequence" not in report
    assert not [item for item in items(report) if item.get("ValueType") == "IMAGE"]
    assert errors_of_dsrdump(tmp_path / "a.dcm") == []


def test_the_same_result_has_the_same_uid_and_another_has_another(tmp_path: Path) -> None:
    result = result_of(clip(75))
    slower = replace(result, frames=replace(result.frames, latency_ms={"p50": 99.0}))
    other = replace(result, ef=replace(result.ef, percent=57.123))
    uids = [written(one, tmp_path / "a.dcm").SOPInstanceUID for one in (result, result, slower, other)]
    assert uids[0] == uids[1] == uids[2] != uids[3]
    assert written(result, tmp_path / "a.dcm", "sr1500").SOPInstanceUID != uids[0]


def test_a_damaged_header_costs_its_own_values_alone(tmp_path: Path, source: Path) -> None:
    header = pydicom.dcmread(source)
    with pydicom.config.disable_value_validation():
        header.PatientBirthDate, header.StudyTime, header.PatientSex = "born in May", "noon", "f"
        header.PatientID, header.StudyInstanceUID = "X" * 80, "1.2.not"
        header.PatientName = "Ünlü^Ayşe"
        header.SpecificCharacterSet = "ISO_IR 192"
        header.save_as(tmp_path / "odd.dcm")
    report = written(result_of(clip(75)), tmp_path / "a.dcm", recording=str(tmp_path / "odd.dcm"))
    assert report.PatientID == "X" * 80, "an ID is never cut"
    assert str(report.PatientName) == "Ünlü^Ayşe"
    assert not report.PatientBirthDate
    assert not report.StudyTime
    assert not report.PatientSex
    assert report.StudyInstanceUID.startswith("2.25.")


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_of_a_private_class_is_referred_to_as_it_is(tmp_path: Path, source: Path, kind: str) -> None:
    header = pydicom.dcmread(source, stop_before_pixels=True)
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = "1.2.840.113543.6.6.1.3.10002"
    header.save_as(tmp_path / "private.dcm")
    report = written(result_of(clip(75)), tmp_path / "a.dcm", kind, str(tmp_path / "private.dcm"))
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    (reference,) = series.ReferencedSOPSequence
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (
        header.SOPClassUID, header.SOPInstanceUID,
    )  # fmt: skip
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (header.StudyInstanceUID, header.SeriesInstanceUID)
    assert report.PatientID == header.PatientID


@pytest.mark.parametrize("uid", ["1.2\\3", "1.2.not", ""])
def test_an_object_without_a_uid_is_not_referred_to(tmp_path: Path, source: Path, uid: str) -> None:
    header = pydicom.dcmread(source, stop_before_pixels=True)
    with pydicom.config.disable_value_validation():
        header.SOPInstanceUID = uid
        header.save_as(tmp_path / "odd.dcm")
    report = written(result_of(clip(75)), tmp_path / "a.dcm", recording=str(tmp_path / "odd.dcm"))
    assert "CurrentRequestedProcedureEvidenceSequence" not in report
    assert not [item for item in items(report) if item.get("ValueType") == "IMAGE"]
    assert report.StudyInstanceUID == header.StudyInstanceUID


def test_a_report_asked_for_without_highdicom_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for kind in KINDS:
        with pytest.raises(MissingExtraError, match=rf"--report {kind} needs .* pip install 'echo-rt\[reports\]'"):
            REPORTS[kind].open(Asked(tmp_path / "a.dcm", "a", None))


def test_a_stale_figure_says_so(tmp_path: Path) -> None:
    result = result_of(clip(75))
    stale: EjectionFraction = replace(result.ef, stale=True, reason="stale: no good beat for 6 s")
    said = texts(written(replace(result, ef=stale), tmp_path / "a.dcm"))
    assert any("stale: no good beat for 6 s" in line for line in said)


def terms(told: object) -> Iterator[Term]:
    """Every coded word in a table."""
    if isinstance(told, Term):
        yield told
    elif isinstance(told, dict | tuple):
        for one in told.values() if isinstance(told, dict) else told:
            yield from terms(one)


def test_every_code_is_one_of_the_standard() -> None:
    tables = [table for module in (sr_codes, sr_echo) for table in vars(module).values()]
    planes = [sr_codes.volumes_by_disks(plane) for plane in ("A4C", "A2C", "biplane")]
    found = {term for told in (*tables, *planes) for term in terms(told) if term.scheme in ("LN", "SCT", "DCM")}
    known = {(scheme, code) for scheme, names in concepts.items() for codes in names.values() for code in codes}
    assert len(found) > 70
    assert {(term.scheme, term.value) for term in found} <= known
    assert max(len(term.meaning) for term in found) <= 64
