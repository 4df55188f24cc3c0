"""NIfTI (.nii, .nii.gz), as CAMUS and most of research writes it, by nibabel."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import MissingExtraError
from echo_rt.sources.kinds import Kind
from echo_rt.sources.volumes.stored import Stored, axis_of_time, check_size, refusal

_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
_MILLIMETRES = {"mm": 1.0, "meter": 1e3, "micron": 1e-3, "unknown": 1.0}


def read_nifti(path: Path, kind: Kind) -> Stored:
    """The sequence at `path`, stored as (x, y, t) or (x, y, 1, t): x goes along a row.

    Raises:
        MissingExtraError: nibabel is not installed.
        SourceFormatError: its header cannot be read, or says something that is not supported.
    """
    header = _header(path, kind)
    shape, zooms = header.get_data_shape(), header.get_zooms()
    dtype = header.get_data_dtype()
    if dtype.kind == "c":
        raise refusal(path, "real samples", f"complex ones ({dtype})", "export it with 8 bits")
    frames = axis_of_time(path, shape)
    data = path
    if header["magic"].item().startswith(b"ni"):
        data = next((beside for end in (".img", ".img.gz") if (beside := path.with_suffix(end)).is_file()), data)
        if data is path:
            raise refusal(path, f"the samples in {path.with_suffix('.img').name} beside it", "none", "copy it there")
    check_size(path, shape, dtype, (shape[1], shape[0]), data)
    try:
        space, time = header.get_xyzt_units()
    except KeyError:
        space = time = "unknown"
    scale = _MILLIMETRES.get(space, 1.0)
    spacing = (scale * float(zooms[1]), scale * float(zooms[0]))
    step_s = float(zooms[3]) * _SECONDS[time] if len(zooms) > 3 and time in _SECONDS else None
    return Stored(frames, lambda: _images(path, data, header, frames), spacing, step_s)


def _header(path: Path, kind: Kind) -> Any:
    try:
        from nibabel.imageglobals import logger
        from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
        from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
        from nibabel.spatialimages import HeaderDataError
    except ImportError:
        raise MissingExtraError(f"{path}: to read {kind.name}", "volumes") from None
    kinds: Any = {
        (False, False): Nifti1Header,
        (False, True): Nifti1PairHeader,
        (True, False): Nifti2Header,
        (True, True): Nifti2PairHeader,
    }
    with _opened(path) as file:
        # It prints what it mends, such as a pixel size of 0.
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            # A packed file may break off or be damaged at any of these reads.
            first = file.read(4)
            file.seek(0)
            second = 540 in (int.from_bytes(first, "little"), int.from_bytes(first, "big"))
            file.seek(4 if second else 344)
            pair = file.read(3)[:2] == b"ni"
            file.seek(0)
            header = kinds[second, pair].from_fileobj(file)
            # A slope without an offset, and an offset that is no number, show here, not when the header is read.
            header.get_slope_inter()
            header.get_data_offset()
            return header
        except (HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
            found = f"a damaged one ({type(error).__name__})"
            raise refusal(path, "a NIfTI header", found, "copy it again") from None
        finally:
            logger.setLevel(level)


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def _images(path: Path, data: Path, header: Any, frames: int) -> Iterator[NDArray[Any]]:
    from nibabel.arrayproxy import ArrayProxy

    with _opened(data) as file:
        stored: Any = ArrayProxy(file, header)  # type: ignore[no-untyped-call]
        for index in range(frames):
            # One axis is that of time; those beside have the length 1.
            wanted = tuple(
                slice(None) if axis < 2 else min(index, length - 1) for axis, length in enumerate(stored.shape)
            )
            try:
                image = np.asarray(stored[wanted])
            except (OSError, EOFError, ValueError, zlib.error):
                expected, todo = f"{frames} frames, as its header says", "the file is truncated, copy it again"
                raise refusal(path, expected, f"{index}", todo) from None
            if image.dtype.names:  # red, green and blue
                image = np.stack([image[name] for name in image.dtype.names], axis=-1)
            yield image.swapaxes(0, 1)
