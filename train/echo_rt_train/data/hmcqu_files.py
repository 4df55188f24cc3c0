"""The files of HMC-QU beside its recordings: wall masks (.mat) and the table of cycles; see
`echo_rt_train.data.hmcqu`."""

from __future__ import annotations

import csv
import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError, MissingExtraError, first_line
from echo_rt_train.data.sample import SampleError
from echo_rt_train.data.tables import is_file

VARIABLE = "predicted"
_NUMBER = r"\d{1,7}(\.0)?"

UNPACKED_BYTES = 2**28
"""Of an Excel file, which is a ZIP archive, and of what is packed in a .mat file: those of HMC-QU have a tenth."""

_HEADER, _COMPRESSED = 128, 15
"""Bytes before the first element of a MAT-file of version 5, and the type of an element that is packed."""

_NUMBERS = ("double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


def read_walls(path: Path) -> NDArray[np.bool_]:
    """The wall masks (N, h, w) of a Mask_*.mat.

    Raises:
        SampleError: it is missing, damaged, of MATLAB 7.3, or without ``predicted``.
        MissingExtraError: SciPy is not installed.
    """
    try:
        from scipy.io import loadmat, whosmat
    except ImportError:
        raise MissingExtraError("reading MATLAB files", "train") from None
    if not is_file(path):  # a pipe would block
        raise SampleError(f"{path}: expected a .mat file, found no file", "missing file")
    try:
        data = _unpacked(path)
        held = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))}.get(VARIABLE)
        # Of other kinds SciPy makes room for as many parts as the header says.
        plain = held is not None and held[1] in _NUMBERS
        stored = loadmat(io.BytesIO(data), variable_names=[VARIABLE])[VARIABLE] if plain else None
    except SampleError:
        raise
    except NotImplementedError:  # what SciPy says to the HDF5 of version 7.3
        raise SampleError(
            f"{path}: expected a .mat file up to version 7, found version 7.3; in MATLAB, save it with '-v7'"
        ) from None
    except Exception as error:  # noqa: BLE001 - SciPy does not say what a damaged file raises
        raise SampleError(
            f"{path}: expected a .mat file, found none that can be read ({type(error).__name__}); copy it again"
        ) from None
    if stored is None or stored.ndim != 3 or 0 in stored.shape:
        found = "none" if held is None else " ".join(map(str, held))
        raise SampleError(f"{path}: expected {VARIABLE} of (frames, height, width), found {found}")
    low, high = stored.min(), stored.max()
    if not (low >= 0 and high <= 1):  # also where one is not a number
        raise SampleError(f"{path}: expected 0 and 1 (wall), found {low:g} to {high:g}", "unknown labels")
    return np.asarray(stored > 0.5)


def _unpacked(path: Path) -> bytes:
    """A .mat file whose packed elements are unpacked. SciPy has no ceiling for them.

    Raises:
        SampleError: they come to more than `UNPACKED_BYTES`.
        ValueError, zlib.error: they are damaged.
    """
    with path.open("rb") as stream:
        data = stream.read(UNPACKED_BYTES + 1)
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None or 0 in data[:4]:  # version 4 packs nothing
        return _held(path, data)
    parts, at = [data[:_HEADER]], _HEADER
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, at)
        part = data[at : at + 8 + size]
        at += 8 + size
        if kind == _COMPRESSED:
            packed = zlib.decompressobj()
            part = packed.decompress(part[8:], UNPACKED_BYTES + 1)
            if not packed.eof and len(part) <= UNPACKED_BYTES:
                raise ValueError("a packed element is cut off")
        parts.append(part)
        _held(path, part, sum(map(len, parts[:-1])))
    return b"".join(parts)


def _held(path: Path, part: bytes, before: int = 0) -> bytes:
    """The same bytes; SampleError where they and those before are too many."""
    if before + len(part) > UNPACKED_BYTES:
        wrong = f"expected at most {UNPACKED_BYTES:,} bytes of masks, found more"
        raise SampleError(f"{path}: {wrong}; it is damaged, leave it out")
    return part


def read_cycles(table: Path) -> dict[str, tuple[int, int]]:
    """First and last frame of the cycle, counted from 1, by the recording's key; lines without both are left out.

    Raises:
        DataError: it cannot be read, or a column is missing.
        MissingExtraError: it is an Excel file, and openpyxl is not installed.
    """
    rows = list(_rows(table))
    head = next((i for i, row in enumerate(rows) if _word(row[0]) == "echo"), None)
    if head is None:
        raise DataError(
            f"{table}: expected a column ECHO, then Reference Frame and End of Cycle, found no ECHO in the first column"
        )
    # Titles may stand in two rows, with a cell merged over both frames.
    below = rows[head + 1] if head + 1 < len(rows) and not rows[head + 1][0] else []
    titles = [_word(cell + (below[i] if i < len(below) else "")) for i, cell in enumerate(rows[head])]
    places = [
        next((i for i, title in enumerate(titles) if re.search(part, title)), None)
        for part in ("reference", "end.*cycle")
    ]
    if None in places:
        raise DataError(
            f"{table}: expected the columns ECHO, Reference Frame and End of Cycle, found {', '.join(rows[head])}"
        )
    found = {}
    for row in rows[head + 1 :]:
        first, last = (row[place] if place is not None and place < len(row) else "" for place in places)
        if row[0] and re.fullmatch(_NUMBER, first) and re.fullmatch(_NUMBER, last):
            found[key(row[0])] = (int(float(first)), int(float(last)))
    return found


def _rows(table: Path) -> Iterator[list[str]]:
    if not is_file(table):
        raise DataError(f"{table}: expected a table, found no file; copy it again")
    if table.suffix == ".csv":
        try:
            with table.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
                yield from (row for row in csv.reader(stream) if row)
        except csv.Error as error:
            raise DataError(f"{table}: expected a CSV file, found something else ({error}); export it again") from None
        return
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingExtraError(f"reading {table.name}", "train") from None
    try:
        with ZipFile(table) as archive:
            if sum(part.file_size for part in archive.infolist()) > UNPACKED_BYTES:
                raise ValueError(f"it holds more than {UNPACKED_BYTES} bytes")
        with closing(load_workbook(table, read_only=True, data_only=True)) as book:
            rows = [["" if cell is None else str(cell).strip() for cell in row] for row in book.worksheets[0].values]
    except Exception as error:  # noqa: BLE001 - neither openpyxl nor its XML parser says what a damaged file raises
        found = f"found none that can be read ({first_line(error)})"
        raise DataError(f"{table}: expected an Excel file, {found}; save it as {table.stem}.csv") from None
    yield from filter(None, rows)


def _word(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def key(name: str) -> str:
    """A recording's name for comparison: the tables and files write it with a stray blank here and there."""
    return re.sub(r"\s+", "", name).lower()
