"""A live feed on disk: every frame that was read, without loss, and its reading, so that it can be followed again to
the same readings.

Each history is a take of its own, a folder ``take-001`` that `echo-rt file` reads as one recording:

- ``frames.mkv``: FFV1 in Matroska, each frame whole in itself, written out at least every `FLUSH_S`. It holds what was
  followed: the ultrasound alone, cut out of a screen. With `Frame.kept` it holds that picture instead.
- ``readings.jsonl``: a line a frame, with its exact time, number and spacing, and its millisecond in the video; of a
  frame that completes a beat ``measures``, those that are known. Written out with each line.
- ``recording.json``: source, model, region of interest, and in the end how many frames there are; of frames that hold
  more than was followed, ``cut``: the rectangle that was, and the outline in it.

A process that is killed leaves all but the last moment. Nothing is written over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import av
import numpy as np

from echo_rt.chambers import Scale
from echo_rt.errors import OutputError, output_errors
from echo_rt.fields import measure_fields, reading_fields
from echo_rt.frame import Frame
from echo_rt.private import file_mode, folder_mode, make_folder, write_new
from echo_rt.reading import Reading

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from echo_rt.arrays import Image

FRAMES, READINGS, RECORDING = "frames.mkv", "readings.jsonl", "recording.json"

FLUSH_S = 0.25

RETRY_S = 5.0
"""After a refusal, such as of a full disk, nothing is tried for that long."""

_OPTIONS = {"level": "3", "slicecrc": "1", "context": "0"}

SLICES, LEAST_SLICED_PX = 4, 16
"""Of a frame, each written by a thread of its own. FFV1 refuses more slices than there are rows or columns."""

_KINDS = {2: ("gray", "gray"), 3: ("bgr24", "bgr0")}
"""Of NumPy and of FFV1, by the axes of an image."""


class Recorder:
    """Writes takes into a folder.

    Args:
        folder: made where it is missing; takes that are there already stay.
        about: what else shall stand in ``recording.json``: model, region of interest and so on.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str | os.PathLike[str], about: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self._about = about
        self._take: _Take | None = None
        self._history: object = None
        self._wait_until_s = 0.0
        self._refused = ""
        self._kept: list[Path] = []
        self._unkept: list[str] = []
        with output_errors(self.folder):
            make_folder(self.folder)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError(13, os.strerror(13))

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """Keep a frame and its reading; a frame of another history, size or kind begins a new take.

        Raises:
            OutputError: it cannot be written. The take is closed as it is, and another one begun later.
        """
        if time.monotonic() < self._wait_until_s:
            raise OutputError(self._refused)
        try:
            kind = (history, frame.image.shape, *_cut_of(frame).values())
            if self._take is None or kind != self._history:
                self._finish()
                self._take, self._history = _Take(self.folder, frame, {"source": source, **self._about}), kind
            self._take.write(frame, reading)
        except OutputError as error:
            error.lost = 1 + (0 if self._take is None else self._take.unwritten)
            self._note(str(error))
            # What the encoder refuses is this one frame, and the next may be another.
            if isinstance(error.__cause__, OSError):
                self._refused, self._wait_until_s = str(error), time.monotonic() + RETRY_S
            with suppress(OutputError):
                self._finish()
            raise

    def idle(self, why: str) -> None:
        """Nothing comes: nothing is kept."""

    def close(self) -> None:
        """Complete the last take. A second call does nothing.

        Raises:
            OutputError: it cannot be written.
        """
        self._finish()

    def unkept(self) -> list[str]:
        """Why some of what was to be recorded is not kept, a line each; whole after `close`."""
        gone = [path for path in self._kept if not (path / RECORDING).is_file()]
        unfinished = [] if self._take is None else [f"{self._take.path}: expected to finish the take, found no time"]
        return [*self._unkept, *(f"{path}: expected what was recorded, found none there" for path in gone), *unfinished]

    def _note(self, why: str) -> None:
        if why not in self._unkept:
            self._unkept.append(why)

    def _finish(self) -> None:
        if (take := self._take) is None:
            return
        try:
            take.close()
        except OutputError as error:
            error.lost = max(1, take.unwritten)
            self._note(str(error))
            raise
        else:
            self._kept.append(take.path)
        finally:
            self._take = None


class _Take:
    """One folder of a recording in the making.

    Attributes:
        unwritten: frames that it took and that may not be on disk yet: a cluster is written once it is whole.
    """

    def __init__(self, folder: Path, first: Frame, about: dict[str, Any]) -> None:
        self.path = self._new_folder(folder)
        self._frames = self.unwritten = self._bytes = 0
        self._start_s, self._last_ms = first.t_s, -1
        self._about = {**about, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "spacing_mm": first.spacing_mm}
        self._about |= _cut_of(first)
        self._container: OutputContainer | None = None
        self._lines: TextIO | None = None
        with _errors(self.path):
            try:
                for name in (READINGS, FRAMES):
                    (self.path / name).touch(file_mode())
                self._lines = (self.path / READINGS).open("w", encoding="utf-8", buffering=1)
                self._container = av.open(
                    str(self.path / FRAMES),
                    "w",
                    format="matroska",
                    # Clusters are kept back until they are whole: short ones, and nothing buffered behind them.
                    options={"cluster_time_limit": str(round(1000 * FLUSH_S)), "flush_packets": "1"},
                )
                self._stream = self._open_stream(first)
                self._describe()
            except BaseException:
                self._let_go()
                raise

    def write(self, frame: Frame, reading: Reading) -> None:
        assert self._container is not None
        assert self._lines is not None
        picture = _picture_of(frame)
        kind, stored = _KINDS[picture.ndim]
        image = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
        if stored != kind:
            image = image.reformat(format=stored)
        # Matroska counts milliseconds; the exact time stands in the line.
        self._last_ms = max(self._last_ms + 1, round(1e3 * (frame.t_s - self._start_s)))
        image.pts, image.time_base = self._last_ms, Fraction(1, 1000)
        with _errors(self.path):
            for packet in self._stream.encode(image):
                self._container.mux(packet)
            scale = Scale.of(frame.spacing_mm)
            line = {"ms": self._last_ms, "spacing_mm": frame.spacing_mm, **reading_fields(reading, scale)}
            if reading.beat is not None:
                found = measure_fields(reading.rolling, scale)
                line["measures"] = {name: value for name, value in found.items() if value is not None}
            self._lines.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._frames += 1
        self._count_written()

    def _count_written(self) -> None:
        with suppress(OSError):  # moved away: said at the end
            before, self._bytes = self._bytes, (self.path / FRAMES).stat().st_size
            # The frame that completes a cluster may be the first of the next.
            self.unwritten = 1 if self._bytes > before else self.unwritten + 1

    def close(self) -> None:
        """Complete the files; OutputError where that fails, or they are not where they were begun."""
        try:
            with _errors(self.path):
                assert self._container is not None
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
                self._container.close()
                self._container = None
                if not self._is_there():
                    found = "found it moved away or removed; what was written before is wherever it is now"
                    raise OutputError(f"{self.path}: expected the take where it was begun, {found}")
                self._describe(frames=self._frames)
        finally:
            self._let_go()

    def _is_there(self) -> bool:
        """Whether the file at the path is the one that the lines go to."""
        assert self._lines is not None
        try:
            return os.path.samestat(os.fstat(self._lines.fileno()), (self.path / READINGS).stat())
        except OSError:
            return False

    def _describe(self, **more: Any) -> None:
        """Write recording.json, whole at any moment."""
        write_new(self.path / RECORDING, (json.dumps({**self._about, **more}, indent=2) + "\n").encode())

    def _let_go(self) -> None:
        if self._container is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
        if self._lines is not None:
            with suppress(OSError):
                self._lines.close()

    def _open_stream(self, first: Frame) -> VideoStream:
        assert self._container is not None
        picture = _picture_of(first)
        slices = SLICES if min(picture.shape[:2]) >= LEAST_SLICED_PX else 1
        stream = self._container.add_stream("ffv1", rate=1000, options={**_OPTIONS, "slices": str(slices)})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = _KINDS[picture.ndim][1]
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 1
        # Threads that take a frame each would hold frames back.
        stream.codec_context.thread_type = "SLICE"
        return stream

    @staticmethod
    def _new_folder(folder: Path) -> Path:
        number = 1 + max((int(path.name[5:]) for path in folder.glob("take-*") if path.name[5:].isdigit()), default=0)
        while True:
            path = folder / f"take-{number:03d}"
            with output_errors(path):
                try:
                    path.mkdir(folder_mode())
                except FileExistsError:
                    number += 1
                    continue
                return path


def _picture_of(frame: Frame) -> Image:
    return frame.image if frame.kept is None else frame.kept.image


def _cut_of(frame: Frame) -> dict[str, Any]:
    """Where in the picture that is kept the frame's own image is, for recording.json; empty where it is all of it."""
    if (kept := frame.kept) is None:
        return {}
    height, width = frame.image.shape[:2]
    outline = None if kept.outline is None else kept.outline.tolist()
    return {"cut": {"x": kept.x, "y": kept.y, "width": width, "height": height, "outline": outline}}


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    with output_errors(path):
        try:
            yield
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise OutputError(f"{path}: expected to encode the frame, found: {error}; leave --record out") from error
