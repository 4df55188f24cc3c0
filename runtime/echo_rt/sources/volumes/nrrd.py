"""NRRD (.nrrd, .seq.nrrd), as 3D Slicer and PLUS write it, by pynrrd."""

from __future__ import annotations

import bz2
import gzip
import math
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import MissingExtraError
from echo_rt.sources.base import one_line
from echo_rt.sources.kinds import Kind
from echo_rt.sources.limits import open_regular
from echo_rt.sources.volumes.axes import MOST_CHANNELS
from echo_rt.sources.volumes.stored import PlusFields, Stored, check_size, refusal

_TIME = ("list", "time")
_COLOUR = ("vector", "RGB-color", "RGBA-color", "3-color", "4-color", "covariant-vector")
_CHUNK = 2**20
_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "": 1.0}


def read_nrrd(path: Path, kind: Kind) -> Stored:
    """The sequence at `path`: its axis of time is the one of kind list or time, else the last.

    Raises:
        MissingExtraError: pynrrd is not installed.
        SourceFormatError: its header cannot be read, or says something that is not supported.
    """
    try:
        import nrrd
    except ImportError:
        raise MissingExtraError(f"{path}: to read {kind.name}", "volumes") from None
    header = _header(path, nrrd)
    try:
        sizes = tuple(int(size) for size in header["sizes"])
        dtype = nrrd.reader._determine_datatype(header)
    except (KeyError, ValueError, TypeError, nrrd.NRRDError) as error:
        raise _damaged(path, error) from None
    time, colour, flat = _axes(path, header, sizes)
    data = _data(path, header)
    check_size(path, sizes, dtype, (sizes[flat[1]], sizes[flat[0]]), data, whole=True)
    frames = sizes[time] if time is not None else 1

    wanted = [*([time] if time is not None else []), *flat[::-1], *([colour] if colour is not None else [])]
    kept = sorted(wanted)

    def read() -> Iterator[NDArray[Any]]:
        # (x, y, ...) as the header orders them; what is not wanted has the length 1.
        samples = _samples(path, data, header, math.prod(sizes) * dtype.itemsize, nrrd)
        samples = samples[tuple(slice(None) if axis in kept else 0 for axis in range(len(sizes)))]
        images = samples.transpose([kept.index(axis) for axis in wanted])
        yield from images if time is not None else images[np.newaxis]

    spacing = _spacing(header, flat)
    fields = PlusFields(header)
    step_s, times = _clock(header, time, frames)
    if times is not None and fields.times(frames) is None:
        fields = PlusFields({**header, **{f"Seq_Frame{n:04d}_Timestamp": t_s for n, t_s in enumerate(times)}})
    return Stored(frames, read, spacing, step_s, fields)


def _header(path: Path, nrrd: Any) -> Any:
    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return nrrd.read_header(file)
        except (nrrd.NRRDError, ValueError, KeyError, IndexError, StopIteration) as error:
            raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> Exception:
    return refusal(path, "an NRRD header", f"a damaged one ({one_line(error)})", "copy it again")


def _data(path: Path, header: Any) -> Path:
    """The file of the samples: never one outside of the header's own folder, and no list of files."""
    name = str(header.get("data file", header.get("datafile", "")))
    if not name:
        return path
    if name.upper().startswith("LIST") or "%" in name:
        raise refusal(path, "one file of samples", f"several ({one_line(name)})", "export it as one file")
    beside = path.parent / Path(name.replace("\\", "/")).name
    if not beside.is_file():
        raise refusal(path, f"the file of samples {one_line(beside.name)} beside it", "none", "copy it there")
    return beside


def _samples(path: Path, data: Path, header: Any, size: int, nrrd: Any) -> NDArray[Any]:
    """All samples, the axes in the header's order; what is packed holds `size` bytes."""
    with open_regular(path) as file:
        try:
            nrrd.read_header(file)
            if data != path:
                header = {**header, "data file": str(data.absolute())}
                header.pop("datafile", None)
            with open_regular(data) if data != path else nullcontext(file) as stored:
                at = stored.tell()
                _check_length(stored, header, size)
                stored.seek(at)
            return np.asarray(nrrd.read_data(header, file, str(path)))
        except (nrrd.NRRDError, OSError, EOFError, ValueError, zlib.error) as error:
            found = f"others ({one_line(error)})"
            raise refusal(
                path, "as many samples as the header says", found, "the file is truncated, copy it again"
            ) from None


def _check_length(file: BinaryIO, header: Any, size: int) -> None:
    """See that samples are not longer than `size`: pynrrd reads and unpacks them to their end, whatever it takes.

    Raises:
        ValueError, OSError, EOFError, zlib.error: they are longer, or damaged.
    """
    encoding = str(header.get("encoding", ""))
    for _ in range(int(header.get("lineskip", header.get("line skip", 0)))):
        if not file.readline(_CHUNK):
            break
    skip = int(header.get("byteskip", header.get("byte skip", 0)))
    left = size + (skip if skip >= 0 else _CHUNK)
    if encoding == "raw" and skip >= 0:
        left -= os.fstat(file.fileno()).st_size - file.tell()
    elif encoding in ("gzip", "gz", "bzip2", "bz2"):
        with bz2.open(file) if encoding.startswith("b") else gzip.open(file) as packed:
            while left >= 0 and (part := packed.read(min(_CHUNK, left + 1))):
                left -= len(part)
    if left < 0:
        raise ValueError(f"more than {size} bytes")


def _axes(path: Path, header: Any, sizes: tuple[int, ...]) -> tuple[int | None, int | None, list[int]]:
    """Which axis is that of time, which of colour, and which two are those of a picture, x and y."""
    kinds = [str(kind) for kind in header.get("kinds", ["???"] * len(sizes))]
    colour = next((axis for axis, kind in enumerate(kinds) if kind in _COLOUR and sizes[axis] <= MOST_CHANNELS), None)
    time = next((axis for axis, kind in enumerate(kinds) if kind in _TIME), None)
    flat = [axis for axis in range(len(sizes)) if axis not in (time, colour)]
    while len(flat) > 2 and any(sizes[axis] == 1 for axis in flat):
        flat.remove(next(axis for axis in reversed(flat) if sizes[axis] == 1))
    if time is None and len(flat) == 3:
        time = flat.pop()
    if len(flat) != 2:
        found = f"{len(sizes)} axes of {' x '.join(map(str, sizes))}"
        raise refusal(path, "a sequence of flat images", found, "give one slice of the volume")
    return time, colour, flat


def _spacing(header: Any, flat: list[int]) -> tuple[float, float] | None:
    """Height and width of a pixel in mm, by the lengths of the axes' directions or by the plain spacings."""
    directions, spacings = header.get("space directions"), header.get("spacings")
    units = header.get("space units", [])
    if any(str(unit) not in ("mm", "") for unit in units):
        return None
    try:
        if directions is not None:
            x, y = (float(np.linalg.norm(np.asarray(directions[axis], float))) for axis in flat)
        elif spacings is not None:
            x, y = (float(spacings[axis]) for axis in flat)
        else:
            return None
    except (TypeError, ValueError, IndexError):
        return None
    return (y, x) if np.isfinite((x, y)).all() else None


def _clock(header: Any, time: int | None, frames: int) -> tuple[float | None, list[float] | None]:
    """Seconds from frame to frame, or the seconds of all frames; None for what the header does not say."""
    if time is None:
        return None, None
    units = [str(unit) for unit in header.get("units", [])]
    scale = _SECONDS.get(units[time] if time < len(units) else "")
    if scale is None:
        return None, None
    values = str(header.get(f"axis {time} index values", "")).split()
    if len(values) == frames:
        try:
            return None, [scale * float(value) for value in values]
        except ValueError:
            return None, None
    spacings = header.get("spacings")
    step = float(spacings[time]) if spacings is not None and np.isfinite(spacings[time]) else None
    return None if step is None else scale * step, None
