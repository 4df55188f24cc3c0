"""Structured reports: report.sr.dcm (Simplified Adult Echo) and report.tid1500.dcm (measurement report)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from echo_rt.errors import MissingExtraError, output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.reports import Asked
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from echo_rt.outputs.reports.dicom_source import DicomSource

ECHO, MEASUREMENTS = "echo", "measurements"

_ECHO_CLASS = "1.2.840.10008.5.1.4.1.1.88.72"
_STAND_IN = "2.25.0"

_SERIES = {ECHO: 9901, MEASUREMENTS: 9902}
"""High numbers, that a scanner does not give its own series."""


def open_sr(asked: Asked, kind: str) -> StructuredReport:
    """The report of a kind, `ECHO` or `MEASUREMENTS`.

    Raises:
        MissingExtraError: highdicom is not installed.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise MissingExtraError(f"--report {'sr' if kind == ECHO else 'sr1500'}", "reports") from None
    return StructuredReport(asked, kind)


class StructuredReport(FileOutput):
    """Every number of a result with its code, the beats' frames that it was made of, and who found it.

    Patient and study are those of the recording's own DICOM header; any other recording has an unknown patient and a
    study of its own. The document is partial and unverified. Its UIDs are made of the figures (`figures_uid`). In
    memory there are 16 bytes a frame.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, asked: Asked, kind: str = ECHO) -> None:
        super().__init__(asked.path)
        self._recording, self._kind = asked.recording, kind
        self._t_s, self._index = array("d"), array("q")
        self._done = False

    def write(self, frame: Frame, reading: Reading) -> None:
        self._t_s.append(reading.t_s)
        self._index.append(reading.index)

    def finish(self, result: RecordingResult) -> None:
        if self._done:
            return
        self._done = True
        document = _document(self._kind, result, self._recording, list(zip(self._t_s, self._index, strict=True)))
        with output_errors(self.path):
            document.save_as(self.path, enforce_file_format=True)


def _document(kind: str, result: RecordingResult, recording: str | None, frames: list[tuple[float, int]]) -> Dataset:
    """The whole SOP instance."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import ComprehensiveSR, EnhancedSR
    from pydicom.uid import UID

    from echo_rt.outputs.reports.dicom_source import carry, dicom_source
    from echo_rt.outputs.reports.identifiers import MAKER, RESEARCH, SCHEME, SCHEME_NAME, Maker, figures_uid
    from echo_rt.outputs.reports.sr_echo import echo_report
    from echo_rt.outputs.reports.sr_figures import sections
    from echo_rt.outputs.reports.sr_measurements import measurement_report

    maker, said = Maker.of(result), sections(result, frames)
    sources = {result.provenance.recording: dicom_source(recording)}
    for section in said:
        sources.setdefault(section.recording, dicom_source(section.recording))
    main, *_ = sources.values()
    uid = figures_uid(f"{kind} report", result, *(main.reference or ()))
    references = {name: source.reference for name, source in sources.items() if source.reference is not None}
    context = _context(maker)
    echo = kind == ECHO
    make: Callable[..., Any] = EnhancedSR if echo else ComprehensiveSR
    document: Dataset = make(
        evidence=_evidence(main, sources.values()),
        content=echo_report(said, context, references)
        if echo
        else measurement_report(said, context, references, maker, uid)[0],
        series_instance_uid=figures_uid(f"{kind} series", result, *(main.reference or ())),
        series_number=_SERIES[kind],
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        device_serial_number=maker.serial,
        series_description=RESEARCH,
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name=SCHEME_NAME, responsible_organization=MAKER)],
    )
    document.SoftwareVersions = [maker.software, maker.model]
    carry(main.patient_and_study, document)
    _without_stand_in(document)
    if echo:
        document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = UID(_ECHO_CLASS)
        document.TimezoneOffsetFromUTC = main.timezone or datetime.now().astimezone().strftime("%z")
    return document


def _without_stand_in(document: Dataset) -> None:
    """Leave the stand-in out of the evidence."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in document.get(keyword, []):
            study.ReferencedSeriesSequence = [
                series for series in study.ReferencedSeriesSequence if series.SeriesInstanceUID != _STAND_IN
            ]
        if kept := [study for study in document.get(keyword, []) if study.ReferencedSeriesSequence]:
            setattr(document, keyword, kept)
        elif keyword in document:
            delattr(document, keyword)


def _context(maker: Any) -> Any:
    """The device that observed."""
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    from echo_rt.outputs.reports.identifiers import MAKER

    device = DeviceObserverIdentifyingAttributes(
        maker.uid,
        name=f"{MAKER} {maker.software}",
        manufacturer_name=MAKER,
        model_name=maker.model,
        serial_number=maker.serial,
    )
    return ObservationContext(ObserverContext(codes.DCM.Device, device))


def _evidence(main: DicomSource, sources: Iterable[DicomSource]) -> list[Dataset]:
    """The objects that are referred to, behind a stand-in.

    highdicom takes patient and study from the first and knows no private class: these are carried over later.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import UltrasoundMultiFrameImageStorage

    first = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        setattr(first, keyword, "")
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"):
        setattr(first, keyword, None)
    first.SOPClassUID, first.SOPInstanceUID = UltrasoundMultiFrameImageStorage, _STAND_IN
    first.StudyInstanceUID, first.SeriesInstanceUID = main.study_uid, _STAND_IN
    evidence = {_STAND_IN: first}
    for source in sources:
        if source.reference is not None:
            one = Dataset()
            one.SOPClassUID, one.SOPInstanceUID = source.reference
            one.StudyInstanceUID, one.SeriesInstanceUID = source.study_uid, source.series_uid
            evidence[one.SOPInstanceUID] = one
    return list(evidence.values())
