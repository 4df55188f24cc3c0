"""A sequence of images as its file stores it, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import SourceFormatError
from echo_rt.sources.limits import PACKED_RATIO, limits, stored_bytes

_FRAME_FIELD = re.compile(r"Seq_Frame(\d{1,9})_(Timestamp|UnfilteredTimestamp|ImageStatus|Status)")


@dataclass(frozen=True)
class Stored:
    """What a header says, and the images.

    Attributes:
        frames: of the sequence.
        read: gives the images from the first one on, each call anew: (H, W) or (H, W, channels) as stored.
        spacing_mm: height and width of a pixel, None where the header has none.
        step_s: seconds from frame to frame, None where the header has none.
        fields: what PLUS says of each frame and of all of them.
    """

    frames: int
    read: Callable[[], Iterator[NDArray[Any]]]
    spacing_mm: tuple[float, float] | None = None
    step_s: float | None = None
    fields: PlusFields = field(default_factory=lambda: PlusFields({}))


class PlusFields:
    """What PLUS and 3D Slicer write into the headers of sequences, beside what their formats know.

    See "Sequence file" and "Ultrasound image orientation" in PLUS's user manual.

    Args:
        header: all fields of the file.

    Attributes:
        orientation: which way the columns and the rows go, by the probe: M and U, the marked and the unmarked side, F
            and N, far and near; empty where the header does not say.
        kind: what the images show, such as BRIGHTNESS; empty where the header does not say.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        self.orientation = _first(header, "UltrasoundImageOrientation", "ultrasound image orientation").upper()
        self.kind = _first(header, "UltrasoundImageType", "ultrasound image type").upper()
        self._times: dict[int, float] = {}
        self._invalid: set[int] = set()
        for name, value in header.items():
            if (found := _FRAME_FIELD.fullmatch(name)) is not None:
                self._note(int(found[1]), found[2], str(value).strip())

    def _note(self, frame: int, name: str, value: str) -> None:
        if name.endswith("Status"):
            if value.upper() != "OK":
                self._invalid.add(frame)
        elif name == "Timestamp" or frame not in self._times:
            try:
                self._times[frame] = float(value)
            except ValueError:
                self._invalid.add(frame)

    def times(self, frames: int) -> list[float] | None:
        """Seconds of every frame, None unless each has a time."""
        times = [self._times.get(frame, np.nan) for frame in range(frames)]
        return times if np.isfinite(times).all() else None

    def is_valid(self, frame: int) -> bool:
        """Whether the image of a frame is one."""
        return frame not in self._invalid


def _first(header: Mapping[str, Any], *names: str) -> str:
    return next((str(header[name]).strip() for name in names if name in header), "")


def refusal(path: Path, expected: str, found: str, todo: str) -> SourceFormatError:
    """The error for a file that is not as it should be."""
    return SourceFormatError(f"{path}: expected {expected}, found {found}; {todo}")


def check_size(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], image: tuple[int, int], data: Path, *, whole: bool = False
) -> None:
    """Refuse what is empty, or so large that only damage explains it.

    Args:
        shape: all axes.
        image: rows and columns.
        data: the file of the samples, packed or not.
        whole: all images have to be in memory at once.

    Raises:
        SourceFormatError: see above.
    """
    size = dtype.itemsize
    for length in shape:
        size *= int(length)
    if size <= 0 or min(shape) < 1:
        raise refusal(path, "images", "a header without any", "check that it is the right file")
    allowed = limits()
    excess = allowed.pixels(image[0] * image[1]) or allowed.decoded(size, stored_bytes(data), PACKED_RATIO)
    if excess := excess or (allowed.held(size) if whole else None):
        raise refusal(path, *excess)


def frames_from(file: IO[bytes], path: Path, frames: int, shape: tuple[int, ...], dtype: Any) -> Iterator[NDArray[Any]]:
    """Images that follow one another in a file, uncompressed.

    Raises:
        SourceFormatError: it ends before the last one.
    """
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    for index in range(frames):
        data = file.read(size)
        if len(data) < size:
            expected, todo = f"{frames} frames, as its header says", "the file is truncated, copy it again"
            raise refusal(path, expected, f"{index}", todo)
        yield np.frombuffer(data, dtype).reshape(shape)


def axis_of_time(path: Path, shape: tuple[int, ...]) -> int:
    """How many images an image of these axes holds, (x, y, t) or (x, y, 1, t).

    Raises:
        SourceFormatError: it is a volume over time, or has another number of axes.
    """
    rest = [length for length in shape[2:] if length != 1]
    if len(shape) < 2 or len(rest) > 1:
        found = f"{len(shape)} axes of {' x '.join(map(str, shape))}"
        raise refusal(path, "a sequence of flat images", found, "give one slice of the volume")
    return rest[0] if rest else 1
