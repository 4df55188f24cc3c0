"""What every output of a recording offers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.errors import OutputError
from echo_rt.frame import Frame
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from typing_extensions import Self


class FileOutput(ABC):
    """Makes one file of a recording. Left as a context manager without `finish`, it lets go of the file half-made.

    Args:
        path: of the file; its folder is there already, an older file is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def write(self, frame: Frame, reading: Reading) -> None:  # noqa: B027 - a report needs the result alone
        """Take the next frame and what is known after it, in the order of time. Neither is changed or kept.

        Raises:
            OutputError: the file cannot be written.
        """

    @abstractmethod
    def finish(self, result: RecordingResult) -> None:
        """Complete the file. A second call does nothing.

        Raises:
            OutputError: the file cannot be written.
        """

    def discard(self) -> None:  # noqa: B027 - not every output holds something
        """Free what is held and leave the file as it is: whoever calls this removes it. Raises nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


def changed_size(path: Path, before: tuple[int, ...], found: tuple[int, ...]) -> OutputError:
    """The error for a frame whose image (H, W) is not as large as those before it."""
    return OutputError(
        f"{path}: expected frames of one size, found {found[1]}x{found[0]} after {before[1]}x{before[0]} "
        "in the same recording; cut it where the size changes"
    )
