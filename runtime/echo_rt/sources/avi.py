"""Whether an AVI is all there, whatever its header counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def is_whole(path: Path) -> bool:
    """Whether every chunk of an AVI ends within the file and its index, which is written last, is there.

    A recorder that was stopped, or one that counts ahead, leaves a header with too many frames in a file that lacks
    nothing.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        indexed = False
        at = 0
        while at + 12 <= end:
            name, size = _chunk(file, at)
            if name != b"RIFF" or at + 8 + size > end:
                return False
            inner, stop = at + 12, at + 8 + size
            while inner + 8 <= stop:
                name, size = _chunk(file, inner)
                indexed |= name == b"idx1" and inner + 8 + size <= stop
                inner += 8 + size + size % 2
            if inner > stop + 1:
                return False
            at = stop + stop % 2
        return indexed


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    """Name and length in bytes of the chunk at this place."""
    file.seek(at)
    head = file.read(8)
    return head[:4], int.from_bytes(head[4:8], "little")
