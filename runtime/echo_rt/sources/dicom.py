"""DICOM cine recordings: frames of still images, decoded one at a time, or a video in a DICOM file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from echo_rt.arrays import Image
from echo_rt.measures import Body
from echo_rt.provenance import Identity
from echo_rt.sources.aside import Aside
from echo_rt.sources.base import MIN_FRAMES, Picture, Recording, too_short
from echo_rt.sources.clock import StampClock
from echo_rt.sources.dicom_claims import moves_outside
from echo_rt.sources.dicom_clock import Clock, clock
from echo_rt.sources.dicom_codestream import begins_frame, begins_video
from echo_rt.sources.dicom_decode import named, reason
from echo_rt.sources.dicom_deflated import plain
from echo_rt.sources.dicom_element import Element, find_element
from echo_rt.sources.dicom_header import body, identity, number, text, view
from echo_rt.sources.dicom_pixels import Refusal, TooFew, size_said, stated_size
from echo_rt.sources.dicom_render import Renderer
from echo_rt.sources.dicom_scale import scale
from echo_rt.sources.dicom_stills import GE_BIG_ENDIAN, Stills, compressed, settle, uncompressed
from echo_rt.sources.dicom_video import EmbeddedVideo
from echo_rt.sources.limits import limits, open_regular

HEADER_BYTES = "16 MB"
"""A longer element is none that is looked at here, and stays in the file."""

RATES_AGREE = 0.1
"""The share by which the clock of a header and that of its video may differ: rates are often rounded."""

_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, GE_BIG_ENDIAN)

_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?")
"""MPEG-2, H.264 and HEVC, in one fragment or in several (PS3.6 A)."""


class DicomCine(Recording):
    """A DICOM file of several frames: ultrasound multi-frame, or any other with a clock in its header.

    MONOCHROME1 and 2 give (H, W), all colours (H, W, 3) BGR. Samples of more than 8 bits are windowed as the header
    says, or shifted by whole bits where it says nothing. A clip of any length needs the memory of one frame; only a
    deflated file is inflated as a whole. What the header says is held against the data, see `dicom_claims.py`. A frame
    that cannot be decoded is skipped and counted.

    Raises, when it is entered or read:
        SourceFormatError: it is not DICOM, has no pixels or one frame, has no clock (and no `fps` was given), ends
            before its last frame, or is stored in a way that cannot be decoded here; or most of its frames are damaged.
    """

    _identity, _body = Identity(), Body()

    @property
    def identity(self) -> Identity:
        """By its header, once it has been entered."""
        return self._identity

    @property
    def body(self) -> Body:
        """By its header, once it has been entered."""
        return self._body

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        # Scanners and exporters bend the standard in harmless ways, and pydicom warns of each.
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        file, header, syntax = self._header(resources)
        element = self._element(file, header)
        self.view, self._identity = view(header), identity(header)
        self._body, notes = body(header)
        self.notes += notes
        stated = number(header, "NumberOfFrames")
        claimed = int(stated) if 0 <= stated < 2**31 else 0
        try:
            if _holds_video(element, syntax):
                return self._video(EmbeddedVideo(element, resources), header, claimed)
            return self._cine(element, header, syntax, claimed)
        except TooFew as few:
            raise too_short(self.path, few.count) from None
        except Refusal as refusal:
            raise self._error(refusal.expected, refusal.found, refusal.todo) from None

    def _header(self, resources: ExitStack) -> tuple[BinaryIO, Dataset, UID]:
        try:
            file = plain(resources.enter_context(open_regular(self.path)), limits())
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True, defer_size=HEADER_BYTES)
            syntax = _transfer_syntax(header)
        except Exception as error:
            # The parser raises struct.error, ValueError, EOFError and more on a damaged header.
            found = f"none that can be read ({reason(error)})"
            raise self._error("a DICOM file", found, "copy it again, or check that it is the right file") from error
        if not header:
            raise self._error("a DICOM file", "none", "copy it again, or check that it is the right file")
        return file, header, syntax

    def _element(self, file: BinaryIO, header: Dataset) -> Element:
        try:
            element = find_element(file, header)
        except Exception as error:
            found = f"none that can be read ({reason(error)})"
            raise self._error("pixel data", found, "the file is damaged, copy it again") from error
        # A compressed frame and a video know their size, whatever the header says.
        if not all(stated_size(header)) and (element is None or not element.encapsulated):
            uid = UID(text(header, "SOPClassUID"))
            kind = f" ({uid.name})" if uid.name != uid else ""
            raise self._error("a recording", f"a DICOM file without images{kind}", "check that it is the right file")
        if element is None:
            raise self._error("a recording", "a DICOM file without pixel data", "check that it is the right file")
        return element

    def _cine(self, element: Element, header: Dataset, syntax: UID, claimed: int) -> Iterator[Picture]:
        """The pictures of still images."""
        frames = claimed if claimed >= MIN_FRAMES else 0
        if element.encapsulated:
            stills = compressed(element, header, syntax, frames, Aside())
        else:
            # A damaged number of frames must not become an allocation. A frame has 8 bytes at least.
            if 8 * frames > element.end:
                todo = "it is truncated or damaged, copy it again"
                raise Refusal(f"{frames} frames, as the header says", "a file too short for them", todo)
            stills = uncompressed(element, header, syntax, frames)
            if syntax not in _UNCOMPRESSED:
                stills.notes.append(f"the transfer syntax is {named(syntax)}, and the pixels are not compressed")
        if stills.promised < MIN_FRAMES:
            raise TooFew(stills.count)
        looks = settle(stills)
        self.notes += stills.notes
        if stills.promised == stills.count != claimed:
            self.notes.append(f"the header says {_frames(claimed)}, the file holds {stills.count}")
        ticks = self._clock(header, min(stills.promised, max(element.available // 8, MIN_FRAMES)))
        self.frames = stills.promised
        assert ticks is not None
        self.fps = self._given_fps or 1 / ticks.period_s
        render = Renderer(header, stills.pixels.stored, looks, self.notes)
        self._set_scale(header, stills.pixels.rows, stills.pixels.columns, render)
        return self._pictures(stills, render, ticks)

    def _clock(self, header: Dataset, frames: int, stream_fps: float | None = None) -> Clock | None:
        """That of the command line or of the header; None where the time stamps of a video in it are better.

        `frames` is 0 where nobody knows how many there are.
        """
        if self._given_fps is not None:
            return Clock(np.arange(2) / self._given_fps)
        ticks = clock(header, frames or MIN_FRAMES, counted=frames > 0)
        if stream_fps and ticks is not None and not ticks.usual:
            self.notes.append(
                f"the header says {1 / ticks.period_s:.4g} frames a second, its video says {stream_fps:.4g} and is used"
            )
            return None
        if ticks is None and stream_fps:
            return None
        if ticks is None:
            expected = "a frame time or rate in the header"
            raise Refusal(expected, "none that can be used", "give the frame rate with --fps")
        self.notes += ticks.notes
        if stream_fps and abs(stream_fps * ticks.period_s - 1) > RATES_AGREE:
            self.notes.append(
                f"the header says {1 / ticks.period_s:.4g} frames a second and is used, its video says {stream_fps:.4g}"
            )
        return ticks

    def _set_scale(self, header: Dataset, rows: int, columns: int, render: Renderer) -> None:
        found = scale(header, rows, columns)
        self.spacing_mm, self.spacing_note = found.spacing_mm, found.why_not
        self.notes += found.notes
        if found.regions and (inside := moves_outside(render.looks(), found.regions)) is not None:
            self.spacing_mm = None
            self.spacing_note = (
                f"the regions of the header hold {100 * inside:.0f} % of what moves: they are stale, from before the "
                "image was resized"
            )

    def _pictures(self, stills: Stills, render: Renderer, ticks: Clock) -> Iterator[Picture]:
        first = ""
        for index in range(stills.count):
            try:
                image = render(*stills.read(index))
            except Refusal as refusal:
                raise self._error(refusal.expected, refusal.found, refusal.todo) from None
            except Exception as error:  # noqa: BLE001 - pydicom tries plug-ins, and each has errors of its own
                self.skipped += 1
                first = first or reason(error)
                if 2 * self.skipped > stills.count:
                    expected, found = f"{stills.count} frames", f"{self.skipped} that cannot be decoded ({first})"
                    raise self._error(expected, found, "the file is damaged, copy it again") from None
                continue
            yield index, ticks.at(index), image
        self._note_skipped(stills.count)
        if stills.promised > stills.count:
            found = f"{stills.count}"
            raise self._error(f"{stills.promised} frames", found, "the file is truncated, copy it again")

    def _note_skipped(self, count: int) -> None:
        if self.skipped:
            self.notes.append(f"{self.skipped} of {count} frames cannot be decoded and are left out")

    def _video(self, video: EmbeddedVideo, header: Dataset, claimed: int) -> Iterator[Picture]:
        """The pictures of a video, counted by its own stream."""
        frames = claimed if claimed >= MIN_FRAMES else video.frames or 0
        ticks = self._clock(header, min(frames, limits().frames), video.fps)
        self.frames = video.frames or frames or None
        self.fps = self._given_fps or (1 / ticks.period_s if ticks else video.fps)
        stated = stated_size(header)
        if stated != (video.rows, video.columns):
            self.notes.append(f"{size_said(*stated)}, its video has {video.columns}x{video.rows}")
        found = scale(header, video.rows, video.columns)
        self.spacing_mm, self.spacing_note = found.spacing_mm, found.why_not
        self.notes += found.notes
        pictures = video.pictures()
        first = next(pictures, None)  # it shows how the others are shown
        if first is not None and self.spacing_mm is not None:
            self.spacing_mm = video.shown(self.spacing_mm, first[2].shape)
        return self._video_pictures(video, chain([first] if first else [], pictures), ticks, claimed)

    def _video_pictures(
        self, video: EmbeddedVideo, pictures: Iterator[tuple[int, float | None, Image]], ticks: Clock | None,
        claimed: int,
    ) -> Iterator[Picture]:  # fmt: skip
        stamps = StampClock(self.path, video.fps)
        try:
            for index, stamp_s, image in pictures:
                yield index, stamps.at(stamp_s) if ticks is None else ticks.at(index), image
        except Refusal as refusal:
            raise self._error(refusal.expected, refusal.found, refusal.todo) from None
        self.notes += video.notes
        self.skipped = video.skipped
        there = video.decoded + video.skipped
        if video.cut:
            raise self._error("a whole video", f"{there} frames of it", "the file is truncated, copy it again")
        if self.skipped > video.decoded:
            found = f"{self.skipped} that cannot be decoded and {video.decoded} that can"
            raise self._error("frames of a video", found, "the file is damaged, copy it again")
        if claimed != there and there >= MIN_FRAMES:
            self.notes.append(f"the header says {_frames(claimed)}, its video has {there}")
        self._note_skipped(there)


def _holds_video(element: Element, syntax: UID) -> bool:
    """Whether the pixel data is a video, by its first bytes, else by the transfer syntax."""
    head = element.first_bytes()
    if element.encapsulated and _VIDEO.fullmatch(syntax) is not None:
        return not begins_frame(head)
    return begins_video(head) and (element.encapsulated or _VIDEO.fullmatch(syntax) is not None)


def _frames(claimed: int) -> str:
    return f"{claimed} frame{'s' * (claimed != 1)}" if claimed else "no number of frames"


def _transfer_syntax(header: Dataset) -> UID:
    """The one the file states, or, of a file without meta information, the one it was found to be in."""
    if stated := text(header.file_meta, "TransferSyntaxUID"):
        return UID(stated)
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian
