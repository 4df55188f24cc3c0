"""Video files, decoded with PyAV (FFmpeg)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from echo_rt.arrays import Image
from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources.base import Picture, Recording, one_line, too_short

HEADER_SLACK_FRAMES = 1
"""Headers that count one frame too many are written by recorders that close a file while a frame is under way."""

MATROSKA_SLACK = (0.5, 0.05)
"""Seconds, and share of the duration, by which a Matroska file may end early: its header has no frame count, and its
duration is that of the longest stream, sound included."""

CLOCK_RESET_S = 1.0
"""Time stamps that go back by more than this were reset (spliced transport streams); by less, they are out of order."""

_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS: a bare stream of frames, to which FFmpeg gives 25 fps whatever it was

# Scaler threads made every clip slower (640x480 H.264, two cores: 2.3 ms a frame, 0.6 with one thread), and the engine
# has better use for the cores. PyAV before 17 scales in one thread anyway.
_SCALER_THREADS: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


class Video(Recording):
    """An AVI, MP4, MOV, MKV, GIF or any other video file that FFmpeg reads.

    The time of a frame is its own time stamp, or follows the frame before it by the average rate. AVI has no time
    stamps: its frames follow one another at its rate, with a gap for those that were dropped in capture. Rotation
    metadata is ignored: scanners write none and phones guess. Grey video gives (H, W), all other (H, W, 3) BGR, more
    than 8 bits are scaled to 8.

    Raises, when it is entered or read:
        ParameterError: a bare stream without a clock (.h264, .mjpeg), and no `fps` was given.
        SourceFormatError: it is not a video, has fewer than two frames, or most of them cannot be decoded; after its
            last frame, if it ends before what its header promises.
    """

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        container = resources.enter_context(self._container())
        stream = container.streams.best("video")
        if stream is None or not hasattr(stream, "average_rate"):
            raise self._error("a video", "no video stream in it", "check that it is the right file")
        video = cast("VideoStream", stream)
        if video.codec_context is None:
            raise self._error("a codec that FFmpeg knows", "another", "convert it to H.264 in MP4")
        if self._given_fps is None:
            if int(container.format.flags) & _NO_TIMESTAMPS:
                raise ParameterError(
                    f"{self.path}: expected time stamps, found a bare {container.format.name} stream; "
                    "give its frame rate with --fps"
                )
            rate = video.average_rate or video.guessed_rate
            self.fps = float(rate) if rate else None
        video.thread_type = "NONE"
        self.frames = video.frames or None
        if self.frames == 1:
            raise too_short(self.path, 1)
        self.spacing_note = "a video does not say how large a pixel is"
        return self._pictures(container, video)

    def _container(self) -> InputContainer:
        # Text goes no further: to FFmpeg a playlist is a video, and it would open what stands in it.
        if problem := _not_a_video(self.path):
            raise self._error("a video", problem, "check that it is the right file, or copy it again")
        try:
            return av.open(f"file:{self.path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
        except av.FFmpegError as error:
            found = "an MP4 damaged or cut off before its index" if _is_mp4(self.path) else f"none ({one_line(error)})"
            raise self._error("a video", found, "copy it again, or export it as H.264 in MP4") from None

    def _pictures(self, container: InputContainer, stream: VideoStream) -> Iterator[Picture]:
        clock = _Clock(self.path, self.fps)
        seen = _Seen()
        for frame in self._decoded(container, stream, seen):
            # In an AVI a frame's time is the place of its chunk. What FFmpeg makes up instead goes back and forth where
            # the codec reorders frames; in the order of display, the n-th frame has the n-th place.
            stamp = float(seen.places.popleft() * stream.time_base) if seen.places and stream.time_base else frame.time
            yield seen.decoded + self.skipped, clock.at(stamp), image_of(frame)
            seen.decoded += 1
        self._check_end(container, seen)

    def _decoded(self, container: InputContainer, stream: VideoStream, seen: _Seen) -> Iterator[VideoFrame]:
        """The frames of all packets that can be decoded; the others are counted in `skipped`."""
        avi = container.format.name == "avi"
        try:
            for packet in container.demux(stream):
                flush = packet.dts is None and not packet.size  # the last one, which empties the decoder
                # Cut by the end of the file; or empty, which would end the decoding.
                if packet.is_corrupt or not (packet.size or flush):
                    self.skipped += 1
                    continue
                if not flush:
                    seen.add(packet, avi)
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.skipped += 1
                    if avi and seen.places:
                        seen.places.pop()
                    continue
                yield from frames
        except av.FFmpegError as error:
            found = f"damage after frame {seen.decoded} ({one_line(error)})"
            raise self._error("a whole video", found, "copy it again") from None

    def _check_end(self, container: InputContainer, seen: _Seen) -> None:
        if self.frames and seen.packets + max(HEADER_SLACK_FRAMES, seen.longest_gap) < self.frames:
            expected, todo = (
                f"{self.frames} frames, as its header says",
                "the file is truncated or damaged, copy it again",
            )
            raise self._error(expected, f"{seen.packets}", todo)
        if "matroska" in container.format.name and container.duration:
            promised = container.duration / av.time_base
            if seen.end_s < promised - max(MATROSKA_SLACK[0], MATROSKA_SLACK[1] * promised):
                expected, todo = f"{promised:.2f} s, as its header says", "the file is truncated, copy it again"
                raise self._error(expected, f"{seen.end_s:.2f} s", todo)
        if self.skipped > seen.decoded:
            found = f"{self.skipped} that cannot and {seen.decoded} that can"
            raise self._error("frames that can be decoded", found, "the file is damaged, copy it again")


@dataclass
class _Seen:
    """What was found in the file so far.

    Empty packets of an AVI stand for frames that were dropped in capture, or stretch a variable frame rate to a fixed
    one. FFmpeg leaves them out: those at the end of a file show only in its header.
    """

    packets: int = 0  # that were not cut off; in an AVI, empty ones included
    longest_gap: int = 0  # empty packets in a row
    decoded: int = 0  # frames
    end_s: float = 0.0  # where the last packet ends
    places: deque[int] = field(default_factory=deque)  # of the packets in an AVI whose frames are still to come

    def add(self, packet: Packet[VideoStream], avi: bool) -> None:
        if avi and packet.dts is not None:
            self.longest_gap = max(self.longest_gap, packet.dts - self.packets)
            self.packets = max(self.packets, packet.dts)
            self.places.append(packet.dts)
        self.packets += 1
        if packet.pts is not None:
            self.end_s = max(self.end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))


class _Clock:
    """Makes the time stamps of a file strictly increasing, and leaves those that are so as they are."""

    def __init__(self, path: Path, fps: float | None) -> None:
        self._path = path
        self._period = 1 / fps if fps else None
        self._last: float | None = None
        self._offset = 0.0

    def at(self, stamp: float | None) -> float:
        """Seconds, for a frame with that time stamp."""
        if self._last is None:
            t_s = stamp or 0.0
        elif stamp is None:
            t_s = self._last + self._step()
        else:
            t_s = stamp + self._offset
            if t_s < self._last - CLOCK_RESET_S:
                t_s = self._last + self._step()
                self._offset = t_s - stamp
            elif t_s <= self._last:
                # By a tenth of a period, so that the stamps after it, if they are right, need not be moved.
                t_s = self._last + self._step() / 10
        self._last = t_s
        return t_s

    def _step(self) -> float:
        if self._period is None:
            raise SourceFormatError(
                f"{self._path}: expected time stamps or a frame rate, found neither; give its frame rate with --fps"
            )
        return self._period


def image_of(frame: VideoFrame) -> Image:
    """(H, W) of a grey frame, else (H, W, 3) BGR."""
    grey = frame.format.name.startswith("gray")
    # A view of the converted frame's own buffer; contiguous unless the rows are padded.
    image = frame.to_ndarray(format="gray" if grey else "bgr24", **_SCALER_THREADS)
    return np.ascontiguousarray(image, np.uint8)


def _not_a_video(path: Path) -> str | None:
    """What a file is that cannot be a video; None for all others."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        return f"a file that cannot be read ({error.strerror})"
    if not head:
        return "an empty file"
    return "a text file" if all(byte in _TEXT for byte in head) else None


_TEXT = frozenset(b"\t\n\f\r") | frozenset(range(0x20, 0x7F))


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"
