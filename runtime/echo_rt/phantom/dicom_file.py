"""A phantom as a DICOM object: Ultrasound Multi-frame Image Storage (PS3.3 A.7) in JPEG, with its region."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2

from echo_rt.arrays import Image
from echo_rt.phantom.phantom import Phantom

_VIEWS = {"A4C": ("399214001", "four-chamber"), "A2C": ("399232001", "two-chamber")}

DATE, TIME = "20000101", "120000"
"""Of a patient who does not exist: fixed, so that the same phantom is the same file."""


def write_dicom(phantom: Phantom, path: Path) -> None:
    """Write the clip to `path`."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

    frames = phantom.frames or 0
    first = phantom.frame(0).image
    height, width = first.shape[:2]
    colour = first.ndim == 3

    data: Any = Dataset()
    data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.SOPInstanceUID = _uid(phantom, "instance")
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid(phantom, "study"), _uid(phantom, "series")
    data.ImageType = ["DERIVED", "SECONDARY"]
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "US", "echo-rt", "phantom"
    data.SoftwareVersions, data.BodyPartExamined = "1", "HEART"
    data.PatientName, data.PatientID = "Phantom^Echo", f"PHANTOM{phantom.options.recording.seed}"
    data.PatientBirthDate, data.PatientSex = "", "O"
    data.StudyID, data.SeriesNumber, data.InstanceNumber, data.AccessionNumber = "1", 1, 1, ""
    data.StudyDate = data.SeriesDate = data.ContentDate = DATE
    data.StudyTime = data.SeriesTime = data.ContentTime = TIME
    data.ReferringPhysicianName, data.PatientOrientation = "", ""
    data.StudyDescription = "echo-rt phantom: simulated, no patient"
    code, words = _VIEWS[phantom.options.view.named]
    data.SeriesDescription = f"apical {words} view"
    data.ViewCodeSequence = [_code(code, "SCT", f"Apical {words.replace('-', ' ')}")]

    data.NumberOfFrames = frames
    data.FrameTime = f"{1000 / phantom.options.recording.fps:.10g}"
    data.FrameIncrementPointer = 0x00181063
    data.HeartRate = round(phantom.options.heart.hr)
    data.Rows, data.Columns = height, width
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "YBR_FULL_422" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
        data.UltrasoundColorDataPresent = 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if phantom.spacing_mm is not None:
        data.SequenceOfUltrasoundRegions = [_region(phantom.spacing_mm, height, width)]

    # JPEG frames fit into memory where the frames themselves would not.
    with phantom:
        packed = [_jpeg(frame.image) for frame in phantom]
    data.LossyImageCompression, data.LossyImageCompressionMethod = "01", "ISO_10918_1"
    data.LossyImageCompressionRatio = f"{frames * first.size / sum(map(len, packed)):.4g}"
    data.PixelData = encapsulate(packed)
    data["PixelData"].VR = "OB"

    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)


def _jpeg(image: Image) -> bytes:
    """Baseline JPEG at a quality that keeps the speckle; chroma in 4:2:2, as the photometric interpretation says."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    return bytes(cv2.imencode(".jpg", image, settings)[1].tobytes())


def _region(spacing_mm: tuple[float, float], height: int, width: int) -> Any:
    """The 2D tissue region (PS3.3 C.8.5.5): all of the image, in cm a pixel."""
    from pydicom.dataset import Dataset

    row_mm, column_mm = spacing_mm
    region: Any = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = column_mm / 10, row_mm / 10
    return region


def _code(value: str, scheme: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    code: Any = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _uid(phantom: Phantom, what: str) -> str:
    """Under the root for UUIDs (PS3.5 B.2), from all options: other phantoms are other objects."""
    digest = hashlib.sha256(f"{what} {phantom.options!r}".encode()).hexdigest()
    return f"2.25.{int(digest[:32], 16)}"
