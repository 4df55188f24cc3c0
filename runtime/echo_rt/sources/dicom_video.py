"""A video in a DICOM file: MPEG-2, H.264 or HEVC, in one fragment or in several, decoded with PyAV (FFmpeg).

The pixel data is a whole file of a video, usually MP4, a transport or a program stream (PS3.5 A.4.5 and following). It
is read through the fragments where they are: the file may be larger than the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from echo_rt.arrays import Image
from echo_rt.sources.bare import is_clockless
from echo_rt.sources.base import one_line
from echo_rt.sources.dicom_element import Element, Item, Joined, pixel_sequence
from echo_rt.sources.dicom_pixels import Refusal
from echo_rt.sources.display import Display, max_pixels
from echo_rt.sources.limits import limits

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegvideo,h264,hevc,matroska"
"""What may stand in a DICOM file. A playlist would open other files."""


class EmbeddedVideo:
    """The video stream in the pixel data of a DICOM file.

    Attributes:
        rows, columns: of its pictures as stored.
        fps: by its own clock, or None.
        frames: that it promises, or None.
        decoded, skipped: packets so far that gave frames, and that could not be decoded.
        cut: the DICOM file ends within it.
        notes: on how its pictures are shown; whole after the first.

    Raises:
        Refusal: there is no video in it that FFmpeg reads.
    """

    def __init__(self, element: Element, resources: ExitStack) -> None:
        items: tuple[Item, ...] = (Item(element.start, element.available),)
        self.cut = False
        if element.encapsulated:
            sequence = pixel_sequence(element)
            items, self.cut = sequence.items, sequence.cut
        options = {"protocol_whitelist": "", "format_whitelist": _FORMATS, **max_pixels()}
        opened, said = None, ""
        try:
            opened = av.open(Joined(element, items), options=options, metadata_errors="replace")
        except av.FFmpegError as error:
            said = one_line(error)
        if opened is None:  # not raised above: a number that is too large is a MemoryError to FFmpeg
            found = "one cut off by the end of the file" if self.cut else f"none ({said})"
            raise Refusal("a video in the pixel data", found, "copy the file again")
        self._container = cast("InputContainer", resources.enter_context(opened))
        stream = cast("VideoStream | None", self._container.streams.best("video"))
        if stream is None or stream.codec_context is None:
            raise Refusal("a video in the pixel data", "one without pictures", "export it again")
        if excess := limits().pixels(stream.height * stream.width):
            raise Refusal(*excess)
        stream.thread_type, stream.codec_context.options = "NONE", max_pixels()
        self._stream = stream
        self.rows, self.columns = stream.height, stream.width
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate and not is_clockless(self._container) else None
        self.frames = stream.frames or None
        self.decoded = self.skipped = 0
        self._display = Display(stream)
        self.notes = self._display.notes

    def shown(self, spacing_mm: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float]:
        """The pixels of pictures as they are shown, from those as they are stored."""
        rows, columns = self.rows, self.columns
        if (rows > columns) != (shape[0] > shape[1]):  # turned by a quarter
            rows, columns, spacing_mm = columns, rows, spacing_mm[::-1]
        return spacing_mm[0] * rows / shape[0], spacing_mm[1] * columns / shape[1]

    def pictures(self) -> Iterator[tuple[int, float | None, Image]]:
        """Index, time stamp in seconds or None, and image of each frame, in the order of display."""
        try:
            for packet in self._container.demux(self._stream):
                flush = packet.dts is None and not packet.size
                if packet.is_corrupt or not (packet.size or flush):
                    self.skipped += 1
                    continue
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.skipped += 1
                    continue
                for frame in frames:
                    yield self.decoded + self.skipped, frame.time, self._display.image(frame)
                    self.decoded += 1
        except av.FFmpegError as error:
            found = f"damage after frame {self.decoded} ({one_line(error)})"
            raise Refusal("a whole video", found, "copy the file again") from None
