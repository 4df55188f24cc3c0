"""What every output offers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from echo_rt.frame import Frame
from echo_rt.reading import Reading

if TYPE_CHECKING:
    from typing_extensions import Self


class Output(Protocol):
    """Takes readings with their frames, in the order of time. It changes neither, and keeps no frame once `write` has
    returned."""

    def write(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it."""
        ...

    def close(self) -> None:
        """Complete the output and free what is held. A second call does nothing."""
        ...


class FileOutput(ABC):
    """A output that makes one file. As a context manager it completes the file, or, when an exception passes, lets go
    of it half-made.

    Args:
        path: of the file; its folder is there already, an older file is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @abstractmethod
    def write(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it.

        Raises:
            OutputError: the file cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Complete the file. A second call does nothing.

        Raises:
            OutputError: the file cannot be written.
        """

    @abstractmethod
    def discard(self) -> None:
        """Free what is held and leave the file as it is, half-made: whoever calls this removes it. Raises nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
