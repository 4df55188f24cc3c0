"""Cameras and capture cards of Linux, with the times at which the kernel took their frames."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av

from echo_rt.errors import SourceError
from echo_rt.sources import camera
from echo_rt.sources.base import one_line
from echo_rt.sources.display import Display, max_pixels
from echo_rt.sources.v4l2 import modes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from echo_rt.sources.feed import FeedOptions, FeedPicture

DEVICES = Path("/dev")

OPEN_S, READ_S = 5.0, 2.0
"""Time-outs: for the first frame of a device that compresses, which FFmpeg looks at to open it, and for any later."""

TURN_S = 0.002
"""Between two looks whether a frame is there. FFmpeg's own wait for a card without a signal has no end."""

LATE_S = 0.2
"""A frame that comes so much later after its time than the quickest did has waited for us. It is left out undecoded:
the newest is what counts."""

NON_BLOCKING = "+4"
"""FFmpeg's flag AVFMT_FLAG_NONBLOCK, which has no name among its options."""

FORMATS = {
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "NV12": "nv12",
    "YU12": "yuv420p",
    "BGR3": "bgr24",
    "RGB3": "rgb24",
    "GREY": "gray",
    "MJPG": "mjpeg",
}
"""FFmpeg's names for pixel formats, those first that lose nothing and need no decoding. Each frame stands alone."""


class V4l2Camera(camera.Camera):
    """A camera or a capture card by FFmpeg: a frame's time is the kernel's. Where FFmpeg does not open it, OpenCV does,
    and a frame's time is that of its arrival; `note` says so.

    Args, Raises: see `Camera`.
    """

    def __init__(self, uri: str, options: FeedOptions) -> None:
        super().__init__(uri, options)
        self._container: InputContainer | None = None
        self._left = False

    def interrupt(self) -> None:
        """End the wait for the next frame. From any thread."""
        self._left = True

    def _open(self) -> None:
        self._left = False
        device = DEVICES / f"video{int(re.sub(r'[^0-9]', '', self.uri))}"
        camera.check_device(device)
        wanted = self.options.pixel_format
        try:
            if wanted is not None and wanted.upper() not in FORMATS:
                raise ValueError(f"no name for {wanted.upper()}")
            self._container = self._connect(device)
        except (av.FFmpegError, ValueError) as error:
            super()._open()
            why = f"times are of arrival, as FFmpeg does not open it: {one_line(error)}"
            self.note = "; ".join(filter(None, (self.note, why)))
            return
        self._compare(self._container.streams.video[0])

    def _connect(self, device: Path) -> InputContainer:
        options = {**max_pixels(), "fflags": NON_BLOCKING}
        if self.options.size is not None:
            options["video_size"] = f"{self.options.size[0]}x{self.options.size[1]}"
        if self.options.fps is not None:
            options["framerate"] = f"{self.options.fps:g}"
        if (pixel_format := self._pixel_format(device)) is not None:
            options["input_format"] = FORMATS[pixel_format]
        return av.open(str(device), format="v4l2", options=options, timeout=(OPEN_S, None))

    def _pixel_format(self, device: Path) -> str | None:
        """What was asked for, or what has the size and the rate that were; None leaves it to FFmpeg."""
        size, fps = self.options.size, self.options.fps
        if self.options.pixel_format is not None:
            return self.options.pixel_format.upper()
        if size is None:
            return None
        try:
            offered = modes(device)
        except OSError:
            return None
        fits = {
            mode.pixel_format
            for mode in offered
            if mode.offers(size) and (fps is None or not mode.fps or mode.fps[0] > fps - 0.5)
        }
        return next((name for name in FORMATS if name in fits), None)

    def _compare(self, stream: VideoStream) -> None:
        """Say where the device does otherwise than it was asked to."""
        codec, options = stream.codec_context, self.options
        names = {ffmpeg: name for name, ffmpeg in FORMATS.items()}
        self.fps = float(stream.average_rate) if stream.average_rate else None
        given = {
            "pixel format": names.get(codec.name) or names.get(codec.pix_fmt or "", codec.name),
            "size": f"{codec.width}x{codec.height}",
            "rate": f"{self.fps or 0:g} fps",
        }
        self.note = camera.otherwise(options, given)

    def _pictures(self) -> Iterator[FeedPicture]:
        if self._container is None:
            yield from super()._pictures()
            return
        display = Display(self._container.streams.video[0])
        try:
            for packet in self._packets(self._container):
                for frame in packet.decode():
                    yield display.image(frame), frame.time, None
        except av.FFmpegError as error:
            raise self._silent(one_line(error)) from None

    def _packets(self, container: InputContainer) -> Iterator[Packet[VideoStream]]:
        stream, quickest_s = container.streams.video[0], math.inf
        heard_s = time.monotonic()
        while not self._left:
            try:
                for packet in container.demux(stream):
                    heard_s = time.monotonic()
                    if packet.pts is None:
                        continue  # the end
                    took_s = heard_s - float(packet.pts * packet.time_base)
                    quickest_s = min(quickest_s, took_s)
                    if took_s < quickest_s + LATE_S:
                        yield packet
                    if self._left:
                        return
                raise self._silent("the end")
            except av.error.BlockingIOError:
                if time.monotonic() - heard_s > READ_S:
                    raise self._silent("none") from None
            time.sleep(TURN_S)

    def _silent(self, found: str) -> SourceError:
        return SourceError(
            f"{self.uri}: expected a picture from the camera, found {found}; check its cable and its signal"
        )

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
        super()._close()
