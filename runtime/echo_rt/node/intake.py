"""What the node takes: ultrasound cines. Everything else is refused with the status of DICOM that fits."""

from __future__ import annotations

import re
import struct
from io import BytesIO
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from echo_rt.sources.base import MIN_FRAMES
from echo_rt.sources.dicom_header import number, text
from echo_rt.sources.limits import Excess, limits

OUT_OF_RESOURCES, NO_MATCH, NOT_UNDERSTOOD = 0xA700, 0xA900, 0xC000
"""Of a C-STORE that failed (PS3.4 B.2.3)."""

HEAD_BYTES = 2**21
"""Of a data set that are looked at: all elements up to the description of the picture stand at its start. So many bytes
of empty items take 0.2 GB and some seconds."""

LAST_GROUP = 0x0028
"""Of that description."""

_UID = re.compile(r"[0-9][0-9.]{0,63}")


class Refusal(NamedTuple):
    """Why an instance is not taken: a status of DICOM, and for people a line without a word of the patient."""

    status: int
    why: str


class Head(NamedTuple):
    """What of an instance the node keeps in mind: its own UID and that of its study."""

    uid: str
    study: str


def look_at(data: BytesIO, syntax: UID, sop_class: str, uid: str) -> Head | Refusal:
    """The UIDs of an ultrasound cine, or why it is not taken.

    Args:
        data: the encoded data set, without file meta information.
        syntax: its transfer syntax.
        sop_class, uid: of the request that brought it.
    """
    view = data.getbuffer()
    try:
        head = _head(bytes(view[:HEAD_BYTES]), syntax)
        size = len(view)
    except (ValueError, TypeError, LookupError, AttributeError, OSError, struct.error, RecursionError, EOFError):
        return Refusal(NOT_UNDERSTOOD, "the data set cannot be parsed")
    finally:
        view.release()
    study = text(head, "StudyInstanceUID")
    if not _UID.fullmatch(uid) or not _UID.fullmatch(study):
        return Refusal(NOT_UNDERSTOOD, "expected UIDs of instance and study, found others")
    if (text(head, "SOPInstanceUID"), text(head, "SOPClassUID")) != (uid, sop_class):
        return Refusal(NO_MATCH, "the data set has another SOP class or instance UID")
    return _unlike_a_cine(head, size) or Head(uid, study)


def _head(data: bytes, syntax: UID) -> Dataset:
    def beyond(tag: BaseTag, vr: str | None, length: int) -> bool:
        return tag.group > LAST_GROUP

    return read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, stop_when=beyond)


def _unlike_a_cine(head: Dataset, size: int) -> Refusal | None:
    if (modality := text(head, "Modality")) != "US":
        return Refusal(NO_MATCH, f"expected modality US, found {modality[:16]!r}")
    rows, columns, frames = (number(head, name) for name in ("Rows", "Columns", "NumberOfFrames"))
    if not (1 <= rows < 2**16 and 1 <= columns < 2**16):
        return Refusal(NOT_UNDERSTOOD, "the data set has no rows and columns")
    if not MIN_FRAMES <= frames < 2**31:
        return Refusal(NO_MATCH, "expected a cine of several frames, found none")
    allowed, pixels = limits(), int(rows * columns)
    samples, bits = (number(head, name) for name in ("SamplesPerPixel", "BitsAllocated"))
    frame = pixels * (samples if samples > 1 else 1) * (bits / 8 if bits > 8 else 1)
    excess = allowed.pixels(pixels) or allowed.count(int(frames)) or allowed.decoded(frames * frame, size)
    return None if excess is None else too_large(excess)


def too_large(excess: Excess) -> Refusal:
    """The refusal of what is more than the limits allow."""
    return Refusal(OUT_OF_RESOURCES, f"expected {excess.expected}, found {excess.found}")
