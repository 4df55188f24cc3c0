"""The pixel data element of a DICOM file: where it stands, and the fragments that it holds.

Nothing is decoded or judged here. A pixel sequence is an item with the basic offset table, one item a fragment, and a
delimiter (PS3.5 A.4).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from pydicom.dataset import Dataset

PIXEL_DATA = (0x7FE0, 0x0010)
_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"  # in little endian, as every pixel sequence is
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = (b"OB", b"OW", b"UN", b"OF", b"OD", b"OL", b"OV")

SCAN_BYTES = 64
"""Read at the head and the tail of each fragment, to tell whether a frame begins or ends there."""


@dataclass(frozen=True, slots=True)
class Item:
    """A fragment: the place of its bytes in the file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Element:
    """The value of the pixel data element.

    Attributes:
        file: what holds it.
        start: of the value, in bytes from the begin of `file`.
        stated: its length as the element says; None where that is left open.
        end: of `file`.
        words: its value representation is OW, or it states none.
    """

    file: BinaryIO
    start: int
    stated: int | None
    end: int
    words: bool

    @property
    def available(self) -> int:
        return self.end - self.start

    @property
    def encapsulated(self) -> bool:
        """Whether the value is a pixel sequence, whatever the transfer syntax says."""
        head = self.read(self.start, 8)
        if head[:4] != _ITEM or len(head) < 8:
            return False
        table = int.from_bytes(head[4:], "little")
        # Samples may begin with these four bytes too; but hardly with the length of a table, and an item after it.
        return self.stated is None or (
            table % 4 == 0 and self.read(self.start + 8 + table, 4) in (_ITEM, _DELIMITER)
        )  # fmt: skip

    def first_bytes(self) -> bytes:
        """The head of the pixels, or of the first fragment."""
        if not self.encapsulated:
            return self.read(self.start, SCAN_BYTES)
        table = int.from_bytes(self.read(self.start + 4, 4), "little")
        return self.read(self.start + 8 + table + 8, SCAN_BYTES)

    def read(self, offset: int, length: int) -> bytes:
        """That many bytes, or as many as there are."""
        self.file.seek(offset)
        return self.file.read(min(length, max(0, self.end - offset)))  # what is asked for is made room for


def find_element(file: BinaryIO, header: Dataset) -> Element | None:
    """The pixel data element of a file that stands where reading its header stopped; None where there is none."""
    order = "<" if header.original_encoding[1] in (True, None) else ">"
    head = file.read(12)
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) != PIXEL_DATA:
        return None
    explicit = head[4:6] in _LONG_VRS and head[6:8] == b"\0\0"
    words = not explicit or head[4:6] == b"OW"
    start = file.tell() - len(head) + (12 if explicit else 8)
    (stated,) = struct.unpack(f"{order}L", head[8:12] if explicit else head[4:8])
    end = file.seek(0, io.SEEK_END)
    return Element(file, start, None if stated == _UNDEFINED else stated, end, words) if start < end else None


@dataclass(frozen=True, slots=True)
class PixelSequence:
    """The fragments of a pixel sequence.

    Attributes:
        items: those that are whole.
        table: the basic offset table, in bytes from the tag of the first item to the tag of a frame's first item.
        cut: the file ends within a fragment, or something else stands where a fragment should.
        closed: the sequence is whole, for its delimiter is there.
    """

    element: Element
    items: tuple[Item, ...]
    table: tuple[int, ...]
    cut: bool
    closed: bool

    def head(self, item: Item) -> bytes:
        return self.element.read(item.offset, min(item.length, SCAN_BYTES))

    def tail(self, item: Item) -> bytes:
        length = min(item.length, SCAN_BYTES)
        return self.element.read(item.end - length, length)

    def frame(self, fragments: tuple[Item, ...]) -> bytes:
        """The bytes of a frame, its fragments joined."""
        return b"".join(self.element.read(item.offset, item.length) for item in fragments)


def pixel_sequence(element: Element) -> PixelSequence:
    """The fragments of an encapsulated element, found by their tags alone."""
    (length,) = struct.unpack("<L", element.read(element.start + 4, 4))
    entries = element.read(element.start + 8, length)
    table = np.frombuffer(entries[: len(entries) // 4 * 4], "<u4").tolist()
    offset, items, cut, closed = element.start + 8 + length, [], False, False
    stated_end = None if element.stated is None else element.start + element.stated
    while offset != stated_end:
        head = element.read(offset, 8)
        if head[:4] == _DELIMITER:
            closed = True
            break
        if not head:
            break
        item = Item(offset + 8, int.from_bytes(head[4:], "little"))
        if len(head) < 8 or head[:4] != _ITEM or item.end > element.end:
            cut = True
            break
        items.append(item)
        offset = item.end
    else:
        closed = True  # some writers give the sequence a length instead of a delimiter
    return PixelSequence(element, tuple(items), tuple(table), cut, closed)


class Joined(io.RawIOBase):
    """Fragments as one file that can be read and searched, of which nothing is kept in memory."""

    def __init__(self, element: Element, items: tuple[Item, ...]) -> None:
        self._element, self._items = element, items
        self._starts = np.concatenate([[0], np.cumsum([item.length for item in items])]).astype(np.int64)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: int(self._starts[-1])}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(int(self._starts[-1]) - self._at, 0)
        size = left if size is None or size < 0 else min(size, left)
        parts = []
        while size:
            index = int(np.searchsorted(self._starts, self._at, "right")) - 1
            item, within = self._items[index], self._at - int(self._starts[index])
            part = self._element.read(item.offset + within, min(size, item.length - within))
            if not part:
                break
            parts.append(part)
            self._at += len(part)
            size -= len(part)
        return b"".join(parts)
