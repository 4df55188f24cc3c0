"""Video streams from the network: RTSP, UDP and HTTP, decoded with PyAV (FFmpeg)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from echo_rt.errors import ParameterError, SourceError, SourceFormatError
from echo_rt.sources.base import one_line
from echo_rt.sources.display import Display, max_pixels
from echo_rt.sources.feed import Feed
from echo_rt.sources.pace import PlayOut

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from echo_rt.sources.feed import FeedPicture

OPEN_S, READ_S = 8.0, 2.0
"""Time-outs: for the first answer with all that is needed to decode, and for any later one."""

NO_ANSWER = "no answer in time"

SEGMENT_S = 12.0
"""A stream in segments comes as one segment after the other, of up to 10 s each."""

JITTER_S = 0.25
"""By so much a frame over HTTP may be early on the way; over RTSP and UDP all may, as they are made for live."""

FORGIVEN = 2
"""So often a stream over HTTP that is held up on the way catches up; then it is one in bursts."""

# Nothing is buffered before the first frame is shown, and no more of the stream is looked at than is needed to know its
# codec: to find its rate, too, would take a third of a second more whenever a stream is lost and opened again.
_PROBE = {"probesize": "500000", "analyzeduration": "500000", "fpsprobesize": "0"}
_LIVE = {"fflags": "nobuffer", "flags": "low_delay"}
# A recording that breaks off is asked for from there.
_RECORDED = {"reconnect": "1", "reconnect_delay_max": "2"}
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
    that of arrival. Frames that arrived damaged are left out. Pictures are shown as a player shows them, see `Display`.

    What comes over HTTP faster than it plays waits for its time: a recording, which `ends`, a stream in segments (HLS),
    or any sender in bursts. It waits where it is, with the sender and in the network, so that nothing fills up here.

    Raises, when it is entered or read:
        ParameterError: the address has no host.
        SourceError: no answer in time, or none any more.
        SourceFormatError: what is there is no video, or a recording without the times of its frames.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.name = shown(uri)
        try:
            host = urlsplit(uri).hostname
        except ValueError:
            host = None
        if not host and not uri.lower().startswith("udp:"):  # which listens where it has no host
            raise ParameterError(f"{self.name}: expected an address with a host, found none; check its spelling")
        self.spacing_note = "a video stream does not say how large a pixel is"
        self._container: InputContainer | None = None
        self._given_up = threading.Event()
        self._play_out: PlayOut | None = None
        self._read_s = READ_S

    def interrupt(self) -> None:
        """End the wait for the next frame, and with it the source. From any thread."""
        self._given_up.set()

    def _open(self) -> None:
        self._given_up.clear()
        self.ends = False
        scheme = urlsplit(self.uri).scheme.lower().removesuffix("s")
        self._container = container = self._connect(scheme, _LIVE)
        if not container.streams.video:
            raise SourceFormatError(f"{self.name}: expected a video stream, found none in it; check the address")
        if scheme == "http":
            segmented = "hls" in container.format.name
            self.ends = _has_end(container)
            if self.ends and not _is_stamped(container):
                raise SourceFormatError(
                    f"{self.name}: expected a recording with time stamps, found a bare {container.format.name} stream; "
                    "download it and give it to `echo-rt file` with --fps"
                )
            if self.ends or segmented:
                # What is looked at first must not be lost, and pictures come out in their order.
                self._close()
                self._container = container = self._connect(scheme, _RECORDED if self.ends else {})
            self.patience_s = SEGMENT_S if segmented else 0.0
            self._play_out = PlayOut() if self.ends or segmented else PlayOut(JITTER_S, FORGIVEN)
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else None

    def _connect(self, scheme: str, more: dict[str, str]) -> InputContainer:
        options = {**max_pixels(), **_PROBE, **_BY_SCHEME[scheme], **more, "protocol_whitelist": _PROTOCOLS[scheme]}
        # Over HTTP a silence is told by whoever reads: segments come seconds apart.
        self._read_s = SEGMENT_S if scheme == "http" else READ_S
        try:
            return av.open(self.uri, options=options, timeout=(OPEN_S, self._read_s), metadata_errors="replace")
        except av.FFmpegError as error:
            raise SourceError(
                f"{self.name}: expected a stream, found {_what(error)}; see `echo-rt doctor {self.name}`"
            ) from None

    def _pictures(self) -> Iterator[FeedPicture]:
        assert self._container is not None
        stream = self._container.streams.video[0]
        stream.codec_context.options = {**stream.codec_context.options, **max_pixels()}
        stream.thread_type = "NONE"  # threads that take a frame each give them back as many frames later
        stamped, display = _is_stamped(self._container), Display(stream)
        heard_s, starved_s, given = time.monotonic(), 0.0, False
        try:
            for packet, waited_s in _timed(self._container.demux(stream)):
                if waited_s >= self._read_s:
                    # FFmpeg holds a picture back until the next begins, and gives it when the time is over: it is old.
                    raise self._broken_off(NO_ANSWER)
                starved_s += waited_s  # since the last frame
                if packet.is_corrupt:
                    continue
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    frames = []  # up to the next key frame
                for frame in frames:
                    if frame.is_corrupt:
                        continue
                    stamp_s = frame.time if stamped else None
                    if not self._wait(stamp_s, starved_s):
                        return
                    image = display.image(frame)
                    if not given:
                        self.notes += display.notes
                    heard_s, starved_s, given = time.monotonic(), 0.0, True
                    yield image, stamp_s, None
                # What the network took is not the decoder's fault, up to the longest that it may take.
                silent_s = time.monotonic() - heard_s - min(starved_s, SEGMENT_S)
                if silent_s > (READ_S if given else OPEN_S):
                    raise SourceError(
                        f"{self.name}: expected pictures, found packets that cannot be decoded; check the sender"
                    )
        except av.FFmpegError as error:
            raise self._broken_off(_what(error)) from None

    def _broken_off(self, found: str) -> SourceError:
        return SourceError(
            f"{self.name}: expected the stream to go on, found {found}; check the sender and the network"
        )

    def _wait(self, stamp_s: float | None, starved_s: float) -> bool:
        """Wait until a frame is due; False where nobody waits for it any more."""
        wait_s = 0.0
        if self._play_out is not None and stamp_s is not None:
            wait_s = self._play_out.wait_s(stamp_s, time.monotonic(), starved_s)
        return not self._given_up.wait(wait_s)

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None


def _timed(packets: Iterator[Packet[VideoStream]]) -> Iterator[tuple[Packet[VideoStream], float]]:
    """Each packet, and the seconds that the network took for it."""
    asked_s = time.monotonic()
    for packet in packets:
        yield packet, time.monotonic() - asked_s
        asked_s = time.monotonic()


def _is_stamped(container: InputContainer) -> bool:
    return container.format.name.split(",")[0] not in _NO_TIMES


def _has_end(container: InputContainer) -> bool:
    """Whether what comes over HTTP is a recording: its header gives a duration, or the server a length."""
    name = container.format.name
    if (container.duration or 0) > 0:
        return True
    # The length of a playlist is not that of its stream; cameras invent one for pictures without an end.
    return "hls" not in name and name != "mpjpeg" and container.size > 0


def shown(uri: str) -> str:
    """An address without user name and password, for messages."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # of a host that is none; what stands before it may be a password
        return re.sub(r"//.*@", "//", uri)
    return uri if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _what(error: av.FFmpegError) -> str:
    return NO_ANSWER if isinstance(error, av.error.ExitError) else one_line(error)
