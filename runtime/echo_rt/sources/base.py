"""What a source is, and what all recordings have in common."""

from __future__ import annotations

import re
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol, TypeAlias

from echo_rt.errors import SourceError, SourceFormatError
from echo_rt.frame import Frame
from echo_rt.measures import Body
from echo_rt.provenance import Identity
from echo_rt.sources.limits import Limits, limits, stored_bytes

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from echo_rt.arrays import Image

Picture: TypeAlias = "tuple[int, float, Image]"
"""Index, time in seconds and image of one decoded frame."""

MIN_FRAMES = 2
"""Fewer than two frames have no motion, and thus neither a beat nor a frame rate."""

MAX_QUOTE = 160
"""Characters of somebody else's text that are worth repeating in an error."""


class Source(Protocol):
    """A context manager and an iterator of `Frame`, read once from the first frame to the last.

        with open_source("clip.dcm") as source:
            for frame in source: ...

    The attributes are known once the source has been entered.

    Raises:
        SourceError: on entering or while iterating, when it cannot be read, or read to its end.
    """

    name: str  # file name, for outputs
    frames: int | None  # that it promises; None for a feed, or where the file does not say
    fps: float | None  # nominal; the time of a frame is `Frame.t_s`, never index / fps
    spacing_mm: tuple[float, float] | None  # height and width of a pixel, where the scale is known
    spacing_note: str | None  # one sentence why the scale is not known
    view: str | None  # "A4C" or "A2C" where the source says so
    notes: list[str]  # a line each on what is not as the source says; whole after the last frame

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def __next__(self) -> Frame: ...


class Recording(ABC):
    """A recording on disk: every frame in order, decoded one at a time. The attributes are those of `Source`.

    It can be entered again after it was left, and then starts from its first frame.

    Attributes:
        path: the file or folder.
        skipped: frames so far that the file holds but that could not be decoded. `Frame.index` counts them.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        self.name = path.name
        self.frames: int | None = None
        self.fps = fps
        self.spacing_mm: tuple[float, float] | None = None
        self.spacing_note: str | None = None
        self.view: str | None = None
        self.notes: list[str] = []
        self.skipped = 0
        self._given_fps = fps
        self._resources = ExitStack()
        self._reading: Generator[Frame, None, None] | None = None

    @property
    def identity(self) -> Identity:
        """Whose it is; empty where the file does not say so."""
        return Identity()

    @property
    def body(self) -> Body:
        """How large the patient is; empty where the file does not say so."""
        return Body()

    @abstractmethod
    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        """Read the header, set the attributes, give the pictures. `resources` closes in the end what it is given."""

    def _error(self, expected: str, found: str, todo: str) -> SourceFormatError:
        return SourceFormatError(f"{self.path}: expected {expected}, found {found}; {todo}")

    def __enter__(self) -> Self:
        self.skipped = 0
        self.notes = []
        with ExitStack() as opening:
            pictures = self._open(opening)
            self._resources = opening.pop_all()
        self._reading = self._frames(pictures)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        self._resources.close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._reading is None:
            raise SourceError(
                f"{self.path}: expected an open source, found a closed one; read it inside `with open_source(...)`"
            )
        return next(self._reading)

    def _frames(self, pictures: Iterator[Picture]) -> Generator[Frame, None, None]:
        # The first frame is held back until there is a second: nothing is measured on a still image.
        first: Frame | None = None
        count = 0
        shape: tuple[int, ...] | None = None
        for index, t_s, image in self._limited(pictures, limits()):
            if shape is not None and image.shape != shape:
                expected = f"every frame to be {in_words(shape)} like the first"
                found = f"frame {index} of {in_words(image.shape)}"
                raise self._error(expected, found, "split the recording where its format changes")
            shape = image.shape
            count += 1
            frame = Frame(image, index / self._given_fps if self._given_fps else t_s, index, self.spacing_mm)
            if count == 1:
                first = frame
                continue
            if first is not None:
                yield first
                first = None
            yield frame
        if count < MIN_FRAMES:
            raise too_short(self.path, count)

    def _limited(self, pictures: Iterator[Picture], allowed: Limits) -> Iterator[Picture]:
        """The pictures, as long as they stay within the limits."""
        stored, count, decoded = stored_bytes(self.path), 0, 0
        while True:
            begun_s = time.thread_time()
            picture = next(pictures, None)
            if excess := allowed.seconds(time.thread_time() - begun_s):
                raise self._error(*excess)
            if picture is None:
                return
            image = picture[2]
            count, decoded = count + 1, decoded + image.nbytes
            if excess := (
                allowed.pixels(image.shape[0] * image.shape[1])
                or allowed.count(count)
                or allowed.decoded(decoded, stored)
            ):
                raise self._error(*excess)
            yield picture


def too_short(path: Path, count: int) -> SourceFormatError:
    """The error for a recording of no or one frame."""
    return SourceFormatError(
        f"{path}: expected a recording of at least {MIN_FRAMES} frames, found {count}; "
        "a still image has no ejection fraction"
    )


def one_line(text: object) -> str:
    """What a library's error or a damaged header says, joined to one short line, for the middle of our own message.

    Bytes of the file that an error quotes are left out: a header holds the patient's name. Where nothing of the file
    can be quoted, `echo_rt.errors.first_line` gives the first line as it is.
    """
    # OSError's own text has its number in front and the path, which our message has already, behind.
    said = getattr(text, "strerror", None) or str(text)
    said = re.sub(r"""\bb(['"]).*?(\1|$)""", "...", said, flags=re.DOTALL)
    said = "".join(letter if letter.isprintable() else " " for letter in said)
    return textwrap.shorten(said, MAX_QUOTE, placeholder=" ...") or type(text).__name__


def in_words(shape: tuple[int, ...]) -> str:
    """The shape of an image, as in "640x480 grey"."""
    return f"{shape[1]}x{shape[0]} {'colour' if len(shape) == 3 else 'grey'}"
