"""As much of Protocol Buffers as it takes to read what an ONNX file says of itself, and to write a small one."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator
from pathlib import Path


def opened(path: Path) -> memoryview:
    """The message in a file. It is mapped, not read: of a model's weights no page is touched.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    if not path.is_file():  # a pipe would block
        raise FileNotFoundError(errno.ENOENT, "no such file")
    with path.open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: int | bytes) -> bytes:
    """A field: an integer, or bytes with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def text_field(number: int, text: str) -> bytes:
    """A field of text."""
    return field(number, text.encode())


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field, in order, but for numbers of fixed width.

    Raises:
        ValueError: it is no message, or a truncated one.
    """
    at = 0
    while at < len(message):
        tag, at = _varint_at(message, at)
        number, wire = tag >> 3, tag & 7
        if number == 0 or wire not in (0, 1, 2, 5):
            raise ValueError(f"expected a Protocol Buffers message, found field {number} of wire type {wire}")
        if wire == 0:
            found, at = _varint_at(message, at)
            yield number, found
        elif wire == 2:
            length, at = _varint_at(message, at)
            if at + length > len(message):
                raise ValueError("expected a whole message, found a truncated one")
            yield number, message[at : at + length]
            at += length
        else:
            at += 8 if wire == 1 else 4


def messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """As `fields`, of those that hold text, bytes or a message of their own."""
    return ((number, content) for number, content in fields(message) if isinstance(content, memoryview))


def varints(content: int | memoryview) -> list[int]:
    """The integers of a repeated field: one of its own for each, or several packed into one."""
    if isinstance(content, int):
        return [content]
    found, at = [], 0
    while at < len(content):
        number, at = _varint_at(content, at)
        found.append(number)
    return found


def text(content: memoryview) -> str:
    """A field's text; ValueError where it is not UTF-8."""
    return bytes(content).decode()


def _varint_at(message: memoryview, at: int) -> tuple[int, int]:
    """The integer there, and where the next field begins."""
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("expected a whole message, found a truncated one")
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
