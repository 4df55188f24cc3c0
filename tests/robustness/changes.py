"""Changes that every mutator makes: to bytes anywhere, to numbers where they stand, and to what a file is."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np

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


def damaged(chance: Random, data: bytes) -> tuple[str, bytes]:
    """Bytes changed, taken out, doubled or put in; what was done."""
    if not data:
        return "nothing", data
    at = chance.randrange(len(data))
    span = chance.choice([1, 1, 2, 8, 64, 1000])
    how = chance.choice(["flipped", "set", "cut", "taken out", "doubled", "put in", "text"])
    if how == "flipped":
        return f"bit flipped at {at}", data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if how == "set":
        byte = chance.choice([0, 0xFF, 0x80, 0x7F, 0x0A, 0x1B])
        return f"{span} set at {at}", data[:at] + bytes([byte]) * min(span, len(data) - at) + data[at + span :]
    if how == "cut":
        return f"cut at {at}", data[:at]
    if how == "taken out":
        return f"{span} taken out at {at}", data[:at] + data[at + span :]
    if how == "doubled":
        return f"{span} doubled at {at}", data[: at + span] + data[at:]
    if how == "put in":
        return f"{span} put in at {at}", data[:at] + chance.randbytes(span) + data[at:]
    return f"text put in at {at}", data[:at] + b'\x1b]0;x\x07"\n\xff' + data[at:]


def put_in_place_of(chance: Random, path: Path, things: Sequence[str]) -> str:
    """Put one of these things in the place of a file, and say which."""
    thing = chance.choice(things)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if thing == "empty":
        path.write_bytes(b"")
    elif thing == "a folder":
        path.mkdir()
    elif thing == "a pipe":
        os.mkfifo(path)
    elif thing == "another":
        path.write_bytes(chance.randbytes(5000))
    elif thing == "a link to a device":
        path.symlink_to("/dev/zero")
    elif thing == "a large picture":
        path.write_bytes(cv2.imencode(".png", np.zeros((9000, 9000), np.uint8))[1].tobytes())
    else:
        assert thing == "missing"
    return thing
