"""segmentation.dcm and segmentation.labelmap.dcm: the labels of every frame, in the pixels of the source."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import IO, TYPE_CHECKING

import numpy as np

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput, changed_size
from echo_rt.outputs.masks import RUNS
from echo_rt.outputs.reports import Asked
from echo_rt.outputs.reports.cine_segmentation import write_cine_segmentation
from echo_rt.outputs.reports.cine_segmentation_header import BINARY, LABELMAP, Segment, SegmentedSource
from echo_rt.outputs.reports.dicom_source import DicomSource, carry, dicom_source
from echo_rt.outputs.reports.identifiers import MAKER, RESEARCH, Maker, figures_uid
from echo_rt.outputs.reports.sr_codes import ATRIUM, MYOCARDIUM, VENTRICLE
from echo_rt.provenance import TURNED
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

SEGMENTS = (Segment(1, "Left ventricle", VENTRICLE), Segment(2, "Left ventricle myocardium", MYOCARDIUM),
            Segment(3, "Left atrium", ATRIUM))  # fmt: skip
"""Of the labels of `Segmentation`."""

_SERIES = {BINARY: 9903, LABELMAP: 9904}
"""High numbers, that a scanner does not give its own series."""


class SegmentationOutput(FileOutput):
    """The labels of ``masks.npz`` as a DICOM segmentation, where they lie in the frames of the source.

    What was cut out of a screen is put back in its place, and what was turned upside down is turned back. Until the end
    the packed labels lie in a temporary file beside `path`; in memory there are 16 bytes a frame.

    Raises:
        OutputError: the file cannot be written, or the frames are not all of one size.
    """

    def __init__(self, asked: Asked, *, label_map: bool = False) -> None:
        super().__init__(asked.path)
        self._recording, self._kind = asked.recording, LABELMAP if label_map else BINARY
        with output_errors(self.path):
            # Without a name, so that it is gone with the process, however that ends.
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115
        self._index, self._length = array("q"), array("q")
        self._image: tuple[int, ...] | None = None
        self._digest = hashlib.sha256()

    def write(self, frame: Frame, reading: Reading) -> None:
        labels = reading.segmentation.mask()
        self._image = self._image or labels.shape
        if labels.shape != self._image:
            raise changed_size(self.path, self._image, labels.shape)
        packer = zlib.compressobj(**RUNS)
        packed = packer.compress(labels.data) + packer.flush()
        self._digest.update(packed)
        with output_errors(self.path):
            self._spool.write(packed)
        self._index.append(reading.index)
        self._length.append(len(packed))

    def finish(self, result: RecordingResult) -> None:
        if self._spool.closed:
            return
        source = dicom_source(self._recording)
        place = Place.of(self._image or (0, 0), result, source)
        header = _header(result, source, self._kind, self._digest.hexdigest())
        segmented = SegmentedSource(source.reference, source.series_uid, place.same_grid)
        with output_errors(self.path), self._spool:
            write_cine_segmentation(
                self.path, header, self._frames(place), SEGMENTS, segmented, result.provenance.model, self._kind
            )

    def discard(self) -> None:
        with suppress(OSError):  # what was still buffered does not fit either
            self._spool.close()

    def _frames(self, place: Place) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        assert self._image is not None
        self._spool.seek(0)
        for index, length in zip(self._index, self._length, strict=True):
            unpacked = zlib.decompress(self._spool.read(length), wbits=RUNS["wbits"])
            yield index + 1, place(np.frombuffer(unpacked, np.uint8).reshape(self._image))


class Place:
    """Puts labels where they lie in the frames of the source.

    Attributes:
        shape: (rows, columns) of what comes out.
        same_grid: whether that is the source's own grid.
    """

    def __init__(self, shape: tuple[int, int], box: tuple[int, int, int, int], turned: bool, same_grid: bool) -> None:
        """Args: `box` is x, y, width and height of the labels; `turned` says whether they are upside down."""
        self.shape, self._box, self._turned, self.same_grid = shape, box, turned, same_grid

    @classmethod
    def of(cls, image: tuple[int, ...], result: RecordingResult, source: DicomSource) -> Place:
        """Where labels of the size `image` lie; where the source does not say so they stay as they are."""
        told = result.provenance
        turned, (height, width) = told.orientation == TURNED, image
        if source.shape is None or (height, width) == source.shape:
            return cls((height, width), (0, 0, width, height), turned, source.shape is not None)
        rows, columns = source.shape
        roi = told.roi
        fits = roi is not None and (roi.height, roi.width) == (height, width)
        if roi is None or not fits or roi.y + height > rows or roi.x + width > columns:
            # A video in DICOM may be shown in another size than its header says.
            return cls((height, width), (0, 0, width, height), turned, False)
        return cls((rows, columns), (roi.x, roi.y, width, height), turned, True)

    def __call__(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._turned:
            labels = labels[::-1]
        if labels.shape == self.shape:
            return labels
        whole = np.zeros(self.shape, np.uint8)
        x, y, width, height = self._box
        whole[y : y + height, x : x + width] = labels
        return whole


def _header(result: RecordingResult, source: DicomSource, kind: str, labels: str) -> Dataset:
    """Patient, study, series, equipment and SOP instance. Its UIDs are made of the figures and of the labels."""
    from pydicom.dataset import Dataset

    maker, now, reference = Maker.of(result), datetime.now(), source.reference or ()
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    carry(source.patient_and_study, header)
    header.LossyImageCompression = "00"
    carry(source.lossy, header)
    header.SOPInstanceUID = figures_uid(f"{kind} segmentation", result, labels, *reference)
    header.SeriesInstanceUID = figures_uid(f"{kind} series", result, labels, *reference)
    header.SeriesNumber, header.InstanceNumber = _SERIES[kind], 1
    header.SeriesDescription = RESEARCH
    header.Manufacturer = header.ManufacturerModelName = MAKER
    header.DeviceSerialNumber, header.SoftwareVersions = maker.serial, [maker.software, maker.model]
    header.ContentDate = header.SeriesDate = header.InstanceCreationDate = now.strftime("%Y%m%d")
    header.ContentTime = header.SeriesTime = header.InstanceCreationTime = now.strftime("%H%M%S")
    return header
