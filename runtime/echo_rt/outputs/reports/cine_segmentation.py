"""A DICOM segmentation of a cine, which is a multi-frame image without positions in space.

Each item of the segmentation refers to a frame of the source by its number, in its derivation and in its dimension
index. highdicom 0.28 refuses such a source: its frames have no planes (herrmannlab/highdicom #284, #369).
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.sequence import Sequence as Items

from echo_rt.errors import OutputError
from echo_rt.outputs.reports.cine_segmentation_header import (
    BINARY,
    LABELMAP,
    Segment,
    SegmentedSource,
    coded,
    complete,
)
from echo_rt.outputs.reports.sr_codes import Term

LONGEST = 2**32 - 2
"""Bytes of an element of a known length."""

_ITEM, _DELIMITER, _END_OF_ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xff\xff\xff\xff"
_SEGMENTATION = Term("113076", "DCM", "Segmentation")
_SOURCE = Term("121322", "DCM", "Source image for image processing operation")


def write_cine_segmentation(
    path: Path,
    header: Dataset,
    frames: Iterable[tuple[int, NDArray[np.uint8]]],
    segments: Sequence[Segment],
    source: SegmentedSource,
    algorithm: str,
    kind: str = BINARY,
) -> None:
    """Write the segmentation of a cine, in the memory of one frame.

    Items come in the order of frames, and within a frame in that of segments; those without a pixel are left out. A
    dimension index has two values: Temporal Position Index, which is the frame's number in the source, and the
    segment's number. `BINARY` has an item for each segment and a bit a pixel, not compressed: hardly a reader decodes
    compressed bits. `LABELMAP` has an item for each frame and a byte a pixel, compressed by RLE; its pixels are segment
    numbers.

    Args:
        path: of the file.
        header: the modules of patient, study, series, equipment and SOP instance; it is completed.
        frames: number in the source, from 1 on and ascending, and labels (Rows x Columns), all of one size.
        segments: the meaning of the labels; others count as background.
        source: the cine.
        algorithm: the name of what segmented it.
        kind: `BINARY` or `LABELMAP`.

    Raises:
        OutputError: bits of more than 4 GB.
        OSError: the file cannot be written.
    """
    with ExitStack() as opened:
        # Beside the file, where there is room for as much; without a name, so that they are gone with the process.
        groups, pixels = (opened.enter_context(tempfile.TemporaryFile(dir=path.parent)) for _ in range(2))
        packer = _Bits(pixels) if kind == BINARY else _Runs(pixels)
        count, shape = 0, (0, 0)
        for number, segment, image in _items(frames, segments, kind):
            _add_item(groups, _functional_groups(number, segment, source))
            packer.add(image)
            count, shape = count + 1, image.shape
        packer.end()
        if kind == BINARY and pixels.tell() > LONGEST:
            raise OutputError(
                f"{path}: expected at most 4 GB of segmentation, found more; ask for --report labelmap instead"
            )
        complete(header, kind, shape, count, segments, source, algorithm)
        with path.open("wb") as file:
            # pydicom writes what comes before the two long elements, which go from file to file.
            dcmwrite(file, header, enforce_file_format=True)
            file.write(b"\x00\x52\x30\x92SQ\0\0" + _END_OF_ITEMS)
            _copy(groups, file)
            file.write(_DELIMITER)
            length = struct.pack("<L", pixels.tell()) if kind == BINARY else _END_OF_ITEMS
            file.write(b"\xe0\x7f\x10\x00OB\0\0" + length)
            _copy(pixels, file)
            if kind == LABELMAP:
                file.write(_DELIMITER)


def _items(
    frames: Iterable[tuple[int, NDArray[np.uint8]]], segments: Sequence[Segment], kind: str
) -> Iterator[tuple[int, int | None, NDArray[np.uint8]]]:
    """Frame number, segment number and pixels of every item that has any; where none has, one without.

    The segment is None in a label map.
    """
    numbers = np.zeros(256, np.uint8)
    for number, segment in enumerate(segments, 1):
        numbers[segment.label] = number
    found, empty = False, None
    for frame, labels in frames:
        image = numbers[labels]
        there = np.flatnonzero(np.bincount(image.reshape(-1), minlength=len(segments) + 1)[1:]) + 1
        if not len(there) and not found and empty is None:
            empty = frame, None if kind == LABELMAP else 1, np.zeros_like(image)
        if kind == BINARY:
            yield from ((frame, int(number), (image == number).view(np.uint8)) for number in there)
        elif len(there):
            yield frame, None, image
        found = found or len(there) > 0
    if not found and empty is not None:
        yield empty


class _Bits:
    """Bits, the first pixel in the lowest; an item begins where the last one ended, within a byte too (PS3.5 8.1.1)."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, np.empty(0, np.uint8)

    def add(self, image: NDArray[np.uint8]) -> None:
        bits = np.concatenate([self._left, image.reshape(-1)])
        whole = len(bits) // 8 * 8
        self._file.write(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._left = bits[whole:]

    def end(self) -> None:
        self._file.write(np.packbits(self._left, bitorder="little").tobytes())
        self._file.write(b"\0" * (self._file.tell() % 2))


class _Runs:
    """One fragment an item, compressed by RLE, behind an empty table of offsets."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        _add_item(file, b"")

    def add(self, image: NDArray[np.uint8]) -> None:
        rows, columns = image.shape
        packed = RLELosslessEncoder.encode(
            image, rows=rows, columns=columns, samples_per_pixel=1, bits_allocated=8, bits_stored=8,
            pixel_representation=0, photometric_interpretation="MONOCHROME2", number_of_frames=1,
        )  # fmt: skip
        _add_item(self._file, packed + b"\0" * (len(packed) % 2))

    def end(self) -> None:
        """Nothing: items are whole."""


def _functional_groups(frame: int, segment: int | None, source: SegmentedSource) -> bytes:
    """The groups of one item (PS3.3 A.51.5), encoded."""
    groups, content, derivation, reference = Dataset(), Dataset(), Dataset(), Dataset()
    content.TemporalPositionIndex = frame
    content.DimensionIndexValues = frame if segment is None else [frame, segment]
    groups.FrameContentSequence = Items([content])
    groups.DerivationImageSequence = Items([])
    if source.reference is not None:
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.reference
        reference.ReferencedFrameNumber = frame
        reference.SpatialLocationsPreserved = "YES" if source.same_grid else "NO"
        reference.PurposeOfReferenceCodeSequence = Items([coded(_SOURCE)])
        derivation.SourceImageSequence = Items([reference])
        derivation.DerivationCodeSequence = Items([coded(_SEGMENTATION)])
        groups.DerivationImageSequence = Items([derivation])
    if segment is not None:
        identification = Dataset()
        identification.ReferencedSegmentNumber = segment
        groups.SegmentIdentificationSequence = Items([identification])
    return _encoded(groups)


def _encoded(dataset: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dataset)
    return stream.getvalue()


def _add_item(file: IO[bytes], content: bytes) -> None:
    file.write(_ITEM + struct.pack("<L", len(content)) + content)


def _copy(source: IO[bytes], into: IO[bytes]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, into)
