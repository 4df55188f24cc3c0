"""Decoders of compressed DICOM frames: pydicom's plug-ins, and PyAV for lossless JPEG."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from echo_rt.sources.base import one_line
from echo_rt.sources.dicom_guard import Decode, guarded
from echo_rt.sources.dicom_layout import Samples
from echo_rt.sources.dicom_pixels import GREY, PALETTE, YBR, YBR_PARTIAL, Pixels, Refusal

if TYPE_CHECKING:
    from echo_rt.sources.aside import Aside

_LONE_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0"
"""An empty offset table, and the tag of the only item."""

_LOSSLESS_PLANES = {"gray": (1, 8), "gray16le": (1, 16), "bgr24": (3, 8), "bgr48le": (3, 16)}
"""Samples and bits of what FFmpeg makes of lossless JPEG: three components are B, G, R, whatever they mean."""


def decoder_of(syntax: UID, pixels: Pixels, marked: bool = False, aside: Aside | None = None) -> Decode:
    """What decodes the frames of a transfer syntax.

    Args:
        marked, aside: see `guarded`.

    Raises:
        Refusal: nothing here does.
    """
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        return guarded(_lossless_jpeg(pixels), syntax, pixels, marked, aside)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        found = named(syntax)
        todo = "export it as JPEG or uncompressed, or as MP4"
        raise Refusal("a transfer syntax that can be decoded here", found, todo) from None
    # Pillow reads 12 bits of no JPEG but those of JPEG 2000.
    deep = syntax == JPEGExtended12Bit and pixels.bits > 8 and set(decoder.available_plugins) <= {"pillow"}
    if deep or not decoder.is_available:
        todo = "install a decoder of pydicom for it (pylibjpeg-libjpeg or python-gdcm), or export it uncompressed"
        raise Refusal("a transfer syntax that can be decoded here", named(syntax), todo)
    options: dict[str, Any] = {
        "rows": pixels.rows,
        "columns": pixels.columns,
        "samples_per_pixel": pixels.samples,
        "bits_allocated": pixels.bits,
        "bits_stored": pixels.stored,
        "pixel_representation": int(pixels.signed),
        "photometric_interpretation": pixels.meaning,
        "planar_configuration": 0,
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": "OB",
    }

    # pydicom's `iter_pixels` converts YBR in numpy, at five times the cost of decoding it, and knows no YBR_PARTIAL.
    def decode(frame: bytes) -> tuple[Samples, str]:
        lone = _LONE_ITEM + struct.pack("<L", len(frame)) + frame
        samples, properties = decoder.as_array(lone, raw=True, index=0, **options)
        # A codestream that names its own colours corrects the header. It cannot name the partial range.
        decoded = str(properties["photometric_interpretation"])
        meaning = pixels.meaning if pixels.meaning in YBR_PARTIAL and decoded in YBR else decoded
        return samples.astype(samples.dtype.newbyteorder("="), copy=False), meaning

    return guarded(decode, syntax, pixels, marked, aside)


def named(syntax: UID) -> str:
    """The name of a transfer syntax that the standard knows, else its digits; nothing else that may stand there."""
    name = str(syntax.name)
    if name != syntax:
        return name
    return str(syntax) if re.fullmatch(r"[0-9.]{1,64}", syntax) else "one that is no UID"


def reason(error: Exception) -> str:
    """What a decoder says, in one line, without objects' addresses and without what it quotes of the file."""
    said = one_line(str(error).replace("Unable to decode as exceptions were raised by all available plugins:", ""))
    said = re.sub(r"<[^<>]* at 0x[0-9a-fA-F]+>", "the frame", said)
    return re.sub(r"(['\"]).*?(\1|$)", "...", said) or type(error).__name__


def _lossless_jpeg(pixels: Pixels) -> Decode:
    context: Any = av.CodecContext.create("mjpeg", "r")
    context.thread_type = "NONE"

    def decode(frame: bytes) -> tuple[Samples, str]:
        decoded = context.decode(av.Packet(frame))
        if len(decoded) != 1 or decoded[0].format.name not in _LOSSLESS_PLANES:
            raise ValueError("it is no lossless JPEG of grey or three whole planes")
        samples, bits = _LOSSLESS_PLANES[decoded[0].format.name]
        plane = decoded[0].planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        levels: Samples = rows[: decoded[0].height, : decoded[0].width * samples * bits // 8].view(f"<u{bits // 8}")
        if (decoded[0].height, decoded[0].width, samples, bits) != (
            pixels.rows, pixels.columns, pixels.samples, pixels.bits
        ):  # fmt: skip
            raise ValueError("it has another size than the frames before it")
        if samples == 3:
            levels = levels.reshape(pixels.rows, pixels.columns, 3)[..., ::-1]
        levels = np.ascontiguousarray(levels) >> (bits - pixels.stored)  # FFmpeg's levels fill their bits from above
        if pixels.signed and pixels.meaning in (*GREY, *PALETTE):
            shift = bits - pixels.stored
            levels = (levels << shift).view(f"i{bits // 8}") >> shift
        return levels, pixels.meaning

    return decode
