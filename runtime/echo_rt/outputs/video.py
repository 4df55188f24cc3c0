"""overlay.mp4: the pictures of `draw`, as a film that a browser plays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import OutputError, output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput, changed_size
from echo_rt.outputs.kept import as_kept
from echo_rt.outputs.overlay import Painter
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

ENCODER = "libx264"
OPTIONS = {"crf": "22", "preset": "ultrafast", "threads": "1", "x264-params": "chroma-qp-offset=-2"}
"""Closer to the picture than ``veryfast`` at 20 (42.5 and 41.8 dB on a phantom's speckle), in a third of the time and
twice the size. With the finer chroma flat grey stays grey. One thread, for it is a lane's own: see
`echo_rt.outputs.lane`."""

CLOCK_HZ = 90_000
"""Ticks of the film's clock, as in broadcasting: 11 µs, and every usual frame rate is a whole number of them or
nearly."""

BT601, STUDIO_RANGE = 6, 1
"""What OpenCV converts to, by FFmpeg's numbers; a player that is not told guesses by the size of the picture."""

NOMINAL_FPS = 30
"""Only x264's rate control looks at it; the frames carry their own times."""


class OverlayOutput(FileOutput):
    """Writes an H.264 film with the frames' true times, the first one at 0, whatever their rate and however it varies.

    Raises:
        OutputError: the file cannot be written, or this PyAV cannot make H.264.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        if ENCODER not in av.codecs_available:
            others = ", ".join(sorted(name for name in av.codecs_available if "264" in name)) or "none"
            raise OutputError(
                f"{self.path}: expected a PyAV with the encoder {ENCODER}, found for H.264: {others}; "
                "install PyAV's own wheel (pip install --force-reinstall --only-binary av av), or leave the overlay out"
            )
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._painter = Painter()
        self._i420 = np.empty((0, 0), np.uint8)
        self._start_s = 0.0
        self._last = -1

    def write(self, frame: Frame, reading: Reading) -> None:
        frame, reading = as_kept(frame, reading)
        picture = self._painter.paint(frame, reading)
        with self._errors():
            if self._stream is None:
                self._stream = self._open(picture.shape[1], picture.shape[0])
                self._start_s = frame.t_s
            elif picture.shape[:2] != (self._stream.height, self._stream.width):
                raise changed_size(self.path, (self._stream.height, self._stream.width), picture.shape)
            image = self._converted(picture)
            # Two frames closer than a tick must not share one.
            self._last = max(self._last + 1, round((frame.t_s - self._start_s) * CLOCK_HZ))
            image.pts, image.time_base = self._last, Fraction(1, CLOCK_HZ)
            self._mux(self._stream, image)

    def finish(self, result: RecordingResult) -> None:
        if self._container is None:
            return
        with self._errors():
            if self._stream is not None:
                self._mux(self._stream, None)
            self._container.close()
        self._container = self._stream = None

    def discard(self) -> None:
        if self._container is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = self._stream = None

    def _open(self, width: int, height: int) -> VideoStream:
        # The index goes to the front, so that a browser plays before it has loaded all.
        self._container = av.open(
            str(self.path),
            "w",
            format="mp4",
            options={"movflags": "+faststart", "video_track_timescale": str(CLOCK_HZ)},
        )
        stream = cast("VideoStream", self._container.add_stream(ENCODER, rate=NOMINAL_FPS, options=dict(OPTIONS)))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = Fraction(1, CLOCK_HZ)
        codec.colorspace = codec.color_primaries = codec.color_trc = BT601
        codec.color_range = STUDIO_RANGE
        return stream

    def _converted(self, picture: Image) -> av.VideoFrame:
        # OpenCV's conversion, not PyAV's: that one rounds grey to a greenish grey (chroma 127), and takes longer.
        height, width = picture.shape[:2]
        if self._i420.shape != (height * 3 // 2, width):
            self._i420 = np.empty((height * 3 // 2, width), np.uint8)
        cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420, dst=self._i420)
        image = av.VideoFrame(width, height, "yuv420p")
        luma, chroma = height * width, height * width // 4
        planes = np.split(self._i420.reshape(-1), [luma, luma + chroma])
        for plane, found in zip(image.planes, planes, strict=True):
            stored = np.frombuffer(cast("Any", plane), np.uint8)[: plane.height * plane.line_size]
            rows = stored.reshape(plane.height, plane.line_size)
            rows[:, : plane.width] = found.reshape(plane.height, plane.width)
        return image

    def _mux(self, stream: VideoStream, image: av.VideoFrame | None) -> None:
        assert self._container is not None
        for packet in stream.encode(image):
            self._container.mux(packet)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with output_errors(self.path):
            try:
                yield
            except av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                raise OutputError(
                    f"{self.path}: expected to encode the overlay, found: {error}; leave the overlay out"
                ) from error
