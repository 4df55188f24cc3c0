"""As much of Protocol Buffers as it takes to write a one-node ONNX model and to read the shapes of another."""

from __future__ import annotations

from collections.abc import Iterator


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: int | bytes) -> bytes:
    """A field: a whole number, or bytes with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def text_field(number: int, text: str) -> bytes:
    """A field of text."""
    return field(number, text.encode())


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field of a message.

    Raises:
        ValueError: it is none.
    """
    at = 0
    while at < len(message):
        tag, at = varint_at(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            found, at = varint_at(message, at)
            yield number, found
        elif wire == 2:
            length, at = varint_at(message, at)
            if at + length > len(message):
                raise ValueError("expected a whole message, found a truncated one")
            yield number, message[at : at + length]
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"expected a Protocol Buffers message, found wire type {wire}")


def varint_at(message: memoryview, at: int) -> tuple[int, int]:
    """The whole number there, and where the next field begins."""
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("expected a whole message, found a truncated one")
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
