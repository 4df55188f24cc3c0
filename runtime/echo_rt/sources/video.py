"""Video files, decoded with PyAV (FFmpeg)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from echo_rt.errors import ParameterError
from echo_rt.sources.avi import is_whole
from echo_rt.sources.bare import has_delays, is_bare, is_clockless
from echo_rt.sources.base import Picture, Recording, one_line, too_short
from echo_rt.sources.clock import JUDGED_FRAMES, StampClock
from echo_rt.sources.display import Display, image_of, max_pixels
from echo_rt.sources.kinds import head_of, kind_of
from echo_rt.sources.limits import limits, stored_bytes

__all__ = ["Video", "image_of"]

HEADER_SLACK_FRAMES = 1
"""Headers that count one frame too many are written by recorders that close a file while a frame is under way."""

MATROSKA_SLACK = (0.5, 0.05)
"""Seconds, and share of the duration, by which a Matroska file may end early. Its header has no frame count, and its
duration is that of the longest stream: where sound or a text goes on after the pictures, its end counts."""


class Video(Recording):
    """An AVI, MP4, MOV, MKV, GIF or any other video file that FFmpeg reads.

    The time of a frame is its own time stamp, or follows the frame before it by the average rate. AVI has no time
    stamps: its frames follow one another at its rate, with a gap for those that were dropped in capture. Pictures are
    shown as a player shows them, see `Display`: grey video gives (H, W), all other (H, W, 3) BGR, more than 8 bits are
    scaled to 8.

    Raises, when it is entered or read:
        ParameterError: a bare stream without a clock (.h264, .mjpeg), or one that cannot be believed, and no `fps` was
            given.
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
            if is_clockless(container):
                raise self._no_times(f"a bare {container.format.name.removesuffix('_pipe')} stream")
            if container.format.name == "gif" and not has_delays(self.path):
                raise self._no_times("an animation whose pictures follow at once")
            rate = video.average_rate or video.guessed_rate
            self.fps = float(rate) if rate else None
        if excess := limits().pixels(video.height * video.width):
            raise self._error(*excess)
        video.thread_type, video.codec_context.options = "NONE", max_pixels()
        self.frames = video.frames or None
        if self.frames == 1:
            raise too_short(self.path, 1)
        self.spacing_note = "a video does not say how large a pixel is"
        return self._pictures(container, video)

    def _no_times(self, found: str) -> ParameterError:
        return ParameterError(f"{self.path}: expected time stamps, found {found}; give its frame rate with --fps")

    def _container(self) -> InputContainer:
        try:
            head = head_of(self.path)
        except OSError as error:
            found = f"a file that cannot be read ({error.strerror})"
            raise self._error("a video", found, "check its permissions, or copy it again") from None
        # What is known goes no further: to FFmpeg a playlist is a video, and it would open what stands in it.
        if (kind := kind_of(head)) is not None:
            raise self._error("a video", kind.name, kind.todo)
        container, said = None, ""
        try:
            options = {"protocol_whitelist": "file", **max_pixels()}
            container = av.open(f"file:{self.path}", options=options, metadata_errors="replace")
        except av.FFmpegError as error:
            said = one_line(error)
        if container is None:  # not raised above: a number that is too large is a MemoryError to FFmpeg
            found = "an MP4 damaged or cut off before its index" if head[4:8] == b"ftyp" else f"none ({said})"
            raise self._error("a video", found, "copy it again, or export it as H.264 in MP4")
        if is_clockless(container) and not is_bare(container.format.name, head):
            name = container.format.name
            container.close()
            found = f"a file of an unknown kind, with something like {name} in it"
            raise self._error("a video", found, "check that it is the right file, or export it as H.264 in MP4")
        return container

    def _pictures(self, container: InputContainer, stream: VideoStream) -> Iterator[Picture]:
        clock, display, seen = StampClock(self.path, self.fps), Display(stream), _Seen()
        for frame in self._decoded(container, stream, seen):
            # In an AVI a frame's time is the place of its chunk. What FFmpeg makes up instead goes back and forth where
            # the codec reorders frames; in the order of display, the n-th frame has the n-th place.
            stamp = float(seen.places.popleft() * stream.time_base) if seen.places and stream.time_base else frame.time
            yield seen.decoded + self.skipped, clock.at(stamp), display.image(frame)
            seen.decoded += 1
            if seen.decoded == JUDGED_FRAMES and self._given_fps is None:
                clock.judge()
        self.notes += display.notes
        self._check_end(container, seen)
        self._check_clock(clock)

    def _check_clock(self, clock: StampClock) -> None:
        if self._given_fps is not None:
            return
        if (note := clock.disagreement()) is not None:
            self.notes.append(note)
            self.fps = clock.judge()

    def _decoded(self, container: InputContainer, stream: VideoStream, seen: _Seen) -> Iterator[VideoFrame]:
        """The frames of all packets that can be decoded; the others are counted in `skipped`."""
        avi = container.format.name == "avi"
        size = stored_bytes(self.path)
        try:
            # In Matroska the others say how long they go on.
            for any_packet in container.demux() if "matroska" in container.format.name else container.demux(stream):
                # The last packet of every stream, which empties its decoder, has the number 0.
                if any_packet.stream.index != stream.index:
                    seen.pass_by(any_packet)
                    continue
                packet = cast("Packet[VideoStream]", any_packet)
                flush = packet.dts is None and not packet.size  # the last one, which empties the decoder
                # Cut by the end of the file; or empty, which would end the decoding.
                if packet.is_corrupt or not (packet.size or flush):
                    self.skipped += 1
                    continue
                if not flush:
                    seen.add(packet, avi)
                if seen.bytes > size and (now := stored_bytes(self.path)) > size:
                    found = f"one that grew from {size:,} to {now:,} while it was read"
                    raise self._error("a finished file", found, "wait until it is written")
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    self.skipped += 1
                    if avi and seen.places:
                        seen.places.pop()
                    continue
                yield from frames
        except (av.FFmpegError, IndexError) as error:  # IndexError: of a stream that a damaged file adds
            found = f"damage after frame {seen.decoded} ({one_line(error)})"
            raise self._error("a whole video", found, "copy it again") from None

    def _check_end(self, container: InputContainer, seen: _Seen) -> None:
        if self.frames and seen.packets + max(HEADER_SLACK_FRAMES, seen.longest_gap) < self.frames:
            expected, found = f"{self.frames} frames, as its header says", f"{seen.packets}"
            if not (container.format.name == "avi" and is_whole(self.path)):
                raise self._error(expected, found, "the file is truncated or damaged, copy it again")
            self.notes.append(f"the header promises {self.frames} frames, found {found}")
        elif self.frames and seen.packets > self.frames + HEADER_SLACK_FRAMES:
            self.notes.append(f"the header promises {self.frames} frames, found {seen.packets}")
        if "matroska" in container.format.name and container.duration:
            promised = container.duration / av.time_base
            if seen.end_s < promised - max(MATROSKA_SLACK[0], MATROSKA_SLACK[1] * promised):
                expected, todo = f"{promised:.2f} s, as its header says", "the file is truncated, copy it again"
                raise self._error(expected, f"{seen.end_s:.2f} s", todo)
        if not seen.decoded and not container.streams.video[0].width:  # FFmpeg takes a size above the limit for none
            raise self._error(*limits().unsized())
        if self.skipped > seen.decoded:
            found = f"{self.skipped} that cannot and {seen.decoded} that can"
            raise self._error("frames that can be decoded", found, "the file is damaged, copy it again")
        if self.skipped:
            self.notes.append(f"{self.skipped} of {self.skipped + seen.decoded} frames cannot be decoded: left out")


@dataclass
class _Seen:
    """What was found in the file so far.

    Empty packets of an AVI stand for frames that were dropped in capture, or stretch a variable frame rate to a fixed
    one. FFmpeg leaves them out: those at the end of a file show only in its header.
    """

    packets: int = 0  # that were not cut off; in an AVI, empty ones included
    longest_gap: int = 0  # empty packets in a row
    decoded: int = 0  # frames
    end_s: float = 0.0  # where the last packet of all streams ends
    bytes: int = 0  # of all packets
    places: deque[int] = field(default_factory=deque)  # of the packets in an AVI whose frames are still to come

    def add(self, packet: Packet[VideoStream], avi: bool) -> None:
        if avi and packet.dts is not None:
            self.longest_gap = max(self.longest_gap, packet.dts - self.packets)
            self.packets = max(self.packets, packet.dts)
            self.places.append(packet.dts)
        self.packets += 1
        self.bytes += packet.size
        self.pass_by(packet)

    def pass_by(self, packet: Packet[Any]) -> None:
        """Note where a packet of any stream ends."""
        if packet.pts is not None and not packet.is_corrupt:
            self.end_s = max(self.end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
