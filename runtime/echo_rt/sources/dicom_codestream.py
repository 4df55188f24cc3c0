"""What a compressed frame says of itself: its coding, its size, its samples. No header is believed against it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

_JPEG, _J2K = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  "
_END = b"\xff\xd9"
_TILE_PART = b"\xff\x90\0\x0a"

_SOF = {
    0xC0: JPEGBaseline8Bit, 0xC1: JPEGExtended12Bit, 0xC2: JPEGBaseline8Bit, 0xC3: JPEGLossless, 0xF7: JPEGLSLossless,
}  # fmt: skip
"""Start-of-frame markers, and a transfer syntax whose decoder reads them; progressive JPEG is read like baseline."""

_BARE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length."""

_FAMILIES = (
    (JPEGBaseline8Bit, JPEGExtended12Bit),
    (JPEGLossless, JPEGLosslessSV1),
    tuple(JPEGLSTransferSyntaxes),
    tuple(JPEG2000TransferSyntaxes),
    (RLELossless,),
)

_RLE_SAMPLES = {1: (1, 8), 2: (1, 16), 3: (3, 8), 6: (3, 16)}
"""Samples a pixel and bits, by the number of segments: one a byte of a pixel (PS3.5 G.2)."""

_END_PADDING = 10
"""Bytes after the end marker that are neither zero nor wrong: some writers add a few."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """The head of a compressed frame.

    Attributes:
        syntax: a transfer syntax whose decoder reads it.
        rows, columns: of the frame; None in RLE, which does not say.
        samples: 1 or 3 a pixel, or whatever it says.
        bits: of a sample.
        rgb: its components are named R, G and B.
    """

    syntax: UID
    rows: int | None
    columns: int | None
    samples: int
    bits: int
    rgb: bool = False

    @property
    def lossy_jpeg(self) -> bool:
        """Whether it is JPEG by blocks, whose three components are luma and chroma unless it says otherwise."""
        return self.syntax in _FAMILIES[0]


def codestream(data: bytes) -> Codestream | None:
    """The head of a compressed frame; None where it is none that is known."""
    try:
        if data.startswith(_JPEG):
            return _jpeg(data)
        if data.startswith(_J2K) or data.startswith(_JP2):
            return _jpeg_2000(data[data.index(_J2K) :])
        return _rle(data)
    except (struct.error, ValueError, IndexError):
        return None


def begins_frame(head: bytes) -> bool:
    """Whether a fragment that begins so begins a frame."""
    return head.startswith((_JPEG, _J2K, _JP2)) or _rle(head) is not None


def ends_frame(data: bytes) -> bool:
    """Whether the end marker that JPEG, JPEG-LS and JPEG 2000 share stands at the end of a frame."""
    return _END in data.rstrip(b"\0")[-_END_PADDING:]


def with_end(data: bytes) -> bytes:
    """A frame with an end marker, if it is of a coding that has one, in place of what made its length even."""
    if data.startswith(_J2K):
        return _without_padding(data) + _END
    if not data.startswith(_JPEG):
        return data
    bare = data.rstrip(b"\0")  # it is data behind 0xFF, and else in 3 of 100 frames of JPEG-LS alone
    return bare + b"\0" * bare.endswith(b"\xff") + _END


def _without_padding(data: bytes) -> bytes:
    """JPEG 2000 up to the end of its last tile part (ISO 15444-1 A.4.2), whose marker stands nowhere in its data."""
    at = data.rfind(_TILE_PART)
    length = int.from_bytes(data[at + 6 : at + 10], "big")  # 0: up to the end
    return data if at < 0 or length == 0 or any(data[at + length :]) else data[: at + length]


def same_coding(one: UID, other: UID) -> bool:
    """Whether two transfer syntaxes are two profiles of one coding."""
    return one == other or any(one in family and other in family for family in _FAMILIES)


def begins_video(head: bytes) -> bool:
    """Whether a fragment that begins so begins MP4, an MPEG stream or an elementary stream of a video codec."""
    return head[4:8] in (b"ftyp", b"moov", b"mdat") or head.startswith(
        (b"\0\0\1\xba", b"\0\0\1\xb3", b"\0\0\0\1", b"\0\0\1\x67", b"\0\0\1\x40")
    )


def is_rle(head: bytes) -> bool:
    """Whether a fragment begins with the header of RLE segments."""
    return _rle(head) is not None


def rle_size(data: bytes, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of an RLE frame: as stated, unless its runs end elsewhere.

    It does not say its size, but each row is packed on its own (PS3.5 G.3): a run ends where a row does.
    """
    ends = _run_ends(data)
    total = ends[-1]
    known = np.zeros(total + 1, bool)
    known[ends] = True
    for width in (columns, rows, total // max(rows, 1)):
        if width and total % width == 0 and known[width::width].all():
            return total // width, width
    return rows, columns


def _run_ends(data: bytes) -> list[int]:
    """Where each run of the first segment of an RLE frame ends, in bytes of the plane."""
    segments, at, after = struct.unpack_from("<3L", data)
    stop = min(after, len(data)) if segments > 1 else len(data)
    ends = [0]
    while at + 1 < stop:
        control = data[at]
        if control < 128:
            at += 2 + control
            ends.append(ends[-1] + control + 1)
        elif control > 128:
            at += 2
            ends.append(ends[-1] + 257 - control)
        else:
            at += 1
    return ends


def _jpeg(data: bytes) -> Codestream | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _SOF:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            names = bytes(data[at + 10 + 3 * n] for n in range(samples))
            return Codestream(_SOF[marker], rows, columns, samples, bits, names in (b"RGB", b"rgb"))
        elif marker in (0xDA, 0xD9):
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _jpeg_2000(data: bytes) -> Codestream:
    """From the SIZ marker segment (ISO 15444-1 A.5.1), which comes first."""
    capabilities, right, bottom, left, top = struct.unpack_from(">HIIII", data, 6)
    (samples,) = struct.unpack_from(">H", data, 40)
    high_throughput = bool(capabilities & 0x4000)
    return Codestream(
        HTJ2K if high_throughput else JPEG2000, bottom - top, right - left, samples, (data[42] & 0x7F) + 1
    )  # fmt: skip


def _rle(data: bytes) -> Codestream | None:
    """From the RLE header (PS3.5 G.5): the number of segments and fifteen offsets, those of no segment 0."""
    if len(data) < 64:
        return None
    segments, *offsets = struct.unpack_from("<16L", data)
    used, unused = offsets[:segments], offsets[segments:]
    if segments not in _RLE_SAMPLES or used[0] != 64 or sorted(set(used)) != used or any(unused):
        return None
    samples, bits = _RLE_SAMPLES[segments]
    return Codestream(RLELossless, None, None, samples, bits)
