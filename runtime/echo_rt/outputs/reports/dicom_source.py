"""The DICOM object that a recording came from: its patient and study, and how to refer to it.

A header is often not as it should be. What cannot be read counts as missing. What identifies the patient is copied as
it stands, too long or not: a report must come to the patient that its recording came from.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydicom import config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import VR, validate_value

from echo_rt.outputs.reports.identifiers import made_up_uid
from echo_rt.provenance import recording_id

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight",
)  # fmt: skip
STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
    "StudyDescription",
)  # fmt: skip
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_LOOKED_AT = (*PATIENT, *STUDY, *LOSSY, "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Rows", "Columns",
              "NumberOfFrames", "TimezoneOffsetFromUTC", "SpecificCharacterSet")  # fmt: skip

_ALWAYS_THERE = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber",
)  # fmt: skip
"""Of type 2: empty where they are not known (PS3.3 C.7.1.1, C.7.2.1)."""

_WORDS = (VR.PN, VR.LO, VR.SH, VR.LT, VR.ST)
"""Text, which is copied whatever its length."""

_MARK, _MARK_AT = b"DICM", 128
_BARE = (b"\x08\x00", b"\x02\x00")
"""What a file without the mark begins with: its first group, little endian."""


@dataclass(frozen=True, slots=True)
class DicomSource:
    """What reports take of the source object.

    Attributes:
        patient_and_study: the elements of both modules; all that must be there are, if empty.
        reference: SOP class and instance UIDs; None where the recording is no DICOM object that can be referred to.
        series_uid: of the source object.
        shape: (rows, columns) of its frames; None where it does not say.
        lossy: the elements that say that its images were compressed with loss.
        timezone: its offset from UTC, such as ``+0100``; None where it does not say.
    """

    patient_and_study: Dataset
    reference: tuple[str, str] | None
    series_uid: str
    shape: tuple[int, int] | None = None
    lossy: Dataset = field(default_factory=Dataset)
    timezone: str | None = None

    @property
    def study_uid(self) -> str:
        return str(self.patient_and_study.StudyInstanceUID)


def dicom_source(recording: str | None) -> DicomSource:
    """What the header of a recording says.

    Where it is no DICOM file, the patient is unknown and the UIDs of study and series are made of `recording_id`.

    Args:
        recording: its path or address; None where it is not known.
    """
    header = _header(recording) or Dataset()
    known = recording_id(recording) if recording is not None else "no recording"
    patient_and_study = Dataset()
    for keyword in (*PATIENT, *STUDY):
        if (element := _element(header, keyword)) is not None:
            patient_and_study.add(element)
        elif keyword in _ALWAYS_THERE:
            setattr(patient_and_study, keyword, None)
    if not _text(header, "StudyInstanceUID"):
        patient_and_study.StudyInstanceUID = made_up_uid("study", known)
    lossy = Dataset()
    if _text(header, LOSSY[0]) == "01":
        lossy.update({e.tag: e for keyword in LOSSY if (e := _element(header, keyword)) is not None})
    sop_class, instance = _text(header, "SOPClassUID"), _text(header, "SOPInstanceUID")
    rows, columns = _whole(header, "Rows"), _whole(header, "Columns")
    return DicomSource(
        patient_and_study,
        (sop_class, instance) if sop_class and instance else None,
        _text(header, "SeriesInstanceUID") or made_up_uid("series", known),
        (rows, columns) if rows and columns else None,
        lossy,
        _text(header, "TimezoneOffsetFromUTC") or None,
    )


def carry(source: Dataset, into: Dataset) -> None:
    """Copy the elements of `source` as they are, in place of those of the same tag."""
    for element in source:
        into[element.tag] = element


def _header(recording: str | None) -> Dataset | None:
    """The elements that are looked at; None where it is not a DICOM file."""
    if recording is None or not Path(recording).is_file():
        return None
    # Scanners and exporters bend the standard in harmless ways, and pydicom warns of each.
    warnings.filterwarnings("ignore", module=r"pydicom\.")
    try:
        with open(recording, "rb") as file:
            if not _begins_as_dicom(file):
                return None
            header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(_LOOKED_AT))
            header.decode()
            return header
    except Exception:  # noqa: BLE001 - the parser raises whatever a damaged header makes it raise
        return None


def _begins_as_dicom(file: BinaryIO) -> bool:
    head = file.read(_MARK_AT + len(_MARK))
    file.seek(0)
    return head[_MARK_AT:] == _MARK or head[:2] in _BARE


def _element(header: Dataset, keyword: str) -> DataElement | None:
    """The element with a value that may be written again; None where there is none."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    try:
        value = header[tag].value if tag in header else None
        several = vr == VR.UI and not isinstance(value, str)
        if several or value in (None, "") or (vr not in _WORDS and not _valid(vr, value)):
            return None
        return DataElement(tag, vr, value, validation_mode=config.IGNORE)
    except Exception:  # noqa: BLE001 - as above: a value is converted when it is asked for
        return None


def _valid(vr: str, value: object) -> bool:
    values = value if isinstance(value, list) or hasattr(value, "append") else [value]
    for one in values:  # type: ignore[attr-defined]
        validate_value(vr, one if vr in (VR.US,) else str(one), config.RAISE)
    return True


def _text(header: Dataset, keyword: str) -> str:
    element = _element(header, keyword)
    return "" if element is None else str(element.value)


def _whole(header: Dataset, keyword: str) -> int:
    element = _element(header, keyword)
    return element.value if element is not None and isinstance(element.value, int) else 0
