"""Video streams from the network: RTSP, UDP and HTTP, decoded with PyAV (FFmpeg)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from echo_rt.errors import SourceError, SourceFormatError
from echo_rt.sources.base import one_line
from echo_rt.sources.feed import Feed
from echo_rt.sources.video import image_of

if TYPE_CHECKING:
    from av.container import InputContainer

    from echo_rt.sources.feed import FeedPicture

OPEN_S, READ_S = 8.0, 2.0
"""Time-outs: for the first answer with all that is needed to decode, and for any later one."""

# Nothing is buffered before the first frame is shown, and no more of the stream is looked at than is needed to know its
# codec.
_ALL = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "500000", "analyzeduration": "500000"}
_BY_SCHEME = {
    # TCP loses no packets; where the server refuses it, UDP is taken.
    "rtsp": {"rtsp_flags": "prefer_tcp", "max_delay": "100000", "reorder_queue_size": "16"},
    # Too much at once is lost, which is better than an end.
    "udp": {"overrun_nonfatal": "1", "fifo_size": "50000"},
    "http": {},
}
_PROTOCOLS = {"rtsp": "rtsp,rtsps,rtp,udp,tcp,tls", "udp": "udp", "http": "http,https,tcp,tls"}
"""What a stream may lead to: never a file of this machine."""

_NO_TIMES = ("mpjpeg", "mjpeg", "image2pipe", "h264", "hevc", "m4v")
"""Formats without time stamps, for which FFmpeg makes some up."""


class NetworkStream(Feed):
    """``rtsp://``, ``udp://`` (MPEG-TS) or ``http://``.

    The time of a frame is the sender's time stamp, tied to this machine's clock where it jumps; where there is none,
    that of arrival. Frames that arrived damaged are left out.

    Raises, when it is entered or read:
        SourceError: no answer in time, or none any more.
        SourceFormatError: what is there is no video.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.name = shown(uri)
        self.spacing_note = "a video stream does not say how large a pixel is"
        self._container: InputContainer | None = None

    def _open(self) -> None:
        scheme = urlsplit(self.uri).scheme.lower().removesuffix("s")
        options = {**_ALL, **_BY_SCHEME[scheme], "protocol_whitelist": _PROTOCOLS[scheme]}
        try:
            container = av.open(self.uri, options=options, timeout=(OPEN_S, READ_S), metadata_errors="replace")
        except av.FFmpegError as error:
            raise SourceError(
                f"{self.name}: expected a stream, found {_what(error)}; see `echo-rt doctor {self.name}`"
            ) from None
        self._container = container
        if not self._container.streams.video:
            raise SourceFormatError(f"{self.name}: expected a video stream, found none in it; check the address")
        stream = self._container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else None

    def _pictures(self) -> Iterator[FeedPicture]:
        assert self._container is not None
        stream = self._container.streams.video[0]
        stream.thread_type = "NONE"  # threads that take a frame each give them back as many frames later
        stamped = self._container.format.name.split(",")[0] not in _NO_TIMES
        heard_s, given = time.monotonic(), False
        try:
            for packet in self._container.demux(stream):
                if packet.is_corrupt:
                    continue
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    frames = []  # up to the next key frame
                for frame in frames:
                    if not frame.is_corrupt:
                        heard_s, given = time.monotonic(), True
                        yield image_of(frame), frame.time if stamped else None, None
                if time.monotonic() - heard_s > (READ_S if given else OPEN_S):
                    raise SourceError(
                        f"{self.name}: expected pictures, found packets that cannot be decoded; check the sender"
                    )
        except av.FFmpegError as error:
            raise SourceError(
                f"{self.name}: expected the stream to go on, found {_what(error)}; check the sender and the network"
            ) from None

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None


def shown(uri: str) -> str:
    """An address without user name and password, for messages."""
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _what(error: av.FFmpegError) -> str:
    return "no answer in time" if isinstance(error, av.error.ExitError) else one_line(error)
