"""MetaImage (.mha, .mhd), as ITK, PLUS and 3D Slicer write it.

The format is a text header and raw or deflated samples; see "MetaIO" in ITK's documentation. Only SimpleITK reads it
besides, which brings 50 MB for it and takes a truncated file for a whole one.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from echo_rt.sources.base import one_line
from echo_rt.sources.kinds import Kind
from echo_rt.sources.limits import open_regular
from echo_rt.sources.volumes.stored import PlusFields, Stored, axis_of_time, check_size, frames_from, refusal

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip

_MAX_LINE = 2**16
_CHUNK = 2**18


def read_metaimage(path: Path, kind: Kind) -> Stored:
    """The sequence at `path`.

    Raises:
        SourceFormatError: its header cannot be read, or says something that is not supported.
    """
    header, start = _header(path)
    shape = _numbers(path, header, "DimSize")
    channels = int((*_numbers(path, header, "ElementNumberOfChannels", "1"), 1)[0])
    name = header.get("ElementType", "").removesuffix("_ARRAY")
    if name not in _TYPES:
        raise refusal(path, f"an ElementType of {', '.join(_TYPES)}", one_line(name or "none"), "export it with 8 bits")
    if _flag(header, "BinaryData", True) is False:
        raise refusal(path, "binary samples", "text (BinaryData = False)", "export it again")
    big = _flag(header, "BinaryDataByteOrderMSB", False) or _flag(header, "ElementByteOrderMSB", False)
    dtype = np.dtype((">" if big else "<") + _TYPES[name])
    sizes = tuple(int(length) for length in shape)
    frames = axis_of_time(path, sizes)
    columns, rows, *_ = sizes
    data = _data(path, header)
    check_size(path, (*sizes, channels), dtype, (rows, columns), data)
    image = (rows, columns) if channels == 1 else (rows, columns, channels)
    size = dtype.itemsize * frames * int(np.prod(image))

    def read() -> Iterator[NDArray[Any]]:
        with _samples(path, data, header, start, size) as file:
            yield from frames_from(file, path, frames, image, dtype)

    spacing = _numbers(path, header, "ElementSpacing", header.get("ElementSize", ""))
    spacing_mm = (spacing[1], spacing[0]) if len(spacing) >= 2 else None
    return Stored(frames, read, spacing_mm, fields=PlusFields(header))


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields, and where they end: ElementDataFile is the last."""
    header: dict[str, str] = {}
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            name, equals, value = line.decode("utf-8", "replace").partition("=")
            if not equals:
                break
            header[name.strip()] = value.strip()
            if name.strip() == "ElementDataFile":
                return header, file.tell()
    raise refusal(path, "a MetaImage header", "one without ElementDataFile", "copy it again")


def _numbers(path: Path, header: dict[str, str], name: str, default: str = "") -> tuple[float, ...]:
    try:
        found = tuple(float(number) for number in header.get(name, default).split())
    except ValueError:
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise refusal(path, f"numbers as {name}", "something else", "copy it again")
    return found


def _flag(header: dict[str, str], name: str, default: bool) -> bool:
    return header.get(name, str(default)).lower() in ("true", "t", "1")


@contextmanager
def _samples(path: Path, data: Path, header: dict[str, str], start: int, size: int) -> Iterator[IO[bytes]]:
    """The samples, uncompressed."""
    if data != path:
        start = 0
    compressed = _flag(header, "CompressedData", False)
    with open_regular(data) as file:
        skip = int((*_numbers(path, header, "HeaderSize", "0"), 0)[0])
        if skip == -1 and not compressed:
            file.seek(-size, io.SEEK_END)
        else:
            file.seek(start + max(skip, 0))
        yield cast("IO[bytes]", _Inflated(path, file)) if compressed else file


def _data(path: Path, header: dict[str, str]) -> Path:
    """The file of the samples: the one of the header, or the one that it names."""
    name = header["ElementDataFile"]
    return path if name.upper() == "LOCAL" else _beside(path, name)


def _beside(path: Path, name: str) -> Path:
    """The file of samples that a header names: never one outside of the header's own folder."""
    if name.upper().startswith("LIST") or "%" in name:
        raise refusal(path, "one file of samples", f"several ({one_line(name)})", "export it as one file")
    plain = PurePath(name.replace("\\", "/"))
    inside = [plain] if not plain.is_absolute() and ".." not in plain.parts else []
    for found in (*inside, PurePath(plain.name)):
        if (path.parent / found).is_file():
            return path.parent / found
    raise refusal(path, f"the file of samples {one_line(plain.name)} beside it", "none", "copy it there")


class _Inflated:
    """A deflated file, read from its front."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # of zlib or gzip

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            data = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            try:
                part = self._inflate.decompress(data, size)
            except zlib.error:
                raise refusal(self._path, "deflated samples", "damage", "copy it again") from None
            if not part and (not data or self._inflate.eof):
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
