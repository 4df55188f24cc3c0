"""DICOM files, changed by element and by byte, and the bombs that a DICOM file can be."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest
from pydicom.uid import (
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from echo_rt.sources import open_source
from echo_rt.sources.limits import variable
from robustness.changes import HOSTILE, TEXTS, any_change, put_number, some_bytes
from robustness.harness import Case, chance
from support import clips
from support.dicom_files import compressed, jpegs, lossless_jpeg

SEEDS = 150

_LONG = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV")
_VRS = (*_LONG, b"US", b"UL", b"IS", b"DS", b"FD", b"FL", b"CS", b"LO", b"UI", b"AT", b"PN", b"TM", b"??")
_ITEM, _SEQUENCE = b"\xfe\xff\x00\xe0", b"\x18\x00\x11\x60SQ\0\0"


def make(seed: int, folder: Path) -> Case:
    """One of the base files with one to four changes."""
    draw = chance("dicom", seed)
    kind = draw.choice(sorted(_BASES))
    data, names = base(kind), [kind]
    packed = kind == "deflated" and draw.random() < 0.7
    start = _data_set(data) if kind == "deflated" else 0
    if packed:
        data = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    for _ in range(draw.choice((1, 1, 2, 4))):
        change = by_element if draw.random() < 0.6 and (packed or kind != "deflated") else any_change
        name, data = change(data, draw)
        names.append(name)
    if packed:
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = base(kind)[:start] + squeeze.compress(data) + squeeze.flush()
    path = folder / "a.dcm"
    path.write_bytes(data)
    return Case(", ".join(names), seed, path)


def run(case: Case) -> int:
    """Read it to its end; a decoder that hangs is ended after a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable("frame_s"), "1")
        return _read(case.path)


def _read(path: Path) -> int:
    with open_source(path) as source:
        return sum(1 for _ in source)


def corpus(folder: Path) -> Iterator[Case]:
    """Bombs, and headers that lie about what follows."""
    for name, made in _CORPUS.items():
        path = folder / f"{name}.dcm"
        path.write_bytes(made())
        yield Case(name, None, path)


def by_element(data: bytes, draw: Random) -> tuple[str, bytes]:
    """Name and result of a change to one element: its value, its length, its kind, its place."""
    found = elements(data)
    if not found:
        return any_change(data, draw)
    at, value, end = draw.choice(found)
    kind = draw.choice(("value", "text", "number", "length", "vr", "gone", "twice", "moved", "tag", "nested"))
    if kind == "value":
        data = data[:value] + some_bytes(draw, end - value) + data[end:]
    elif kind == "text":
        text = draw.choice(TEXTS)[: max(0, end - value)]
        data = data[:value] + text.ljust(end - value, b" ") + data[end:]
    elif kind == "number" and end > value:
        data = put_number(data, draw.randrange(value, end), draw)
    elif kind == "length":
        size = 4 if value - at == 12 else 2
        number = draw.choice(HOSTILE) & ((1 << 8 * size) - 1)
        data = data[: value - size] + number.to_bytes(size, "little") + data[value:]
    elif kind == "vr":
        data = data[: at + 4] + draw.choice(_VRS) + data[at + 6 :]
    elif kind == "gone":
        data = data[:at] + data[end:]
    elif kind == "twice":
        data = data[:end] + data[at:end] + data[end:]
    elif kind == "moved":
        to = draw.choice(found)[0]
        data = data[:to] + data[at:end] + data[to:at] + data[end:] if to < at else data
    elif kind == "tag":
        data = data[:at] + draw.choice(found and [data[a : a + 4] for a, _, _ in found]) + data[at + 4 :]
    elif kind == "nested":
        data = data[:at] + nested(draw.choice((1, 5, 100, 2000)), draw.random() < 0.5) + data[at:]
    return f"{kind} at {at}", data


def elements(data: bytes) -> list[tuple[int, int, int]]:
    """Of an explicit little endian data set: where each element begins, its value, and where that ends."""
    found, at = [], 132 if data[128:132] == b"DICM" else 0
    while at + 8 <= len(data):
        long = data[at + 4 : at + 6] in _LONG
        value = at + (12 if long else 8)
        length = int.from_bytes(data[value - (4 if long else 2) : value], "little")
        end = len(data) if length == 0xFFFFFFFF else min(value + length, len(data))
        found.append((at, value, max(value, end)))
        at = found[-1][2]
    return [place for place in found if place[1] <= len(data)]


def nested(depth: int, stated: bool) -> bytes:
    """Sequences in sequences, with their lengths or without."""
    if not stated:
        return (_SEQUENCE + b"\xff\xff\xff\xff" + _ITEM + b"\xff\xff\xff\xff") * depth
    inner = b""
    for _ in range(depth):
        item = _ITEM + struct.pack("<L", len(inner)) + inner
        inner = _SEQUENCE + struct.pack("<L", len(item)) + item
    return inner


@cache
def base(kind: str) -> bytes:
    """A small cine that is right."""
    file = io.BytesIO()
    _BASES[kind](file)
    return file.getvalue()


def _plain(syntax: UID, colour: bool = False) -> Callable[[io.BytesIO], object]:
    def write(file: io.BytesIO) -> None:
        region = clips.ultrasound_region()
        images = clips.colour_images(3) if colour else clips.grey_images(3)
        header = {"SequenceOfUltrasoundRegions": [region], "ViewName": "A4C", "WindowCenter": "128", "WindowWidth": 256}
        clips.write_dicom(file, clips.dicom_dataset(images, "RGB" if colour else "MONOCHROME2", **header), syntax)

    return write


def _frames(frames: Callable[[], list[bytes]], syntax: UID) -> Callable[[io.BytesIO], object]:
    return lambda file: compressed(file, clips.grey_images(3), frames(), syntax)


def _mp4() -> list[bytes]:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as written:
        stream = written.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for image in clips.grey_images(6):
            written.mux(stream.encode(av.VideoFrame.from_ndarray(image, "gray").reformat(format="yuv420p")))
        written.mux(stream.encode())
    return [file.getvalue()]


_BASES: dict[str, Callable[[io.BytesIO], object]] = {
    "explicit": _plain(ExplicitVRLittleEndian),
    "colour": _plain(ExplicitVRLittleEndian, colour=True),
    "deflated": _plain(DeflatedExplicitVRLittleEndian),
    "rle": _plain(RLELossless, colour=True),
    "jpeg-2000": _plain(JPEG2000Lossless),
    "jpeg-ls": _plain(JPEGLSLossless),
    "jpeg": _frames(lambda: jpegs(clips.grey_images(3)), clips.UID("1.2.840.10008.1.2.4.50")),
    "lossless-jpeg": _frames(lambda: [lossless_jpeg(image, 8) for image in clips.grey_images(2)], JPEGLossless),
    "video": _frames(_mp4, MPEG4HP41),
}


def _data_set(data: bytes) -> int:
    """Where it begins behind the meta information."""
    return 144 + int(struct.unpack_from("<L", data, 140)[0])


def _patched(kind: str, mark: bytes, at: int, numbers: bytes, first: int = 0) -> bytes:
    """A base with other bytes in the head of each codestream from the `first` on."""
    data, place, count = bytearray(base(kind)), -1, 0
    while (place := data.find(mark, place + 1)) >= 0:
        if count >= first:
            data[place + at : place + at + len(numbers)] = numbers
        count += 1
    return bytes(data)


def _sized(kind: str, rows: int, columns: int) -> bytes:
    """A base whose header says another size."""
    data = base(kind)
    for tag, number in ((b"\x28\x00\x10\x00US\2\0", rows), (b"\x28\x00\x11\x00US\2\0", columns)):
        at = data.index(tag) + 8
        data = data[:at] + struct.pack("<H", number) + data[at + 2 :]
    return data


def _inflating(before: bytes, size: int, behind: bytes = b"") -> bytes:
    """A deflated file: some bytes, `size` zeros, some more. It is made of one block, again and again."""
    start, block = _data_set(base("deflated")), bytes(2**24)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = squeeze.compress(before) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    end = squeeze.compress(behind) + squeeze.flush()
    return base("deflated")[:start] + head + again * (size // len(block)) + end


def _before_pixels(inserted: bytes) -> bytes:
    data = base("explicit")
    at = data.index(b"\x28\x00\x02\x00US")
    return data[:at] + inserted + data[at:]


def _many_scans() -> bytes:
    import cv2
    import numpy as np

    settings = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    whole = cv2.imencode(".jpg", np.zeros((1000, 1000), np.uint8), settings)[1].tobytes()
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    frame = whole[:-2] + scan[:12] * 20_000 + b"\xff\xd9"
    file = io.BytesIO()
    compressed(file, np.zeros((2, 1000, 1000), np.uint8), [frame, frame])
    return file.getvalue()


_SIZ, _SOF_LS = b"\xff\x4f\xff\x51", b"\xff\xf7\x00\x0b"
_HUGE, _TINY = struct.pack(">II", 60_000, 60_000), struct.pack(">II", 1, 1)
_PIXELS = b"\xe0\x7f\x10\x00OW\0\0"

_CORPUS: dict[str, Callable[[], bytes]] = {
    "JPEG 2000 of 60000x60000": lambda: _patched("jpeg-2000", _SIZ, 8, _HUGE),
    "JPEG 2000 of 3000x3000 in some bytes": lambda: _patched("jpeg-2000", _SIZ, 8, struct.pack(">II", 3000, 3000)),
    "JPEG 2000 whose second frame is huge": lambda: _patched("jpeg-2000", _SIZ, 8, _HUGE, 1),
    "JPEG 2000 of a tile a pixel": lambda: _patched("jpeg-2000", _SIZ, 24, _TINY),
    "JPEG 2000 of no size": lambda: _patched("jpeg-2000", _SIZ, 8, bytes(8)),
    "JPEG-LS of 60000x60000": lambda: _patched("jpeg-ls", _SOF_LS, 5, struct.pack(">HH", 60_000, 60_000)),
    "JPEG-LS of 3000x3000 in some bytes": lambda: _patched("jpeg-ls", _SOF_LS, 5, struct.pack(">HH", 3000, 3000)),
    "JPEG of 3000x3000 in some bytes": lambda: _patched("jpeg", b"\xff\xc0", 5, struct.pack(">HH", 3000, 3000)),
    "JPEG of 20,000 scans": _many_scans,
    "RLE of 60000x60000": lambda: _sized("rle", 60_000, 60_000),
    "RLE of 3000x3000 in some bytes": lambda: _sized("rle", 3000, 3000),
    "pixels of 2 GB, deflated": lambda: _inflating(_PIXELS + struct.pack("<L", 2**31), 2**31),
    "an element of 2 GB, deflated": lambda: _inflating(b"\x09\0\x10\0OB\0\0" + struct.pack("<L", 2**31), 2**31),
    "20,000 sequences in sequences": lambda: _before_pixels(nested(20_000, stated=False)),
    "2,000 sequences in sequences, with lengths": lambda: _before_pixels(nested(2000, stated=True)),
    "an element of 4 GB": lambda: _before_pixels(b"\x09\0\x10\0OB\0\0\xf0\xff\xff\xff"),
}
