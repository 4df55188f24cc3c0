"""What a camera or a capture card of Linux can do, asked of its driver (V4L2)."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CAPTURE, CAPTURE_PLANES = 1, 9
"""Kinds of buffers: pictures in one piece, or with their colours apart."""

CAN_CAPTURE, CAN_CAPTURE_PLANES, OF_THIS_NODE = 0x1, 0x1000, 0x80000000
"""Bits of the capabilities. The last says that a node has others than its whole device."""

DISCRETE = 1
"""Sizes and intervals are listed one by one; else a driver names the least, the most and the step."""

MOST = 256
"""Of each list, so many entries are asked for: a driver that never ends its list is left."""

# Numbers of `linux/videodev2.h`: direction, size of the structure, letter, number.
_QUERYCAP = 2 << 30 | 104 << 16 | ord("V") << 8 | 0
_ENUM_FMT = 3 << 30 | 64 << 16 | ord("V") << 8 | 2
_ENUM_FRAMESIZES = 3 << 30 | 44 << 16 | ord("V") << 8 | 74
_ENUM_FRAMEINTERVALS = 3 << 30 | 52 << 16 | ord("V") << 8 | 75


@dataclass(frozen=True, slots=True)
class Mode:
    """A pixel format and a size that a device offers.

    Attributes:
        pixel_format: four letters, such as MJPG or YUYV.
        size: (width, height) in pixels; the largest where a driver takes any up to it.
        fps: frames a second, the most first; empty where the driver does not say.
        largest: whether smaller sizes are there too.
    """

    pixel_format: str
    size: tuple[int, int]
    fps: tuple[float, ...]
    largest: bool = False

    def offers(self, size: tuple[int, int]) -> bool:
        """Whether a picture of that size can be had."""
        return self.size == size or (self.largest and self.size[0] >= size[0] and self.size[1] >= size[1])

    def __str__(self) -> str:
        width, height = self.size
        rates = f" at {', '.join(f'{rate:.4g}' for rate in self.fps)} fps" if self.fps else ""
        return f"{self.pixel_format} {'up to ' if self.largest else ''}{width}x{height}{rates}"


def modes(device: Path) -> list[Mode]:
    """Every mode that the driver lists, in its order.

    Raises:
        OSError: the device cannot be opened or asked.
    """
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        kind = _kind(handle)
        return [mode for pixel_format in _formats(handle, kind) for mode in _sizes(handle, pixel_format)]
    finally:
        os.close(handle)


def _kind(handle: int) -> int:
    said = _ask(handle, _QUERYCAP, bytes(104))
    if said is None:
        raise OSError(errno.ENOTTY, "no camera")
    whole, node = struct.unpack_from("=II", said, 84)
    can = node if whole & OF_THIS_NODE else whole
    if not can & (CAN_CAPTURE | CAN_CAPTURE_PLANES):
        raise OSError(errno.ENOTTY, "no camera")
    return CAPTURE if can & CAN_CAPTURE else CAPTURE_PLANES


def _formats(handle: int, kind: int) -> Iterator[bytes]:
    for said in _list(handle, _ENUM_FMT, lambda index: struct.pack("=II56x", index, kind)):
        yield bytes(said[44:48])


def _sizes(handle: int, pixel_format: bytes) -> Iterator[Mode]:
    name = pixel_format.decode("latin-1").strip()
    for said in _list(handle, _ENUM_FRAMESIZES, lambda index: struct.pack("=I4s36x", index, pixel_format)):
        listed, *numbers = struct.unpack_from("=7I", said, 8)
        if listed == DISCRETE:
            size, largest = (numbers[0], numbers[1]), False
        else:  # widths from, to and in steps of; then heights
            size, largest = (numbers[1], numbers[4]), True
        yield Mode(name, size, _rates(handle, pixel_format, size), largest)


def _rates(handle: int, pixel_format: bytes, size: tuple[int, int]) -> tuple[float, ...]:
    found = set()
    for said in _list(handle, _ENUM_FRAMEINTERVALS, lambda index: struct.pack("=I4sII36x", index, pixel_format, *size)):
        # Seconds as a fraction: the only one of this entry, or the shortest of a step-wise list.
        over, under = struct.unpack_from("=II", said, 20)
        if over:
            found.add(under / over)
    return tuple(sorted(found, reverse=True))


def _list(handle: int, request: int, entry: Callable[[int], bytes]) -> Iterator[bytes]:
    """The driver's entries from 0 on, until it has no more."""
    for index in range(MOST):
        said = _ask(handle, request, entry(index))
        if said is None:
            return
        yield said


def _ask(handle: int, request: int, given: bytes) -> bytes | None:
    """What the driver makes of a structure; None where it has no answer."""
    import fcntl  # Windows has none

    said = bytearray(given)
    try:
        fcntl.ioctl(handle, request, said)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return None
        raise
    return bytes(said)
