"""The data set of a DICOM file as its transfer syntax should have it: inflated, and in the order of bytes that it has.

A deflated one is inflated once, and never beyond a limit. Whether it is deflated and which byte comes first, its first
element tells: converters change the one and leave the other.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from echo_rt.sources.limits import Limits

_CHUNK = 2**20
_META_BYTES = 2**16

_LITTLE, _BIG, _DEFLATED = (
    str(uid).encode() for uid in (ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
)


def plain(file: BinaryIO, allowed: Limits) -> BinaryIO:
    """The file itself at its beginning; where its transfer syntax says another data set than it has, a right one.

    That one is in memory.

    Raises:
        ValueError, zlib.error: it is damaged, or too large for that. A text for people.
    """
    head = file.read(_META_BYTES)
    start, stated = _data_set(head)
    order = _order(head[start : start + 8])
    file.seek(0)
    if stated == _DEFLATED and order is None:
        return _inflated(file, start, stated, allowed)
    if stated == _LITTLE and order is None and (start + 8) <= len(head):
        try:
            return _inflated(file, start, stated, allowed)
        except zlib.error:  # it is damaged in another way
            file.seek(0)
            return file
    found = {"little": _LITTLE, "big": _BIG}.get(order or "")
    if stated not in (_LITTLE, _BIG, _DEFLATED) or found in (stated, None):
        return file
    data = file.read(allowed.held_bytes + 1)
    if excess := allowed.held(len(data)):
        raise ValueError(f"expected {excess.expected}, found more; {excess.todo}")
    return io.BytesIO(_named(data[:start], stated, found) + data[start:])


def _inflated(file: BinaryIO, start: int, stated: bytes, allowed: Limits) -> BinaryIO:
    whole = io.BytesIO()
    whole.write(_named(file.read(start), stated, _LITTLE))
    data = file.read(_CHUNK)
    zipped = data[:1] == b"\x78" and int.from_bytes(data[:2], "big") % 31 == 0  # with the head of a zlib stream
    inflate = zlib.decompressobj(zlib.MAX_WBITS if zipped else -zlib.MAX_WBITS)
    while not inflate.eof:
        part = inflate.decompress(data, _CHUNK)
        if not part and not data:
            raise ValueError("its deflated data are cut off")
        whole.write(part)
        if excess := allowed.held(whole.tell()):
            raise ValueError(f"expected {excess.expected}, found more; {excess.todo}")
        data = inflate.unconsumed_tail or file.read(_CHUNK)
    whole.seek(0)
    return whole


def _named(meta: bytes, stated: bytes, found: bytes | None) -> bytes:
    """The same with another UID in the room of the stated one: a UID ends with its first zero."""
    return meta.replace(stated, (found or stated).ljust(len(stated), b"\0"))


def _data_set(head: bytes) -> tuple[int, bytes]:
    """Where the data set begins, and the transfer syntax that the file states; no UID where nobody can say."""
    meta = io.BytesIO(head)
    meta.seek(132 if head[128:132] == b"DICM" else 0)
    try:
        found = read_dataset(meta, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
        return meta.tell(), str(found.get("TransferSyntaxUID", "")).encode()
    except Exception:  # noqa: BLE001 - of a damaged header; reading it as a whole says so
        return 0, b""


def _order(element: bytes) -> str | None:
    """The order of bytes of a data set by the head of its first element, whose group is below 0x0080; or none."""
    if len(element) < 8 or not (element[4:6].isalpha() or element[6:8] == b"\0\0"):
        return None
    if element[1] == 0 < element[0] < 0x80:
        return "little"
    return "big" if element[0] == 0 < element[1] < 0x80 else None
