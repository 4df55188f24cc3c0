"""DICOM cines that are not as their headers say, made of a drawn heart."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit

from echo_rt.phantom import Phantom, PhantomOptions
from support import clips

MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
ITEM = b"\xfe\xff\x00\xe0"


@cache
def heart_images(count: int = 12, height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """(count, H, W) grey: a beating apical view, without graphics."""
    options = {"height": height, "width": width, "overlay": 0, "fps": 20, "seconds": count / 20, "seed": 3}
    phantom = Phantom(PhantomOptions.of(**options))
    with phantom:
        images = np.stack([frame.image for frame in phantom])
    images.setflags(write=False)
    return images


@cache
def tinted_images(count: int = 12) -> NDArray[np.uint8]:
    """(count, H, W, 3) BGR: the heart, a little blue, with a coloured button."""
    grey = heart_images(count).astype(np.float64)
    images = np.clip(np.stack([grey * 1.04, grey, grey * 0.98], axis=-1), 0, 255).astype(np.uint8)
    images[:, 4:12, 4:24] = 30, 200, 90
    images.setflags(write=False)
    return images


def ybr(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(..., 3) YBR_FULL of BGR."""
    return np.rint(np.clip(bgr[..., ::-1] @ MATRIX.T + [0, 128, 128], 0, 255)).astype(np.uint8)


def subsampled(samples: NDArray[Any]) -> bytes:
    """(N, H, W, 3) as Y1 Y2 Cb Cr for each pair of pixels in a row."""
    pairs = samples.reshape(*samples.shape[:2], -1, 2, 3)
    return np.stack([pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1).tobytes()


def jpegs(images: NDArray[np.uint8], quality: int = 95) -> list[bytes]:
    """Each of (N, H, W) grey or (N, H, W, 3) BGR as a baseline JPEG file."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return [cv2.imencode(".jpg", image, settings)[1].tobytes() for image in images]


def sequence(fragments: Sequence[bytes], table: Sequence[int] = (), delimiter: bool = True) -> bytes:
    """A pixel sequence of these fragments, with that basic offset table."""
    items = [struct.pack(f"<{len(table)}L", *table), *(part + b"\0" * (len(part) % 2) for part in fragments)]
    data = b"".join(ITEM + struct.pack("<L", len(item)) + item for item in items)
    return data + (b"\xfe\xff\xdd\xe0\0\0\0\0" if delimiter else b"")


def offsets(fragments: Sequence[bytes]) -> list[int]:
    """The offsets of the items that hold these fragments."""
    lengths = [8 + len(part) + len(part) % 2 for part in fragments]
    return [0, *np.cumsum(lengths)[:-1].tolist()]


def compressed(
    path: Path, images: NDArray[np.uint8], frames: Sequence[bytes] | bytes, syntax: UID | str = JPEGBaseline8Bit,
    **elements: Any,
) -> Path:  # fmt: skip
    """A file of compressed frames, or of a pixel sequence that is given whole, with the header of `images`."""
    data = frames if isinstance(frames, bytes) else encapsulate(list(frames), has_bot=False)
    meaning = "YBR_FULL_422" if images.ndim == 4 else "MONOCHROME2"
    ds = clips.dicom_dataset(images, meaning, **elements)
    ds.PixelData = data
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return path


def lossless_jpeg(samples: NDArray[Any], bits: int) -> bytes:
    """(H, W) or (H, W, C) as JPEG process 14 with the first predictor (ITU-T T.81 H), by 17 codes of five bits."""
    levels = (samples if samples.ndim == 3 else samples[..., None]).astype(np.int64)
    height, width, count = levels.shape
    names = range(1, count + 1)
    head = b"\xff\xd8\xff\xc3" + struct.pack(">HBHHB", 8 + 3 * count, bits, height, width, count)
    head += b"".join(bytes([name, 0x11, 0]) for name in names)
    head += b"\xff\xc4" + struct.pack(">HB", 36, 0) + bytes([0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    head += b"\xff\xda" + struct.pack(">HB", 6 + 2 * count, count)
    head += b"".join(bytes([name, 0]) for name in names) + b"\1\0\0"
    before = np.empty_like(levels)
    before[0, 0], before[0, 1:], before[1:, 0], before[1:, 1:] = (
        1 << (bits - 1), levels[0, :-1], levels[:-1, 0], levels[1:, :-1]
    )  # fmt: skip
    words = []
    for step in ((levels - before + 32768) % 65536 - 32768).reshape(-1).tolist():
        size = 16 if step == -32768 else abs(step).bit_length()
        words.append(f"{size:05b}")
        if 0 < size < 16:
            words.append(f"{step if step > 0 else step + (1 << size) - 1:0{size}b}")
    text = "".join(words)
    text += "1" * (-len(text) % 8)
    data = int(text, 2).to_bytes(len(text) // 8, "big")
    return head + data.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def notes_of(path: Path, fps: float | None = None) -> list[str]:
    """What a source says of itself, once it was read to its end."""
    from echo_rt.sources import open_source

    with open_source(path, fps) as source:
        list(source)
        return source.notes


def header_only(**elements: Any) -> Dataset:
    """A header of 64x48 pixels with these elements."""
    ds = Dataset()
    ds.Rows, ds.Columns = 48, 64
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds
