"""Videos, folders of images and volumes, changed by box and by byte."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import nibabel
import nrrd
import numpy as np

from echo_rt.sources import open_source
from robustness.changes import HOSTILE, any_change, put_number
from robustness.harness import Case, chance
from support import clips
from support.volumes import IMAGES, STEADY, along_x, metaimage, nifti, nrrd_file, stamps

SEEDS = 120

Box = tuple[int, int, int]
"""Where a box begins, what is in it, and where that ends."""


def make(seed: int, folder: Path) -> Case:
    """One of the base files with one to four changes; of a folder of images one file is changed."""
    draw = chance("containers", seed)
    name = draw.choice(sorted(_BASES))
    data, names = base(name), [name]
    packed = name.endswith(".nii.gz") and draw.random() < 0.8
    if packed:
        data = gzip.decompress(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        said, data = (by_box if draw.random() < 0.6 else any_change)(data, draw)
        names.append(said)
    if packed:
        data = gzip.compress(data)
    return Case(", ".join(names), seed, _put(folder, name, data))


def run(case: Case) -> int:
    """Read it to its end, at a rate of its own where it has one."""
    with open_source(case.path, None if case.path.suffix in _CLOCKED else 25) as source:
        return sum(1 for _ in source)


def corpus(folder: Path) -> Iterator[Case]:
    """Pictures and volumes that are larger than their files can hold."""
    for number, (name, (file, made)) in enumerate(_CORPUS.items()):
        place = folder / str(number)
        place.mkdir()
        yield Case(name, None, _put(place, file, made()))


def by_box(data: bytes, draw: Random) -> tuple[str, bytes]:
    """Name and result of a change to one box, chunk or line of a header."""
    found = boxes(data)
    if not found:
        return by_word(data, draw)
    at, value, end = draw.choice(found)
    kind = draw.choice(("length", "number", "gone", "twice", "nested", "name", "cut"))
    if kind == "length":
        place = at if data[at : at + 4] not in _NAMES and not data[at : at + 4].isalpha() else at + 4
        number = draw.choice(HOSTILE) if draw.random() < 0.7 else (end - value) * 2
        order = "<" if data[:4] == b"RIFF" else ">"
        data = data[:place] + struct.pack(f"{order}I", number & 0xFFFFFFFF) + data[place + 4 :]
    elif kind == "number" and end > value:
        data = put_number(data, draw.randrange(value, min(end, value + 200)), draw)
    elif kind == "gone":
        data = data[:at] + data[end:]
    elif kind == "twice":
        data = data[:end] + data[at:end] * draw.choice((1, 2, 60)) + data[end:]
    elif kind == "nested":
        data = data[:value] + data[at:value] * draw.choice((1, 3, 200)) + data[value:]
    elif kind == "name":
        other = draw.choice(found)[0]
        data = data[: at + 4] + data[other + 4 : other + 8] + data[at + 8 :]
    elif kind == "cut":
        data = data[: draw.choice((at, value, (value + end) // 2))]
    return f"{kind} at {at}", _with_checksums(data)


def by_word(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A number in a header of text, or where there is none, one anywhere near the front."""
    words = list(re.finditer(rb"-?\d+(\.\d+)?", data[:2000])) if data[:4] in (b"NRRD", b"Obje") else []
    if not words:
        return "number at the front", put_number(data, draw.randrange(min(len(data), 400) or 1), draw)
    word = draw.choice(words)
    other = draw.choice((b"0", b"-1", b"1", b"2147483648", b"99999999999999999999", b"nan", b"1e300", b"", b"7" * 5000))
    return f"word at {word.start()}", data[: word.start()] + other + data[word.end() :]


def boxes(data: bytes) -> list[Box]:
    """Of an MP4 the boxes, of an AVI the chunks, of a PNG the chunks; those in others too."""
    if data[:4] == b"RIFF":
        return list(_chunks(data, 0, len(data)))
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return list(_png_chunks(data))
    return list(_boxes(data, 0, len(data))) if data[4:8] == b"ftyp" else []


_NAMES = (b"RIFF", b"LIST", b"hdrl", b"movi", b"idx1")
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta")


def _boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        (size,) = struct.unpack_from(">I", data, at)
        stop = min(end, at + max(size, 8))
        yield at, at + 8, stop
        if data[at + 4 : at + 8] in _PARENTS:
            yield from _boxes(data, at + 8, stop)
        at = stop


def _chunks(data: bytes, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        (size,) = struct.unpack_from("<I", data, at + 4)
        stop = min(end, at + 8 + size + size % 2)
        yield at, at + 8, stop
        if data[at : at + 4] in (b"RIFF", b"LIST"):
            yield from _chunks(data, at + 12, stop)
        at = stop


def _png_chunks(data: bytes) -> Iterator[Box]:
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        stop = min(len(data), at + 12 + size)
        yield at, at + 8, max(at + 8, stop - 4)
        at = stop


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks are believed."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    changed = bytearray(data)
    for at, _, end in _png_chunks(data):
        if end + 4 <= len(data):
            struct.pack_into(">I", changed, end, zlib.crc32(data[at + 4 : end]))
    return bytes(changed)


@cache
def base(name: str) -> bytes:
    """A small recording that is right."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        _BASES[name](path)
        return path.read_bytes()


def _put(folder: Path, name: str, data: bytes) -> Path:
    """The file; a picture is the second of a folder."""
    if not name.endswith((".png", ".tif", ".jpg", ".bmp")) or name.startswith("animated"):
        (folder / name).write_bytes(data)
        return folder / name
    (folder / "images").mkdir()
    for number in range(1, 4):
        whole = data if number == 2 or name not in _BASES else base(name)
        (folder / "images" / f"frame{number}{Path(name).suffix}").write_bytes(whole)
    return folder / "images"


def _video(codec: str, pix_fmt: str, **options: str) -> Callable[[Path], object]:
    return lambda path: clips.write_video(path, clips.grey_images(8), codec=codec, pix_fmt=pix_fmt, options=options)


def _image(path: Path) -> None:
    (clips.write_images(path.parent / "made", clips.colour_images(1), "f{}" + path.suffix) / f"f1{path.suffix}").rename(
        path
    )


def _nrrd(path: Path) -> None:
    nrrd_file(path, np.moveaxis(along_x(IMAGES), 2, 0), kinds=["list", "domain", "domain"], encoding="gzip")


_CLOCKED = (".avi", ".mp4", ".mkv", ".gif", ".ts", ".apng")

_BASES: dict[str, Callable[[Path], object]] = {
    "a.avi": _video("mjpeg", "yuvj420p"),
    "raw.avi": _video("rawvideo", "gray"),
    "a.mp4": _video("libx264", "yuv420p"),
    "mpeg4.mp4": _video("mpeg4", "yuv420p"),
    "a.mkv": _video("ffv1", "gray"),
    "a.ts": _video("mpeg2video", "yuv420p"),
    "a.gif": _video("gif", "gray"),
    "animated.apng": _video("apng", "gray"),
    "a.png": _image,
    "a.jpg": _image,
    "a.tif": _image,
    "a.bmp": _image,
    "a.nii": lambda path: nifti(path, along_x(IMAGES)),
    "a.nii.gz": lambda path: nifti(path, along_x(IMAGES)),
    "a.nrrd": _nrrd,
    "raw.nrrd": lambda path: nrrd.write(str(path), along_x(IMAGES), {"encoding": "raw"}),
    "a.mha": lambda path: metaimage(path, compressed=True, more=stamps(STEADY)),
    "raw.mha": lambda path: metaimage(path),
}


def _png(columns: int, rows: int) -> bytes:
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, held in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(2**20))), (b"IEND", b"")):
        data += struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
    return data


def _zeros(size: int, before: bytes = b"") -> bytes:
    """Gzip of so many zeros, made of one block, again and again; its check sum is wrong."""
    squeeze, block = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16), bytes(2**24)
    head = squeeze.compress(before) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return head + again * (size // len(block)) + squeeze.flush()


def _huge_nifti() -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_shape((3000, 3000, 400))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return _zeros(2**31, header.binaryblock + bytes(4))


def _nrrd_header(sizes: str) -> bytes:
    return f"NRRD0004\ntype: unsigned char\ndimension: 3\nsizes: {sizes}\nencoding: gzip\n\n".encode()


def _metaimage_header(sizes: str) -> bytes:
    return (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = True\nElementSpacing = 1 1 0.02\n"
        f"DimSize = {sizes}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    ).encode()


def _gif(columns: int, rows: int) -> bytes:
    data = bytearray(base("a.gif"))
    struct.pack_into("<HH", data, 6, columns, rows)
    return bytes(data)


_CORPUS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "PNG of 17000x17000": ("a.png", lambda: _png(17_000, 17_000)),
    "PNG of 4000000000x1": ("a.png", lambda: _png(2**31 - 1, 1)),
    "GIF of 60000x60000": ("a.gif", lambda: _gif(60_000, 60_000)),
    "NIfTI of 3.6 GB in 2 MB": ("a.nii.gz", _huge_nifti),
    "NRRD of 3.6 GB in 2 MB": ("a.nrrd", lambda: _nrrd_header("3000 3000 400") + _zeros(2**31)),
    "NRRD that holds 2 GB more than it says": ("a.nrrd", lambda: _nrrd_header("64 48 10") + _zeros(2**31)),
    "MetaImage of 3.6 GB in 2 MB": ("a.mha", lambda: _metaimage_header("3000 3000 400") + _zeros(2**31)),
    "MetaImage of 60000x60000": ("a.mha", lambda: _metaimage_header("60000 60000 2") + _zeros(2**24)),
    "MetaImage of a number with 5,000 digits": ("a.mha", lambda: _metaimage_header("7" * 5000 + " 2 2")),
}
