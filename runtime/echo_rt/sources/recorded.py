"""A take that `echo-rt live --record` made, as a recording: the same frames with the same times, numbers and scale."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from echo_rt.checked import Between, MismatchError, parse_json, record
from echo_rt.errors import SourceFormatError
from echo_rt.sources.base import Picture, Recording, one_line
from echo_rt.sources.display import max_pixels
from echo_rt.sources.known import RECORDING
from echo_rt.sources.screen.region import Region
from echo_rt.sources.video import image_of

FRAMES, READINGS = "frames.mkv", "readings.jsonl"

JSON_BYTES, LINE_BYTES = 2**20, 2**16
"""Of recording.json and of a line: ours are far shorter."""

AHEAD = 64
"""Lines that are looked at for a frame: so many damaged ones in a row are passed over."""

Column = Annotated[int, Between(0, 2**16)]
Side = Annotated[int, Between(1, 2**16)]
Millimetres = Annotated[float, Between(1e-4, 1e3)]


@dataclass(frozen=True)
class _Cut:
    """The part of the pictures that was followed, in their pixels."""

    x: Column
    y: Column
    width: Side
    height: Side
    outline: tuple[tuple[Column, Column], ...] | None = None

    def region(self, columns: int, rows: int) -> Region:
        if self.x + self.width > columns or self.y + self.height > rows:
            found = f"{self.width}x{self.height} at {self.x},{self.y}"
            raise MismatchError(f"expected a cut within pictures of {columns}x{rows}, found {found}")
        if self.outline is not None and len(self.outline) < 3:
            raise MismatchError(f"expected 3 corners or more as cut.outline, found {len(self.outline)}")
        outline = None if self.outline is None else np.array(self.outline, np.int32)
        return Region((self.x, self.y, self.width, self.height), outline)


@dataclass(frozen=True)
class _About:
    """What is used of recording.json."""

    frames: Annotated[int, Between(0, 1e9)] | None = None
    roi: str | None = None
    cut: _Cut | None = None


@dataclass(frozen=True)
class _Row:
    """What is used of a line. Those of older takes do not say at which millisecond of the video their frame is."""

    index: Annotated[int, Between(0, 1e12)]
    t_s: Annotated[float, Between(-1e12, 1e12)]
    spacing_mm: tuple[Millimetres, Millimetres] | None
    ms: Annotated[int, Between(0, 1e12)] | None = None

    def follows(self, other: _Row) -> bool:
        return self.t_s > other.t_s and self.index > other.index


class Recorded(Recording):
    """The folder of a take. One that was cut off is read up to where frames and lines both reach.

    A line or a frame that is damaged is left out with its counterpart, counted and noted.

    Attributes:
        cut: the part of its pictures that was followed; None where that was all of them.
        asked: whether the user had named it. Both are known once the take has been entered.

    Raises, when it is entered or read:
        SourceFormatError: a file is missing or is not what the recorder wrote, or there are fewer than two frames.
    """

    cut: Region | None = None
    asked: bool = False

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        try:
            # What is no file, such as a pipe, would block.
            if missing := [name for name in (RECORDING, READINGS, FRAMES) if not (self.path / name).is_file()]:
                raise MismatchError(f"found no file {missing[0]}")
            about = _read_about(self.path / RECORDING)
            lines = resources.enter_context((self.path / READINGS).open("rb"))
            container = resources.enter_context(
                av.open(
                    f"file:{self.path / FRAMES}",
                    options={"protocol_whitelist": "file", **max_pixels()},
                    metadata_errors="replace",
                )
            )
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                raise MismatchError(f"found no video in {FRAMES}")
            video = cast("VideoStream", stream)
            self.frames, self.asked = about.frames, about.roi != "auto"
            self.cut = None if about.cut is None else about.cut.region(video.width, video.height)
        except (OSError, ValueError, av.FFmpegError) as error:
            expected = f"expected a recording of `echo-rt live` ({RECORDING}, {READINGS}, {FRAMES})"
            found = str(error) if isinstance(error, MismatchError) else f"found {one_line(error)}"
            raise SourceFormatError(f"{self.path}: {expected}; {found}; copy the folder again") from None
        self.spacing_note = "the feed that was recorded does not say how large a pixel is"
        return self._pictures(container, video, lines)

    def _pictures(self, container: InputContainer, stream: VideoStream, lines: BinaryIO) -> Iterator[Picture]:
        rows, found = _Rows(lines), 0
        for place, frame in enumerate(_decoded(container, stream)):
            ms = None if frame is None or frame.time is None else round(1e3 * frame.time)
            row = None if frame is None or ms is None else rows.of(place, ms)
            if frame is None or row is None:
                self.skipped += 1
                continue
            self.spacing_mm = row.spacing_mm
            if row.spacing_mm is not None:
                self.spacing_note = None
            found += 1
            yield row.index, row.t_s, image_of(frame)
        if not found and (rows.bad or self.skipped):
            damage = f"{rows.bad} damaged lines and {self.skipped} frames without one"
            raise self._error(f"frames with lines of {READINGS}", damage, "the take is damaged, copy it again")
        if self.skipped or rows.bad:
            damage = f"{rows.bad} lines and {self.skipped} frames are damaged or without their counterpart"
            self.notes.append(f"{damage}: left out")
        if self.frames is not None and found + self.skipped < self.frames:
            self.notes.append(f"{RECORDING} promises {self.frames} frames, found {found + self.skipped}")


class _Rows:
    """The lines of a take, given out frame by frame.

    Attributes:
        bad: lines so far that cannot be read, or contradict those around them.
    """

    def __init__(self, lines: BinaryIO) -> None:
        self.bad = 0
        self._lines = enumerate(_lines(lines))
        self._ahead: deque[tuple[int, _Row]] = deque()
        self._last: _Row | None = None
        self._start_s: float | None = None
        self._ms = -1

    def of(self, place: int, ms: int) -> _Row | None:
        """The line of a frame, by its time in the video, else by its place; None where it has none."""
        while True:
            self._fill()
            keys = [at - place if row.ms is None else row.ms - ms for at, row in self._ahead]
            if 0 in keys:
                for _ in range(keys.index(0)):
                    self._ahead.popleft()
                    self.bad += 1
                row = self._ahead.popleft()[1]
                if self._fits(row):
                    self._last = row
                    return row
                self.bad += 1
                return None
            behind = sum(key < 0 for key in keys)
            if not behind:
                return None
            self._ahead = deque(ahead for ahead, key in zip(self._ahead, keys, strict=True) if key > 0)
            self.bad += behind

    def _fits(self, row: _Row) -> bool:
        """Whether it comes after the last line. One that the next does not follow is the odd one, not the next."""
        if self._last is not None and not row.follows(self._last):
            return False
        self._fill()
        after = self._ahead[0][1] if self._ahead else None
        return after is None or after.follows(row) or (self._last is not None and not after.follows(self._last))

    def _fill(self) -> None:
        while len(self._ahead) < AHEAD and (line := next(self._lines, None)) is not None:
            if (row := _row(line[1])) is None:
                self.bad += 1
            else:
                self._ahead.append((line[0], self._timed(line[0], row)))

    def _timed(self, at: int, row: _Row) -> _Row:
        """The line with the millisecond that the recorder of an older take gave its frame, if the first line is there
        to count from."""
        if row.ms is not None:
            return row
        if at == 0:
            self._start_s = row.t_s
        if self._start_s is None:
            return row
        ms = round(1e3 * (row.t_s - self._start_s))
        # Frames that came in a burst are a millisecond apart. A damaged time moves none behind it.
        self._ms = self._ms + 1 if 0 <= self._ms - ms < AHEAD else ms
        return replace(row, ms=self._ms)


def _row(line: bytes) -> _Row | None:
    """A line; None where it cannot be read."""
    try:
        return record(_Row, parse_json(line), "a line", more=True)
    except MismatchError:
        return None


def _read_about(path: Path) -> _About:
    with path.open("rb") as stream:
        data = stream.read(JSON_BYTES + 1)
    if len(data) > JSON_BYTES:
        raise MismatchError(f"expected at most {JSON_BYTES} bytes in {RECORDING}, found more")
    return record(_About, parse_json(data), RECORDING, more=True)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines; the start of one that is too long, which is none of ours."""
    while line := stream.readline(LINE_BYTES):
        yield line
        while len(line) == LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """The frames of the video, None for each that cannot be decoded; up to where it was cut off."""
    packets: Any = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            if packet.is_corrupt:
                yield None
                continue
        except av.FFmpegError:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = [None]
        yield from frames
