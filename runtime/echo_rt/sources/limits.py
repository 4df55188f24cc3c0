"""How much work a recording may ask for: every limit of the readers, held before the work is done where that can be.

A file of some kilobytes can name pictures of gigabytes, by a wrong header or on purpose. What it names is held against
these limits, and against what so many bytes can hold. Each limit is a variable of the environment, see `variable`.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from echo_rt.errors import ParameterError

VIDEO_RATIO = 10_000
"""Bytes of pictures that a byte of a file may become. A still screen of 1080 lines in H.264 has 3,000."""

PACKED_RATIO = 100
"""The same where nothing is lost: a beating heart has noise, and comes to 2 to 20."""


class Excess(NamedTuple):
    """What is too much: the parts of an error's text."""

    expected: str
    found: str
    todo: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording may ask for.

    Attributes:
        frame_pixels: of one picture. A screen in 4K has 8.8 million.
        frames: of a recording: ten hours.
        decoded_bytes: of all pictures together; more only where the file is as large as its pictures deserve.
        held_bytes: of what has to be in memory as a whole: a deflated DICOM file, an NRRD file, a frame in the making.
        frame_s: of CPU time for one frame.
        silence_s: that a batch waits for a sign of life of a recording.
    """

    frame_pixels: int = 10_000_000
    frames: int = 2**20
    decoded_bytes: int = 2**30
    held_bytes: int = 2**29
    frame_s: float = 5.0
    silence_s: float = 600.0

    def pixels(self, count: int) -> Excess | None:
        """What is wrong with a picture of so many pixels, None where nothing is."""
        if count <= self.frame_pixels:
            return None
        return _excess("frame_pixels", f"{self.frame_pixels:,} pixels a frame", f"{count:,}")

    def unsized(self) -> Excess:
        """What is wrong with pictures that a library refuses for their size, and does not tell it."""
        return _excess("frame_pixels", f"{self.frame_pixels:,} pixels a frame", "more, or none")

    def decoded(self, size: float, stored: int, ratio: int = VIDEO_RATIO) -> Excess | None:
        """What is wrong with so many bytes of pictures from a file of `stored` bytes, None where nothing is."""
        most = max(self.decoded_bytes, ratio * stored)
        if size <= most:
            return None
        return _excess("decoded_bytes", f"{_mb(most)} of pictures in {_mb(stored)} of file", _mb(size))

    def held(self, size: float) -> Excess | None:
        """What is wrong with so many bytes that have to be in memory at once, None where nothing is."""
        if size <= self.held_bytes:
            return None
        return _excess("held_bytes", f"{_mb(self.held_bytes)} that have to be in memory at once", _mb(size))

    def count(self, frames: int) -> Excess | None:
        """What is wrong with so many frames, None where nothing is."""
        return None if frames <= self.frames else _excess("frames", f"{self.frames:,} frames", f"{frames:,}")

    def seconds(self, taken_s: float) -> Excess | None:
        """What is wrong with a frame that took so long, None where nothing is."""
        if taken_s <= self.frame_s:
            return None
        return _excess("frame_s", f"{self.frame_s:g} s of work for a frame", f"{taken_s:.0f} s")


def limits() -> Limits:
    """Those that hold, as the environment has them.

    Raises:
        ParameterError: a variable is not a positive number.
    """
    given: dict[str, Any] = {}
    for field in fields(Limits):
        if (text := os.environ.get(variable(field.name))) is None:
            continue
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise ParameterError(
                f"{variable(field.name)}: expected a positive number, found {text[:40]!r}; "
                f"leave it out for {field.default:,}"
            )
        given[field.name] = number if field.name.endswith("_s") else int(number)
    return Limits(**given)


def variable(limit: str) -> str:
    """The variable of the environment that sets a limit, such as ECHO_RT_MAX_FRAME_PIXELS."""
    return "ECHO_RT_MAX_" + limit.upper()


def _excess(limit: str, most: str, found: str) -> Excess:
    return Excess(f"at most {most}", found, f"it is damaged, or set {variable(limit)} higher")


def _mb(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,.0f} bytes"


def open_regular(path: Path) -> BinaryIO:
    """The file at `path`, for reading. A pipe or a device is refused, and never waited for.

    Raises:
        OSError: it cannot be opened, or is no file.
    """
    # Asked of what was opened: a name may stand for something else a moment later. Without waiting for a pipe's writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "a pipe, a device or a folder", str(path))
    return os.fdopen(handle, "rb")


def stored_bytes(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 of what is not there."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        with os.scandir(path) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0
