"""The study that a recording is of, by its DICOM header: numbers and moments alone, nothing that names a patient."""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# pydicom raises what a conversion happens to raise on a damaged header.
_READING_ERRORS = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError,
    struct.error, zlib.error,
)  # fmt: skip

HEADER_BYTES = "1 MB"
"""A longer element is none that is looked at here, and stays in the file."""

_UIDS = ("StudyInstanceUID", "SOPInstanceUID")
_MOMENTS = (("AcquisitionDate", "AcquisitionTime"), ("StudyDate", "StudyTime"))
_WHOLE_MOMENT, _ZONE = "AcquisitionDateTime", "TimezoneOffsetFromUTC"
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)
_ZONED = re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Study:
    """What a header says; None where it does not, and of a recording that is no DICOM file.

    Attributes:
        study_uid, instance_uid: of the study, and of the object itself.
        acquired: when the pictures were taken, else when the study began: ``2024-05-17``, with the time and its zone
            where the header has both.
    """

    study_uid: str | None = None
    instance_uid: str | None = None
    acquired: str | None = None

    @classmethod
    def of(cls, recording: str) -> Study:
        """That of a recording's file, which has been read as a recording before."""
        import pydicom

        wanted = [*_UIDS, *(word for pair in _MOMENTS for word in pair), _WHOLE_MOMENT, _ZONE]
        try:
            if not _is_dicom(recording):
                return cls()
            header = pydicom.dcmread(
                recording, stop_before_pixels=True, force=True, defer_size=HEADER_BYTES, specific_tags=wanted
            )
            said = {word: _text(header, word) for word in wanted}
        except _READING_ERRORS:
            return cls()
        study, instance = (said[word] if _is_uid(said[word]) else None for word in _UIDS)
        return cls(study, instance, _acquired(said))


def _is_dicom(recording: str) -> bool:
    """With the preamble, or without it as some archives keep them."""
    if not os.path.isfile(recording):
        return False
    with open(recording, "rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or head[:2] in (b"\x02\x00", b"\x08\x00")


def _text(header: Dataset, keyword: str) -> str:
    """An element as it stands there: pydicom's conversions warn of what this module bears."""
    element = header.get_item(keyword)
    value = None if element is None else element.value
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip(" \0")


def _is_uid(text: str) -> bool:
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _acquired(said: dict[str, str]) -> str | None:
    """As FHIR writes it: a time has its zone, or is left out."""
    moments = [(said[_WHOLE_MOMENT][:8], said[_WHOLE_MOMENT][8:]), *((said[day], said[hour]) for day, hour in _MOMENTS)]
    for day, hour in moments:
        if (on := _date(day)) is None:
            continue
        # A date and time in one brings its zone along.
        clock = re.split("[+-]", hour)[0]
        zone, at = _zone(hour[len(clock) :] or said[_ZONE]), _time(clock)
        if zone is None or at is None:
            return on.isoformat()
        return datetime.combine(on, at, zone).isoformat(timespec="seconds")
    return None


def _date(text: str) -> date | None:
    digits = text.replace(".", "")  # the spelling of ACR-NEMA: 1993.08.22
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if re.fullmatch(r"[0-9]{8}", digits) else None
    except ValueError:
        return None


def _time(text: str) -> time | None:
    found = re.match(r"([0-9]{2}):?([0-9]{2}):?([0-9]{2})", text)
    try:
        return None if found is None else time(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def _zone(text: str) -> timezone | None:
    if (found := _ZONED.fullmatch(text)) is None or int(found[3]) > 59 or int(found[2]) > 14:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)
