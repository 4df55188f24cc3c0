"""A deflated DICOM file as one that is not: inflated once, and never beyond a limit."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from echo_rt.sources.limits import Limits

_CHUNK = 2**20
_META_BYTES = 2**16

# As long as the UID that it stands for: a UID ends with its first zero.
_DEFLATED = str(DeflatedExplicitVRLittleEndian).encode()
_EXPLICIT = b"1.2.840.10008.1.2.1".ljust(len(_DEFLATED), b"\0")


def plain(file: BinaryIO, allowed: Limits) -> BinaryIO:
    """The file itself at its beginning; where its data set is deflated, the same with an explicit one, in memory.

    Raises:
        ValueError, zlib.error: it is damaged, or too large when it is inflated. A text for people.
    """
    start = _data_set(file)
    file.seek(0)
    if start is None:
        return file
    whole = io.BytesIO()
    whole.write(file.read(start).replace(_DEFLATED, _EXPLICIT))
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflate.eof:
        data = inflate.unconsumed_tail or file.read(_CHUNK)
        part = inflate.decompress(data, _CHUNK)
        if not part and not data:
            raise ValueError("its deflated data are cut off")
        whole.write(part)
        if excess := allowed.held(whole.tell()):
            raise ValueError(f"expected {excess.expected}, found more; {excess.todo}")
    whole.seek(0)
    return whole


def _data_set(file: BinaryIO) -> int | None:
    """Where the deflated data set begins; None where none is deflated."""
    head = file.read(_META_BYTES)
    if _DEFLATED not in head:
        return None
    meta = io.BytesIO(head)
    meta.seek(132 if head[128:132] == b"DICM" else 0)
    found = read_dataset(meta, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    return meta.tell() if str(found.get("TransferSyntaxUID", "")) == DeflatedExplicitVRLittleEndian else None
