"""The elements of a segmentation that are the same for all of its items (PS3.3 A.51, C.8.20, C.7.6.16 and C.7.6.17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, SegmentationStorage

from echo_rt.outputs.reports.identifiers import made_up_uid
from echo_rt.outputs.reports.sr_codes import Term

BINARY, LABELMAP = "BINARY", "LABELMAP"

LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
"""pydicom 3.0 has no name for it."""

_ANATOMY = Term("91723000", "SCT", "Anatomical Structure")
_CONTENT, _IDENTIFICATION = Tag("FrameContentSequence"), Tag("SegmentIdentificationSequence")


class Segment(NamedTuple):
    """What a label stands for.

    Attributes:
        label: the value in the label images; segments are numbered in the order in which they are given.
        name: for people.
        type: the segmented property.
    """

    label: int
    name: str
    type: Term


@dataclass(frozen=True, slots=True)
class SegmentedSource:
    """The cine that was segmented.

    Attributes:
        reference: SOP class and instance UIDs; None where there is no DICOM object.
        series_uid: of the cine.
        same_grid: whether the labels are in the pixels of its frames.
    """

    reference: tuple[str, str] | None
    series_uid: str
    same_grid: bool = True


def complete(
    header: Dataset,
    kind: str,
    shape: tuple[int, ...],
    items: int,
    segments: Sequence[Segment],
    source: SegmentedSource,
    algorithm: str,
) -> None:
    """Add what is known once all items are: `header` is then all of the file but the items and the pixels."""
    binary = kind == BINARY
    header.SOPClassUID = SegmentationStorage if binary else LABEL_MAP_STORAGE
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if binary else RLELossless
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID

    header.Modality, header.ImageType, header.PatientOrientation = "SEG", ["DERIVED", "PRIMARY"], None
    header.ContentLabel, header.ContentDescription, header.ContentCreatorName = "SEGMENTATION", algorithm, None
    header.SegmentationType, header.SegmentsOverlap = kind, "NO"
    header.Rows, header.Columns = shape
    header.NumberOfFrames = items
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    header.BitsAllocated = header.BitsStored = 1 if binary else 8
    header.HighBit = header.BitsStored - 1
    if not binary:
        header.PixelPaddingValue = 0
    header.SegmentSequence = Items(_segment(number, one, algorithm) for number, one in enumerate(segments, 1))
    _add_dimensions(header, by_segment=binary)
    # Pixel Measures would ask for the thickness of the slice, which nobody knows of an ultrasound beam, and regions of
    # ultrasound are no part of a segmentation: the scale is that of the frames that it refers to.
    header.SharedFunctionalGroupsSequence = Items([Dataset()])
    if source.reference is not None:
        instance, series = Dataset(), Dataset()
        instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = source.reference
        series.SeriesInstanceUID, series.ReferencedInstanceSequence = source.series_uid, Items([instance])
        header.ReferencedSeriesSequence = Items([series])


def _segment(number: int, segment: Segment, algorithm: str) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = number, segment.name
    item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", algorithm
    item.SegmentedPropertyCategoryCodeSequence = Items([coded(_ANATOMY)])
    item.SegmentedPropertyTypeCodeSequence = Items([coded(segment.type)])
    return item


def _add_dimensions(header: Dataset, *, by_segment: bool) -> None:
    """The frame's number, then the segment's."""
    organization = made_up_uid("dimensions", str(header.SOPInstanceUID))
    pointers = [(Tag("TemporalPositionIndex"), _CONTENT, "Frame Number of the Source")]
    if by_segment:
        pointers.append((Tag("ReferencedSegmentNumber"), _IDENTIFICATION, "Segment Number"))
    dimensions = []
    for pointer, group, words in pointers:
        dimension: Any = Dataset()
        dimension.DimensionOrganizationUID = organization
        dimension.DimensionIndexPointer, dimension.FunctionalGroupPointer = pointer, group
        dimension.DimensionDescriptionLabel = words
        dimensions.append(dimension)
    named: Any = Dataset()
    named.DimensionOrganizationUID = organization
    header.DimensionOrganizationSequence = Items([named])
    header.DimensionIndexSequence = Items(dimensions)


def coded(term: Term) -> Dataset:
    """The item of a code sequence."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = term
    return code
