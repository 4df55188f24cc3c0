"""A small Enhanced SR that names its source, and a report that ends the process which makes it."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

from echo_rt.outputs import folder
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.owner import SUMMARY
from echo_rt.outputs.reports import REPORTS, Asked, Report
from echo_rt.result import RecordingResult

ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
POISON = "POISON"
"""Patient's ID of a cine whose process dies."""


def register() -> None:
    """Add both, but no `sr` where there is one."""
    REPORTS.setdefault("sr", Report("report.sr.dcm", SmallSr, "stand-in"))
    REPORTS["poison"] = Report("poison.txt", Poison, "stand-in")
    files = [*folder.FILES, *(report.file for report in REPORTS.values())]
    folder.FILES = (*dict.fromkeys(file for file in files if file != SUMMARY), SUMMARY)


def small_sr(recording: str | Path, model: str = "stand-in 1") -> Any:
    """An SR on a DICOM file: its UID is the same whenever it is made of the same instance by the same model."""
    from pydicom import dcmread
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    source = dcmread(recording, stop_before_pixels=True)
    data: Any = Dataset()
    data.SOPClassUID = ENHANCED_SR
    digest = hashlib.sha256(f"{source.SOPInstanceUID} {model}".encode()).hexdigest()
    data.SOPInstanceUID = f"2.25.{int(digest[:32], 16)}"
    data.SeriesInstanceUID = f"2.25.{int(digest[32:], 16)}"
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
                 "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):  # fmt: skip
        setattr(data, name, source.get(name))
    data.Modality, data.Manufacturer, data.SeriesNumber, data.InstanceNumber = "SR", "echo-rt", 1, 1
    data.ContentDate, data.ContentTime = source.StudyDate, source.StudyTime
    data.CompletionFlag, data.VerificationFlag, data.ValueType = "COMPLETE", "UNVERIFIED", "CONTAINER"
    data.ContinuityOfContent = "SEPARATE"
    image: Any = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    series: Any = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = source.SeriesInstanceUID, [image]
    study: Any = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = source.StudyInstanceUID, [series]
    data.CurrentRequestedProcedureEvidenceSequence = [study]
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    return data


def source_of(report: Any) -> str:
    """The UID of the instance that a report is on."""
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    return str(study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


class SmallSr(FileOutput):
    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.path)
        self._recording = str(asked.recording)

    def finish(self, result: RecordingResult) -> None:
        small_sr(self._recording, result.provenance.model).save_as(self.path, enforce_file_format=True)


class Poison(FileOutput):
    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.path)
        self._recording = str(asked.recording)

    def finish(self, result: RecordingResult) -> None:
        from pydicom import dcmread

        if dcmread(self._recording, stop_before_pixels=True).PatientID == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        self.path.write_text("survived")
