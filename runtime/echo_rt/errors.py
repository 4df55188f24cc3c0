"""Every error that echo-rt raises on purpose.

    EchoRtError
    ├── SourceError(OSError)               a recording or a feed cannot be opened or read
    │   ├── SourceNotFoundError(FileNotFoundError)
    │   └── SourceFormatError(ValueError)  it is there, but holds nothing that can be used
    ├── FrameError(ValueError)             one image that the engine cannot take
    ├── ModelError(ValueError)             a model file without our contract, or against it
    ├── DeviceError(RuntimeError)          a device was named and cannot be used
    │   └── NoDeviceError                  this machine has none of that kind
    ├── EngineClosedError(RuntimeError)    an engine was used after it was freed
    ├── ParameterError(ValueError)         an option out of its range
    ├── DataError(ValueError)              a training or evaluation data set is not as it should be
    ├── OutputError(OSError)               a result could not be written
    └── MissingExtraError(ImportError)     an optional part is not installed

Each also derives from the builtin that fits, so that code which knows nothing of echo-rt can still catch it. A message
says what was expected, what was found and what to do, in one line: the command line prints it as it is. Text of a file
that it quotes is escaped here, see `printable`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unicodedata import category

MESSAGE_CHARACTERS = 1200, 300
"""Of the start and the end of a message. What is longer quotes a file at length, and the end says what to do."""

LINE_CHARACTERS = 400
"""Of a library's error that are worth repeating: some quote a whole file."""


class EchoRtError(Exception):
    """The root of all errors that echo-rt raises on purpose."""

    def __str__(self) -> str:
        # OSError's own __str__ would print "[Errno ...]" or a tuple; the message is the whole story here.
        return message(str(self.args[0])) if self.args else ""


class SourceError(EchoRtError, OSError):
    """A recording or a feed cannot be opened or read."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at that path, glob or address."""


class SourceFormatError(SourceError, ValueError):
    """There is something, but not a recording that can be used."""


class FrameError(EchoRtError, ValueError):
    """An image of the wrong type or shape."""


class ModelError(EchoRtError, ValueError):
    """A model file that is not ours, or that contradicts its own contract."""


class DeviceError(EchoRtError, RuntimeError):
    """A device was named and cannot be used."""


class NoDeviceError(DeviceError):
    """A device was named, and this machine has none of that kind."""


class EngineClosedError(EchoRtError, RuntimeError):
    """An engine was used after it was freed."""


class ParameterError(EchoRtError, ValueError):
    """An option that is unknown or out of its range."""


class DataError(EchoRtError, ValueError):
    """A training or evaluation data set that is not as its format says."""


class OutputError(EchoRtError, OSError):
    """A result could not be written.

    Attributes:
        lost: of what was given one by one, such as frames, how many are not kept by it.
    """

    lost: int = 1


class MissingExtraError(EchoRtError, ImportError):
    """An optional part of echo-rt is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs a part that is not installed: run  pip install 'echo-rt[{extra}]'")
        self.extra = extra


@contextmanager
def output_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the system's refusals to write `path` into one `OutputError` that says what to do."""
    try:
        yield
    except EchoRtError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "free some space, or choose another folder" if full else "choose a folder that can be written to"
        found = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{os.fspath(path)}: expected to write there, found: {found}; {advice}") from error


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """The end of a message on a word that is not known: the known one nearest to it; empty where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(found, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def message(text: str) -> str:
    """A message as it is shown: printable, on one line, without its middle where it is very long."""
    start, end = MESSAGE_CHARACTERS
    shown = printable(text)
    return shown if len(shown) <= start + end else f"{shown[:start]} ... {shown[-end:]}"


def printable(text: str) -> str:
    """One line of the text: what a terminal would obey, or cannot show, is escaped.

    The one place where text of a file, a header or a name becomes text for a terminal, a page or a log. Text that went
    through it already stays as it is.
    """
    if text.isprintable():
        return text
    shown = (sign if sign.isprintable() or category(sign) == "Zs" else _escaped(sign) for sign in text)
    return "".join(shown)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def first_line(error: BaseException) -> str:
    """The start of the first line of an error's text, or the name of its class where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:LINE_CHARACTERS]
