"""What a compressed frame is held against before a decoder sees it, and how long that may take."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from echo_rt.sources.dicom_codestream import Codestream, codestream, ends_frame, with_end
from echo_rt.sources.dicom_layout import Samples
from echo_rt.sources.dicom_pixels import Pixels, Refusal
from echo_rt.sources.limits import limits

if TYPE_CHECKING:
    from echo_rt.sources.aside import Aside

Decode = Callable[[bytes], "tuple[Samples, str]"]
"""From the bytes of a frame to its samples, (H, W) or (H, W, 3), and what they mean. It raises what it likes."""

RLE_BYTES = 64
"""Bytes of samples that a byte can stand for: two bytes repeat one 128 times (PS3.5 G.3.1)."""

JPEG_PIXELS = 512
"""Pixels that a byte can stand for: a block of 64 has a code of one bit at least, in the first pass over it."""

LOSSLESS_PIXELS = 8
"""The same of lossless JPEG, which has a code of one bit at least for each pixel."""

MOST_SCANS = 100
"""Passes over a progressive JPEG: each takes the time of a picture. Encoders make about ten."""

MOST_TILES, MOST_PRECINCTS, MOST_PACKETS = 2**12, 2**16, 2**20
"""Of a JPEG 2000 picture: what a decoder makes room for, whether or not anything is in it."""

_RISKY = frozenset({*JPEG2000TransferSyntaxes, *JPEGLSTransferSyntaxes})
"""Codings whose decoders were seen to hang, to crash or to take much memory on damaged frames."""


def guarded(decode: Decode, syntax: UID, pixels: Pixels, marked: bool, aside: Aside | None) -> Decode:
    """The same for frames that are what they should be. Damaged ones go to a process that can be killed.

    Args:
        marked: a frame without an end marker is cut off. Decoders make half a picture of it without a word. Else it
            is given one, for an encoder left it out.
        aside: decodes what is damaged; None in that process itself.
    """
    allowed = limits()

    def whole(frame: bytes) -> tuple[Samples, str]:
        ends = ends_frame(frame)
        if marked and not ends:
            raise ValueError("it ends before its end marker")
        stream = codestream(frame)
        _hold(frame, stream, syntax, pixels)
        given = frame if ends else with_end(frame)
        if aside is not None and not _is_plain(frame, stream, syntax, ends):
            return aside.decode(given, syntax, pixels)
        begun_s = time.thread_time()
        found = decode(given)
        if excess := allowed.seconds(time.thread_time() - begun_s):
            raise Refusal(*excess)
        return found

    return whole


def _hold(frame: bytes, stream: Codestream | None, syntax: UID, pixels: Pixels) -> None:
    """Hold what a frame says of itself against the frames before it, and against its length."""
    count = pixels.rows * pixels.columns
    if stream is not None and stream.rows is not None:
        if (stream.rows, stream.columns, stream.samples) != (pixels.rows, pixels.columns, pixels.samples):
            raise ValueError("it has another size than the frames before it")
        most = JPEG_PIXELS * len(frame) if stream.lossy_jpeg else count
        if stream.syntax in (JPEGLossless, JPEGLosslessSV1):
            most = LOSSLESS_PIXELS * len(frame)
    else:
        most = RLE_BYTES * len(frame) // (pixels.samples * pixels.bits // 8) if syntax == RLELossless else count
    if count > most:
        raise ValueError(f"its {len(frame)} bytes are too few for {pixels.columns}x{pixels.rows} pixels")


def _is_plain(frame: bytes, stream: Codestream | None, syntax: UID, ends: bool) -> bool:
    """Whether a decoder can be trusted with it: its head is known, its end is there, and nothing is out of bounds."""
    if stream is None:
        return syntax == RLELossless
    if stream.lossy_jpeg:
        return frame.count(b"\xff\xda") <= MOST_SCANS
    if stream.syntax in JPEG2000TransferSyntaxes:
        return ends and _is_plain_jpeg_2000(frame)
    return ends or stream.syntax not in _RISKY


def _is_plain_jpeg_2000(data: bytes) -> bool:
    """Whether its tile parts follow one another to its end, and it has a usual number of tiles and packets.

    See ISO 15444-1 A. What a tile changes for itself is not looked at, and counts as unusual.
    """
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return False
    try:
        return _is_usual_head(data, at + 2)
    except (struct.error, IndexError, ZeroDivisionError):
        return False


def _is_usual_head(data: bytes, at: int) -> bool:
    width = height = samples = packets = 0
    while (marker := data[at : at + 2]) != b"\xff\x90":  # the first tile part
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == b"\xff\x51":  # SIZ
            right, bottom, left, top, *tile = struct.unpack_from(">8I", data, at + 6)
            (samples,) = struct.unpack_from(">H", data, at + 38)
            width, height = right - left, bottom - top
            tiles = -(-right // tile[0]) * -(-bottom // tile[1])
            if not 0 < tiles <= MOST_TILES:
                return False
        elif marker == b"\xff\x52":  # COD
            packets = _packets(data[at : at + 2 + length], width, height)
        elif marker in (b"\xff\x53", b"\xff\x5f"):  # COC, POC
            return False
        at += 2 + length
    return 0 < packets * samples <= MOST_PACKETS and _is_usual_body(data, at)


def _packets(cod: bytes, width: int, height: int) -> int:
    """Packets of one component, or more than are allowed."""
    style, (layers,), levels = cod[4], struct.unpack_from(">H", cod, 6), cod[9]
    if levels > 32:
        return MOST_PACKETS + 1
    count = 0
    for level in range(levels + 1):
        size = cod[14 + level] if style & 1 else 0xFF
        scale = levels - level
        across = -(-width >> scale >> (size & 15)) or 1
        down = -(-height >> scale >> (size >> 4)) or 1
        count += abs(across) * abs(down)
    return count * layers if count <= MOST_PRECINCTS else MOST_PACKETS + 1


def _is_usual_body(data: bytes, at: int) -> bool:
    while data[at : at + 2] == b"\xff\x90":  # SOT
        (length,) = struct.unpack_from(">I", data, at + 6)
        inner = at + 12
        while data[inner : inner + 2] != b"\xff\x93":  # SOD
            if data[inner : inner + 2] in (b"\xff\x52", b"\xff\x53", b"\xff\x5f"):
                return False
            inner += 2 + struct.unpack_from(">H", data, inner + 2)[0]
        if length == 0:  # up to the end
            return True
        if length < inner + 2 - at:
            return False
        at += length
    return data[at : at + 2] == b"\xff\xd9"
