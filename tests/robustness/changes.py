"""Changes to bytes that every mutator makes: small ones anywhere, and hostile numbers where numbers stand."""

from __future__ import annotations

import struct
from random import Random

HOSTILE = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000,
           0xFFFFFFF0, 0xFFFFFFFF)  # fmt: skip

TEXTS = (b"", b"0", b"-1", b"1", b"1e400", b"nan", b"inf", b"-inf", b"99999999999", b"1/0", b"0x10", b"1.5",
         b"\\", b"1\\2\\3", b"\x1b[2J", b"\xff\xfe\xfd", b"\0\0\0\0", b"\r\n", b"%s%n",
         b"../../etc/passwd", b"A" * 64)  # fmt: skip


def some_bytes(chance: Random, count: int) -> bytes:
    """That many, at random."""
    return chance.randbytes(count)


def any_change(data: bytes, chance: Random) -> tuple[str, bytes]:
    """Name and result of one small change anywhere."""
    kind = chance.choice(("flip", "number", "run", "cut", "drop", "insert", "repeat", "zeros"))
    at = chance.randrange(len(data) + 1) if data else 0
    if chance.random() < 0.5:  # most of what decides stands at the front
        at = min(at, int(len(data) * chance.random() ** 3))
    length = chance.choice((1, 2, 4, 8, 16, 64, 300))
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8, 40))):
            if changed:
                place = chance.randrange(len(changed)) if chance.random() < 0.5 else min(at, len(changed) - 1)
                changed[place] ^= 1 << chance.randrange(8)
        return "flip", bytes(changed)
    if kind == "number":
        return kind, put_number(data, at, chance)
    middle = {
        "run": some_bytes(chance, min(length, len(data) - at)),
        "zeros": bytes(min(length, len(data) - at)),
        "cut": None,
        "drop": b"",
        "insert": some_bytes(chance, length),
        "repeat": data[at : at + length] * chance.choice((2, 3, 50)),
    }[kind]
    if middle is None:
        return kind, data[:at]
    rest = at if kind == "insert" else at + length
    return kind, data[:at] + middle + data[rest:]


def put_number(data: bytes, at: int, chance: Random) -> bytes:
    """The same with a hostile number there, of one to eight bytes in either order."""
    kind = chance.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(kind)
    number = chance.choice(HOSTILE) if chance.random() < 0.8 else chance.getrandbits(8 * size)
    at = max(0, min(at, len(data) - size))
    return data[:at] + struct.pack(kind, number & ((1 << 8 * size) - 1)) + data[at + size :]
