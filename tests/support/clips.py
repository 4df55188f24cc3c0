"""Small recordings, written by the tests that read them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

Images = NDArray[Any]

SYNTAXES = [
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    RLELossless, JPEG2000Lossless, JPEGLSLossless,
]  # fmt: skip
"""Lossless transfer syntaxes."""


def grey_images(count: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """(count, H, W): a ramp with a bright square that moves, so that no two frames are alike and none is symmetric."""
    images = np.empty((count, height, width), np.uint8)
    images[:] = np.linspace(20, 120, width).astype(np.uint8)
    for index, image in enumerate(images):
        left = 2 + 3 * index % (width - 14)
        image[8:20, left : left + 10] = 220
    return images


def colour_images(count: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """(count, H, W, 3) BGR: blue, green and red patches over the grey images."""
    images = np.repeat(grey_images(count, height, width)[..., None], 3, axis=3)
    for channel in range(3):
        images[:, 28:40, 4 + 16 * channel : 16 + 16 * channel] = np.eye(3, dtype=np.uint8)[channel] * 200 + 20
    return images


def write_video(
    path: Path, images: Images, fps: int = 25, codec: str = "libx264", pix_fmt: str = "yuv420p",
    times_ms: Sequence[int] | None = None, options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """A video of (N, H, W) grey or (N, H, W, 3) BGR images, at a fixed rate or at the given times."""
    source = "gray" if images.ndim == 3 else "bgr24"
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width, stream.pix_fmt = images.shape[1], images.shape[2], pix_fmt
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), source).reformat(format=pix_fmt)
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = Fraction(1, fps) if times_ms is None else Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def packets_of(path: Path) -> list[tuple[int, int]]:
    """Position and length in bytes of every video packet of a file."""
    with av.open(str(path)) as file:
        return [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]


def cut(path: Path, share: float) -> Path:
    """The file at `path`, cut off after that share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def write_images(folder: Path, images: Images, name: str = "frame{}.png") -> Path:
    """A folder of numbered images, counted from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, 1):
        assert cv2.imwrite(str(folder / name.format(number)), image)
    return folder


def dicom_dataset(samples: Images, photometric: str = "MONOCHROME2", **elements: Any) -> Dataset:
    """An ultrasound multi-frame image of stored samples, (N, H, W) or (N, H, W, 3), 8 or 16 bits, uncompressed.

    `elements` are further elements by keyword; None removes one. FrameTime is 40 ms unless it is among them.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UltrasoundMultiFrameImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid(entropy_srcs=["echo-rt"])
    ds.Modality = "US"
    ds.NumberOfFrames, ds.Rows, ds.Columns = samples.shape[:3]
    ds.SamplesPerPixel = 3 if samples.ndim == 4 else 1
    if samples.ndim == 4:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = ds.BitsStored = 8 * samples.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(samples.dtype.kind == "i")
    ds.FrameTime = "40"
    data = samples.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if samples.dtype.itemsize == 1 else "OW"
    for keyword, value in elements.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def write_dicom(path: Path, ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """The dataset as a file, compressed frame by frame where the transfer syntax is a compressed one."""
    if syntax.is_compressed and not syntax.is_deflated:
        ds.compress(syntax, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return path


def ultrasound_region(**changes: Any) -> Dataset:
    """A calibrated 2D tissue region over the whole 64x48 image, with pixels of 0.2 x 0.3 cm (x, y)."""
    region = Dataset()
    elements = {
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0,
        "RegionLocationMinX0": 0, "RegionLocationMinY0": 0, "RegionLocationMaxX1": 63, "RegionLocationMaxY1": 47,
        "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3, "PhysicalDeltaX": 0.2, "PhysicalDeltaY": 0.3,
    }  # fmt: skip
    for keyword, value in {**elements, **changes}.items():
        setattr(region, keyword, value)
    return region
