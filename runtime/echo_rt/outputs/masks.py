"""masks.npz: the labels of every frame at image size."""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from array import array
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from echo_rt.errors import OutputError, output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 1
"""Of deflate. Labels are long runs of one byte: level 6 takes three times as long to save half of the 6 kB that a frame
needs."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of the members, the oldest a zip can hold, so that two runs give the same bytes."""


class MaskOutput(FileOutput):
    """Collects the labels for `numpy.load`.

    The file holds ``labels`` (N, H, W) uint8 at image size (0 background, 1 LV cavity, 2 LV wall, 3 left atrium),
    ``t_s`` (N,) float64 and ``frame`` (N,) int64, the frames' numbers.

    An .npy array says its length before its contents, and the length is not known before the end. Until then the
    compressed frames lie in a temporary file beside `path`; in memory there are 20 bytes a frame.

    Raises:
        OutputError: the file cannot be written, or the frames are not all of one size.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with output_errors(self.path):
            # Without a name, so that it is gone with the process, however that ends.
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115
        self._lengths, self._t_s, self._index = array("I"), array("d"), array("q")
        self._image: tuple[int, int] | None = None

    def write(self, frame: Frame, reading: Reading) -> None:
        labels = reading.segmentation.mask()
        height, width = labels.shape
        if self._image is None:
            self._image = (height, width)
        if (height, width) != self._image:
            before = f"{self._image[1]}x{self._image[0]}"
            raise OutputError(
                f"{self.path}: expected frames of one size, found {width}x{height} after {before} "
                "in the same recording; cut it where the size changes"
            )
        packed = zlib.compress(labels.tobytes(), LEVEL)
        with output_errors(self.path):
            self._spool.write(packed)
        self._lengths.append(len(packed))
        self._t_s.append(reading.t_s)
        self._index.append(reading.index)

    def finish(self, result: RecordingResult) -> None:
        if self._spool.closed:
            return
        height, width = self._image or (0, 0)
        with output_errors(self.path), self._spool:
            self._spool.seek(0)
            with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
                with _member(archive, "labels") as member:
                    shape = (len(self._lengths), height, width)
                    npy.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
                    for length in self._lengths:
                        member.write(zlib.decompress(self._spool.read(length)))
                self._small(archive, "t_s", np.array(self._t_s, np.float64))
                self._small(archive, "frame", np.array(self._index, np.int64))

    def discard(self) -> None:
        with suppress(OSError):  # what was still buffered does not fit either
            self._spool.close()

    @staticmethod
    def _small(archive: zipfile.ZipFile, name: str, values: NDArray[np.generic]) -> None:
        with _member(archive, name) as member:
            npy.write_array(member, values, allow_pickle=False)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    # Without it a stream of unknown length must stay under 2 GB, which 7000 frames of 480x640 are not.
    return archive.open(info, "w", force_zip64=True)
