"""What echo-rt says beside its results: records of the standard `logging` tree, below the logger ``echo_rt``.

Every module logs to the logger of its own name. A program that uses echo-rt decides where they go, as with any library.
The command line shows them on standard error with ``--verbose``.
"""

from __future__ import annotations

import logging
import os
import sys

LOUDNESS = "ECHO_RT_LOG"
"""``quiet`` or ``verbose``, as the options of the command line set it, for this process and its children."""

QUIET, VERBOSE = "quiet", "verbose"

SAID = "said"
"""An attribute of a record whose text standard error has already."""

_FORMAT, _CLOCK = "%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"


def quiet() -> bool:
    """Whether errors alone are to be said, without progress and notes."""
    return os.environ.get(LOUDNESS) == QUIET


def speak(loudness: str) -> None:
    """Say as much in this process and its children; `loudness` is `QUIET` or `VERBOSE`."""
    os.environ[LOUDNESS] = loudness


def note(line: str) -> None:
    """Say a line to whoever sits before the terminal, unless errors alone are to be said."""
    if not quiet():
        print(f"echo-rt: {line}", file=sys.stderr)


def show() -> None:
    """Show the records of this process on standard error, as the environment asks for. A second call does nothing."""
    tree = logging.getLogger("echo_rt")
    if os.environ.get(LOUDNESS) != VERBOSE or any(isinstance(handler, _Shown) for handler in tree.handlers):
        return
    handler = _Shown()
    handler.setFormatter(logging.Formatter(_FORMAT, _CLOCK))
    tree.addHandler(handler)
    tree.setLevel(logging.DEBUG)


class _Shown(logging.Handler):
    """Writes to standard error as it is at that moment: the command line puts its own in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        from echo_rt.errors import message

        if not hasattr(record, SAID):
            sys.stderr.write(message(self.format(record)) + "\n")
