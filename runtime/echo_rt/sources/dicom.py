"""DICOM cine recordings, decoded with pydicom one frame at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from echo_rt.arrays import Array
from echo_rt.sources.base import MIN_FRAMES, Picture, Recording, one_line, too_short
from echo_rt.sources.dicom_header import frame_times, number, pixel_spacing, text, view
from echo_rt.sources.dicom_pixels import GREY, PALETTE, RGB, YBR, YBR_PARTIAL, Render, locate, renderer, samples_of

MAX_DEFLATION = 1032
"""Bytes that one byte of a deflated file can become, by the design of deflate."""


class DicomCine(Recording):
    """A DICOM file of several frames: ultrasound multi-frame, or any other with a clock in its header.

    MONOCHROME1 and 2 give (H, W), all colours (H, W, 3) BGR. Samples of more than 8 bits are windowed as the header
    says, or shifted by whole bits where it says nothing. A clip of any length needs the memory of one frame; only a
    deflated file is inflated as a whole.

    Raises, when it is entered or read:
        SourceFormatError: it is not DICOM, has no pixels or one frame, has no clock (and no `fps` was given), ends
            before its last frame, or is stored in a way that cannot be decoded here.
    """

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        # Scanners and exporters bend the standard in harmless ways, and pydicom warns of each.
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        try:
            file = resources.enter_context(self.path.open("rb"))
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            syntax = _transfer_syntax(header)
        except Exception as error:
            # The parser raises struct.error, ValueError, EOFError and more on a damaged header.
            found = f"none that can be read ({one_line(error)})"
            raise self._error("a DICOM file", found, "copy it again, or check that it is the right file") from error
        frames = self._check(header, syntax)
        # A damaged number of frames must not become an allocation. A frame has 8 bytes at least: the head of its item.
        if 8 * frames > self.path.stat().st_size * (MAX_DEFLATION if syntax.is_deflated else 1):
            expected, todo = f"{frames} frames, as the header says", "it is truncated or damaged, copy it again"
            raise self._error(expected, "a file too short for them", todo)
        times = frame_times(header, frames)
        if times is None:
            if self._given_fps is None:
                expected = "a frame time or rate in the header"
                raise self._error(expected, "none that can be used", "give the frame rate with --fps")
            times = np.arange(frames) / self._given_fps
        self.frames = frames
        self.fps = self._given_fps or float(1 / np.median(np.diff(times)))
        self.spacing_mm, self.spacing_note = pixel_spacing(header)
        self.view = view(header)
        try:
            located = locate(file, header, syntax)
        except Exception as error:
            found = f"none that can be read ({one_line(error)})"
            raise self._error("pixel data", found, "the file is damaged, copy it again") from error
        if located is None:
            raise self._error("a recording", "a DICOM file without pixel data", "check that it is the right file")
        source, options = located
        return self._pictures(samples_of(source, header, syntax, options), header, times)

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
            found = f"PhotometricInterpretation {one_line(meaning or 'none')}"
            raise self._error("grey, RGB, YBR or palette colours", found, "export it in one of these")
        channels = 1 if meaning in (*GREY, *PALETTE) else 3
        if number(header, "SamplesPerPixel") != channels:
            found = f"{number(header, 'SamplesPerPixel'):g}"
            raise self._error(f"{channels} samples a pixel for {meaning}", found, "export it again")
        if (bits := number(header, "BitsAllocated")) not in (8, 16):
            raise self._error("8 or 16 bits a sample", f"{bits:g}", "export it with 8 bits")
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            todo = "export it as JPEG or uncompressed, or as MP4"
            raise self._error("a still-image transfer syntax", one_line(syntax.name), todo) from None
        if not decoder.is_available:
            todo = "install a decoder of pydicom for it (pylibjpeg-libjpeg or python-gdcm), or export it uncompressed"
            raise self._error("a transfer syntax that can be decoded here", one_line(syntax.name), todo)
        return frames

    def _pictures(
        self, samples: Iterator[tuple[NDArray[Any], str]], header: Dataset, times: Array
    ) -> Iterator[Picture]:
        renderers: dict[str, Render] = {}
        for index, t_s in enumerate(times):
            try:
                stored, meaning = next(samples)
                if meaning not in renderers:
                    renderers[meaning] = renderer(header, stored, meaning)
                image = renderers[meaning](stored)
            except StopIteration:
                raise self._error(f"{times.size} frames", f"{index}", "the file is truncated, copy it again") from None
            except Exception as error:
                # pydicom tries one plug-in after the other, and each has errors of its own.
                found = f"{index}, for the next cannot be decoded ({one_line(error)})"
                todo = "the file is truncated or damaged, copy it again"
                raise self._error(f"{times.size} frames", found, todo) from error
            yield index, float(t_s), image


def _transfer_syntax(header: Dataset) -> UID:
    """The one the file states, or, of a file without meta information, the one it was found to be in."""
    if stated := text(header.file_meta, "TransferSyntaxUID"):
        return UID(stated)
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian
