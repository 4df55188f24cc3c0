"""masks.npz: the labels of every frame at image size."""

from __future__ import annotations

import io
import math
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from array import array
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput, changed_size
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNS: Any = {"level": 1, "wbits": -15, "memLevel": 8, "strategy": zlib.Z_RLE}
"""Of deflate. Labels are long runs of one byte: looking for nothing else needs 2 kB a frame, half of what level 1 does.
Level 6 saves a fifth of that in three times the time."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of the members, the oldest a zip can hold, so that two runs give the same bytes."""


class MaskOutput(FileOutput):
    """Collects the labels for `numpy.load`.

    The file holds ``labels`` (N, H, W) uint8 at image size (0 background, 1 LV cavity, 2 LV wall, 3 left atrium),
    ``t_s`` (N,) float64 and ``frame`` (N,) int64, the frames' numbers.

    An .npy array says its length before its contents, and the length is not known before the end. Until then the
    packed frames lie in a temporary file beside `path`; in memory there are 16 bytes a frame.

    Raises:
        OutputError: the file cannot be written, or the frames are not all of one size.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with output_errors(self.path):
            # Without a name, so that it is gone with the process, however that ends.
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115
        self._t_s, self._index = array("d"), array("q")
        self._image: tuple[int, ...] | None = None
        self._crc = 0

    def write(self, frame: Frame, reading: Reading) -> None:
        labels = reading.segmentation.mask()
        self._image = self._image or labels.shape
        if labels.shape != self._image:
            raise changed_size(self.path, self._image, labels.shape)
        self._crc = zlib.crc32(labels.data, self._crc)
        packer = zlib.compressobj(**RUNS)
        # To the next whole byte, where another frame can begin.
        packed = packer.compress(labels.data) + packer.flush(zlib.Z_FULL_FLUSH)
        with output_errors(self.path):
            self._spool.write(packed)
        self._t_s.append(reading.t_s)
        self._index.append(reading.index)

    def finish(self, result: RecordingResult) -> None:
        if self._spool.closed:
            return
        with (
            output_errors(self.path),
            self._spool,
            self.path.open("w+b") as file,
            zipfile.ZipFile(file, "w") as archive,
        ):
            self._labels(archive, file)
            self._small(archive, "t_s", np.array(self._t_s, np.float64))
            self._small(archive, "frame", np.array(self._index, np.int64))

    def discard(self) -> None:
        with suppress(OSError):  # what was still buffered does not fit either
            self._spool.close()

    def _labels(self, archive: zipfile.ZipFile, file: IO[bytes]) -> None:
        """Add the labels as they lie in the spool: packed, which only their header says in the end."""
        shape = (len(self._index), *(self._image or (0, 0)))
        text = io.BytesIO()
        npy.write_array_header_1_0(text, {"descr": "|u1", "fortran_order": False, "shape": shape})
        head = text.getvalue()
        info = zipfile.ZipInfo("labels.npy", _EPOCH)
        self._spool.seek(0)
        # Without zip64 a stream of unknown length must stay under 2 GB, which 7000 frames of 480x640 are not.
        with archive.open(info, "w", force_zip64=True) as member:
            member.write(_stored(head))
            shutil.copyfileobj(self._spool, member)
            member.write(_END)
        size, end = math.prod(shape), file.tell()
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, len(head) + size
        info.CRC = joined_crc32(zlib.crc32(head), self._crc, size)
        file.seek(info.header_offset)
        file.write(info.FileHeader(zip64=True))
        file.seek(end)

    @staticmethod
    def _small(archive: zipfile.ZipFile, name: str, values: NDArray[np.generic]) -> None:
        info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as member:
            npy.write_array(member, values, allow_pickle=False)


_END = b"\3\0"
"""A last block of deflate, which is empty."""


def _stored(text: bytes) -> bytes:
    """A block of deflate that is not packed, and not the last."""
    return struct.pack("<BHH", 0, len(text), 0xFFFF ^ len(text)) + text


_POLYNOMIAL = 0xEDB88320  # of CRC-32, its highest power in the lowest bit


def joined_crc32(first: int, second: int, length: int) -> int:
    """The CRC-32 of two texts one after the other, from those of both and the length of the second in bytes.

    The first goes on through as many zeros: a product with x to the power of 8 times the length, by squares.
    """
    power, factor = 0x80000000 >> 8, first  # x to the 8th
    while length:
        if length & 1:
            factor = _product(factor, power)
        power, length = _product(power, power), length >> 1
    return factor ^ second


def _product(a: int, b: int) -> int:
    """Of two polynomials over GF(2), modulo that of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
