"""DICOM cine recordings, decoded with pydicom one frame at a time."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from echo_rt.errors import SourceFormatError
from echo_rt.sources.base import MIN_FRAMES, Recording, one_line, too_short
from echo_rt.sources.dicom_header import frame_times, number, pixel_spacing, text, view
from echo_rt.sources.levels import significant_bits, to_eight_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from echo_rt.sources.base import Picture

    Render = Callable[[NDArray[Any]], NDArray[np.uint8]]
    """From the stored samples of a frame to its image."""

_PIXEL_DATA = (0x7FE0, 0x0010)

MAX_DEFLATION = 1032
"""Bytes that one byte of a deflated file can become, by the design of deflate."""

GREY = ("MONOCHROME1", "MONOCHROME2")
YBR = ("YBR_FULL", "YBR_FULL_422")
YBR_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
RGB = ("RGB", "YBR_RCT", "YBR_ICT")  # the decoder undoes the colour transforms of JPEG 2000, which are its own
PALETTE = ("PALETTE COLOR",)


class DicomCine(Recording):
    """A DICOM file of several frames: ultrasound multi-frame, or any other with a clock in its header.

    MONOCHROME1 and 2 give (H, W), all colours (H, W, 3) BGR. Samples of more than 8 bits are windowed as the header
    says, or shifted by whole bits where it says nothing. Frames are read from the file as they are asked for, so that a
    clip of any length needs the memory of one frame; only a deflated file, which nobody can enter in the middle, is
    inflated as a whole.

    Raises, when it is entered or read:
        SourceFormatError: it is not DICOM, has no pixels or one frame, has no clock (and no `fps` was given), ends
            before its last frame, or is stored in a way that cannot be decoded here.
    """

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        # Scanners and exporters bend the standard in harmless ways, and pydicom warns of each; what does harm is raised
        # below.
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        try:
            file = resources.enter_context(self.path.open("rb"))
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            syntax = _transfer_syntax(header)
        except Exception as error:
            # The parser raises struct.error, ValueError, EOFError and more on a damaged header, whatever it trips over
            # first.
            raise self._error(
                "a DICOM file",
                f"none that can be read ({one_line(error)})",
                "copy it again, or check that it is the right file",
            ) from error
        frames = self._check(header, syntax)
        # A damaged number of frames must not become an allocation. A frame in a file has 8 bytes at the least, the head
        # of its item.
        if 8 * frames > self.path.stat().st_size * (MAX_DEFLATION if syntax.is_deflated else 1):
            raise self._error(
                f"{frames} frames, as the header says",
                "a file too short for them",
                "it is truncated or damaged, copy it again",
            )
        times = frame_times(header, frames)
        if times is None:
            if self._given_fps is None:
                raise self._error(
                    "a frame time or rate in the header", "none that can be used", "give the frame rate with --fps"
                )
            times = np.arange(frames) / self._given_fps
        self.frames = frames
        self.fps = self._given_fps or float(1 / np.median(np.diff(times)))
        self.spacing_mm, self.spacing_note = pixel_spacing(header)
        self.view = view(header)
        try:
            located = _locate(file, header, syntax)
        except Exception as error:
            raise self._error(
                "pixel data", f"none that can be read ({one_line(error)})", "the file is damaged, copy it again"
            ) from error
        if located is None:
            raise self._error("a recording", "a DICOM file without pixel data", "check that it is the right file")
        source, options = located
        return self._pictures(_samples(source, header, syntax, options), header, times)

    def _check(self, header: Dataset, syntax: UID) -> int:
        """The number of frames, once the header has been found to be that of a cine that can be decoded here."""
        if not header:
            raise self._error("a DICOM file", "none", "copy it again, or check that it is the right file")
        if not (number(header, "Rows") >= 1 and number(header, "Columns") >= 1):
            uid = UID(text(header, "SOPClassUID"))
            kind = f" ({uid.name})" if uid.name != uid else ""
            raise self._error("a recording", f"a DICOM file without images{kind}", "check that it is the right file")
        stored = number(header, "NumberOfFrames")
        frames = int(stored) if 0 <= stored < 2**31 else 1
        if frames < MIN_FRAMES:
            raise too_short(self.path, frames)
        meaning = text(header, "PhotometricInterpretation")
        if meaning not in (*GREY, *RGB, *YBR, *YBR_PARTIAL, *PALETTE):
            raise self._error(
                "grey, RGB, YBR or palette colours",
                f"PhotometricInterpretation {one_line(meaning or 'none')}",
                "export it in one of these",
            )
        channels = 1 if meaning in (*GREY, *PALETTE) else 3
        if number(header, "SamplesPerPixel") != channels:
            raise self._error(
                f"{channels} samples a pixel for {meaning}", f"{number(header, 'SamplesPerPixel'):g}", "export it again"
            )
        if (bits := number(header, "BitsAllocated")) not in (8, 16):
            raise self._error("8 or 16 bits a sample", f"{bits:g}", "export it with 8 bits")
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            raise self._error(
                "a still-image transfer syntax", one_line(syntax.name), "export it as JPEG or uncompressed, or as MP4"
            ) from None
        if not decoder.is_available:
            raise self._error(
                "a transfer syntax that can be decoded here",
                one_line(syntax.name),
                "install a decoder of pydicom for it (pylibjpeg-libjpeg or python-gdcm), or export it uncompressed",
            )
        return frames

    def _pictures(
        self, samples: Iterator[tuple[NDArray[Any], str]], header: Dataset, times: NDArray[np.float64]
    ) -> Iterator[Picture]:
        renderers: dict[str, Render] = {}
        for index, t_s in enumerate(times):
            try:
                stored, meaning = next(samples)
                if meaning not in renderers:
                    renderers[meaning] = _renderer(header, stored, meaning)
                image = renderers[meaning](stored)
            except StopIteration:
                raise self._error(f"{times.size} frames", f"{index}", "the file is truncated, copy it again") from None
            except Exception as error:
                # pydicom tries one plug-in after the other, and each has errors of its own.
                raise self._error(
                    f"{times.size} frames",
                    f"{index}, for the next cannot be decoded ({one_line(error)})",
                    "the file is truncated or damaged, copy it again",
                ) from error
            yield index, float(t_s), image

    def _error(self, expected: str, found: str, todo: str) -> SourceFormatError:
        return SourceFormatError(f"{self.path}: expected {expected}, found {found}; {todo}")


def _transfer_syntax(header: Dataset) -> UID:
    """The one the file states, or, of a file without meta information, the one it was found to be in."""
    if stated := text(header.file_meta, "TransferSyntaxUID"):
        return UID(stated)
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _locate(file: BinaryIO, header: Dataset, syntax: UID) -> tuple[BinaryIO | bytes, dict[str, Any]] | None:
    """Where the pixel data is and how to decode it, for `Decoder.iter_array`; None without pixel data.

    `file` stands where reading the header stopped, and is left at the first byte of the pixel data.
    """
    options = as_pixel_options(header, transfer_syntax_uid=syntax, pixel_keyword="PixelData", pixel_vr="OW")
    if options["photometric_interpretation"] == "YBR_PARTIAL_422" and not syntax.is_encapsulated:
        options["photometric_interpretation"] = (
            "YBR_FULL_422"  # sampled the same way, which is all that pydicom asks it for
        )
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


def _samples(
    source: BinaryIO | bytes, header: Dataset, syntax: UID, options: dict[str, Any]
) -> Iterator[tuple[NDArray[Any], str]]:
    """The stored samples of each frame, (H, W) or (H, W, 3), and what they mean after decoding.

    pydicom's `iter_pixels` would do, but converts YBR in numpy, at five times the cost of decoding it, and knows no
    YBR_PARTIAL.
    """
    stated = text(header, "PhotometricInterpretation")
    decoder = get_decoder(syntax)
    if syntax.is_encapsulated:
        decoded_frames = decoder.iter_array(source, raw=True, **options)
    else:
        # pydicom 3.0's iterator forgets after the first frame that YBR_422 is subsampled. Uncompressed frames need no
        # iterator.
        decoded_frames = (
            decoder.as_array(source, raw=True, index=index, **options) for index in range(options["number_of_frames"])
        )
    for samples, properties in decoded_frames:
        # A codestream that names its own colours corrects the header. It cannot name the partial range.
        decoded = str(properties["photometric_interpretation"])
        yield (
            samples.astype(samples.dtype.newbyteorder("="), copy=False),
            stated if stated in YBR_PARTIAL and decoded in YBR else decoded,
        )


def _renderer(header: Dataset, first: NDArray[Any], meaning: str) -> Render:
    """What makes an image of the samples of a frame. Its table, where it needs one, is made once, on the first
    frame."""
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
    eight: Render = (
        (lambda samples: samples) if unsigned.itemsize == 1 else (lambda samples: to_eight_bits(samples, bits))
    )
    if meaning in RGB:
        return lambda samples: np.asarray(cv2.cvtColor(eight(samples), cv2.COLOR_RGB2BGR), np.uint8)
    matrix = _YBR_PARTIAL_TO_BGR if meaning in YBR_PARTIAL else _YBR_TO_BGR
    return lambda samples: np.asarray(cv2.transform(eight(samples), matrix), np.uint8)


def _grey_table(header: Dataset, first: NDArray[Any]) -> NDArray[np.uint8]:
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


def _window(header: Dataset, stored: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """Grey levels by the window of the header (PS3.3 C.11.2.1), 0 to 255; None where it has none that can be used."""
    centre, width = number(header, "WindowCenter"), number(header, "WindowWidth")
    if not (math.isfinite(centre) and 0 < width < math.inf):
        return None
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    values = stored * (slope if math.isfinite(slope) and slope else 1.0) + (
        intercept if math.isfinite(intercept) else 0.0
    )
    function = text(header, "VOILUTFunction").upper()
    if function == "SIGMOID":
        levels = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    elif function == "LINEAR_EXACT" or width <= 1:
        levels = (values - centre) / width + 0.5
    else:
        levels = (values - (centre - 0.5)) / (width - 1) + 0.5
    return np.asarray(np.rint(255 * np.clip(levels, 0, 1)), np.uint8)


def _affine(matrix: NDArray[np.float64], zero: tuple[float, float, float]) -> NDArray[np.float64]:
    """(3, 4), for cv2.transform, of ``matrix @ (ybr - zero)``."""
    return np.hstack([matrix, -(matrix @ np.asarray(zero))[:, None]])


# Rows B, G, R of BT.601: over all 256 levels as in JPEG, and over the 219 and 224 levels of television.
_YBR_TO_BGR = _affine(np.array([[1, 1.772, 0], [1, -0.344136, -0.714136], [1, 0, 1.402]]), (0, 128, 128))
_YBR_PARTIAL_TO_BGR = _affine(
    np.array([[255, 451.6, 0], [255, -87.7, -182.0], [255, 0, 357.3]]) / np.array([219, 224, 224]), (16, 128, 128)
)
