"""Why a recording has no result, in a form that goes from process to process and from machine to machine."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from echo_rt.errors import EchoRtError, NoDeviceError, OutputError, first_line

MOST_SAID = 160
"""Characters of a defect's text that are shown."""

NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Insufficient memory")
"""What C++, ONNX Runtime and OpenCV say where Python says MemoryError."""

Death = Literal["killed", "too long", "too much memory", "silent"]
"""What became of a worker: a signal or a fault in a library, a limit of time or memory, or no sign of life."""


@dataclass(frozen=True)
class Refused:
    """An error's text, and of which kind it was.

    The error itself cannot always be sent to another process: some take more than their text.

    Attributes:
        text: one line.
        output: the result could not be written.
        no_device: there is no device to compute on.
    """

    text: str
    output: bool = False
    no_device: bool = False

    @classmethod
    def by(cls, error: EchoRtError) -> Refused:
        return cls(str(error), isinstance(error, OutputError), isinstance(error, NoDeviceError))

    @classmethod
    def by_defect(cls, recording: str, error: Exception) -> Refused:
        """By an error that nobody raised on purpose: it costs this recording, and no other."""
        if isinstance(error, MemoryError):
            return cls(f"{recording}: expected enough memory, found too little; close other programs, or use --jobs 1")
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {' '.join(first_line(error).split())[:MOST_SAID]}"
        where = f"{Path(place.filename).name}:{place.lineno}"
        return cls(f"{recording}: expected a result, found a defect of echo-rt ({said}, in {where}); please report it")


@dataclass(frozen=True)
class Died(Refused):
    """The worker that had the recording is no more, or had to be stopped.

    Attributes:
        kind: of its end.
    """

    kind: Death = "killed"


def short_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was short, whichever library raised it."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)
