"""The pixels of a DICOM file: where they are, what the stored samples mean, and the image they make."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from echo_rt.arrays import Array, Image
from echo_rt.sources.dicom_header import number, text
from echo_rt.sources.levels import significant_bits, to_eight_bits

Render = Callable[[NDArray[Any]], Image]
"""From the stored samples of a frame to its image."""

_PIXEL_DATA = (0x7FE0, 0x0010)

GREY = ("MONOCHROME1", "MONOCHROME2")
YBR = ("YBR_FULL", "YBR_FULL_422")
YBR_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
RGB = ("RGB", "YBR_RCT", "YBR_ICT")  # the decoder undoes the colour transforms of JPEG 2000, which are its own
PALETTE = ("PALETTE COLOR",)


def locate(file: BinaryIO, header: Dataset, syntax: UID) -> tuple[BinaryIO | bytes, dict[str, Any]] | None:
    """Where the pixel data is and how to decode it, for `Decoder.iter_array`; None without pixel data.

    `file` stands where reading the header stopped, and is left at the first byte of the pixel data.
    """
    options = as_pixel_options(header, transfer_syntax_uid=syntax, pixel_keyword="PixelData", pixel_vr="OW")
    if options["photometric_interpretation"] == "YBR_PARTIAL_422" and not syntax.is_encapsulated:
        # Sampled the same way, which is all that pydicom asks it for.
        options["photometric_interpretation"] = "YBR_FULL_422"
    if syntax == DeflatedExplicitVRLittleEndian:
        file.seek(0)
        inflated = pydicom.dcmread(file, force=True).get("PixelData")
        return (inflated, options) if inflated else None
    order = "<" if syntax.is_little_endian else ">"
    element = file.read(8)
    if len(element) < 8 or struct.unpack(f"{order}HH", element[:4]) != _PIXEL_DATA:
        return None
    if not syntax.is_implicit_VR:
        options["pixel_vr"] = element[4:6].decode("ascii", "replace")
        file.read(4)  # the length of such a value comes in four bytes of its own
    return file, options


def samples_of(
    source: BinaryIO | bytes, header: Dataset, syntax: UID, options: dict[str, Any]
) -> Iterator[tuple[NDArray[Any], str]]:
    """The stored samples of each frame, (H, W) or (H, W, 3), and what they mean after decoding."""
    # pydicom's `iter_pixels` converts YBR in numpy, at five times the cost of decoding it, and knows no YBR_PARTIAL.
    stated = text(header, "PhotometricInterpretation")
    decoder = get_decoder(syntax)
    if syntax.is_encapsulated:
        decoded_frames = decoder.iter_array(source, raw=True, **options)
    else:
        # pydicom 3.0's iterator forgets after the first frame that YBR_422 is subsampled.
        decoded_frames = (
            decoder.as_array(source, raw=True, index=index, **options) for index in range(options["number_of_frames"])
        )
    for samples, properties in decoded_frames:
        # A codestream that names its own colours corrects the header. It cannot name the partial range.
        decoded = str(properties["photometric_interpretation"])
        meaning = stated if stated in YBR_PARTIAL and decoded in YBR else decoded
        yield samples.astype(samples.dtype.newbyteorder("="), copy=False), meaning


def renderer(header: Dataset, first: NDArray[Any], meaning: str) -> Render:
    """What makes an image of the samples of a frame; a table, where it needs one, is made on the first frame."""
    unsigned = np.dtype(f"u{first.dtype.itemsize}")
    if meaning in GREY:
        if first.dtype == np.uint8 and meaning == "MONOCHROME2":
            return lambda samples: samples
        grey = _grey_table(header, first)
        table = 255 - grey if meaning == "MONOCHROME1" else grey
        return lambda samples: np.take(table, samples.view(unsigned))
    if meaning in PALETTE:
        colours = apply_color_lut(np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned), header)[:, 2::-1]
        palette = np.ascontiguousarray(to_eight_bits(colours, significant_bits(colours)))
        return lambda samples: np.take(palette, samples.view(unsigned), axis=0)
    stored = number(header, "BitsStored")
    bits = int(stored) if 8 <= stored <= 16 else 8 * unsigned.itemsize

    def eight(samples: NDArray[Any]) -> Image:
        return samples if unsigned.itemsize == 1 else to_eight_bits(samples, bits)

    if meaning in RGB:
        return lambda samples: np.asarray(cv2.cvtColor(eight(samples), cv2.COLOR_RGB2BGR), np.uint8)
    matrix = _YBR_PARTIAL_TO_BGR if meaning in YBR_PARTIAL else _YBR_TO_BGR
    return lambda samples: np.asarray(cv2.transform(eight(samples), matrix), np.uint8)


def _grey_table(header: Dataset, first: NDArray[Any]) -> Image:
    """(256,) or (65536,): the grey level of each stored sample, its bits read as an unsigned number."""
    unsigned = np.dtype(f"u{first.dtype.itemsize}")
    stored = np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned).view(first.dtype).astype(np.int64)
    if unsigned.itemsize == 1:
        return (stored - np.iinfo(first.dtype).min).astype(np.uint8)
    if (windowed := _window(header, stored)) is not None:
        return windowed
    # Signed samples begin anywhere, unsigned ones at 0.
    lowest = 0 if first.dtype == unsigned else int(first.min())
    return to_eight_bits(np.maximum(stored - lowest, 0), significant_bits(first.astype(np.int64) - lowest))


def _window(header: Dataset, stored: NDArray[np.int64]) -> Image | None:
    """Grey levels by the window of the header (PS3.3 C.11.2.1), 0 to 255; None where it has none that can be used."""
    centre, width = number(header, "WindowCenter"), number(header, "WindowWidth")
    if not (math.isfinite(centre) and 0 < width < math.inf):
        return None
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    slope = slope if math.isfinite(slope) and slope else 1.0
    values = stored * slope + (intercept if math.isfinite(intercept) else 0.0)
    function = text(header, "VOILUTFunction").upper()
    if function == "SIGMOID":
        levels = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    elif function == "LINEAR_EXACT" or width <= 1:
        levels = (values - centre) / width + 0.5
    else:
        levels = (values - (centre - 0.5)) / (width - 1) + 0.5
    return np.asarray(np.rint(255 * np.clip(levels, 0, 1)), np.uint8)


def _affine(matrix: Array, zero: tuple[float, float, float]) -> Array:
    """(3, 4), for cv2.transform, of ``matrix @ (ybr - zero)``."""
    return np.hstack([matrix, -(matrix @ np.asarray(zero))[:, None]])


# Rows B, G, R of BT.601: over all 256 levels as in JPEG, and over the 219 and 224 levels of television.
_YBR_TO_BGR = _affine(np.array([[1, 1.772, 0], [1, -0.344136, -0.714136], [1, 0, 1.402]]), (0, 128, 128))
_YBR_PARTIAL_TO_BGR = _affine(
    np.array([[255, 451.6, 0], [255, -87.7, -182.0], [255, 0, 357.3]]) / np.array([219, 224, 224]), (16, 128, 128)
)
