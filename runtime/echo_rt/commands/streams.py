"""Standard output and error of the command line, which may be closed, full, or unable to show a letter."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from echo_rt.errors import output_errors


class NobodyReads(Exception):
    """The reader of standard output left, as `head` does; nobody is there to be told."""


class Standard(io.TextIOWrapper):
    """One of the two, in the place of Python's own. A letter that it cannot show is escaped.

    Standard output says at each try why it cannot be written: NobodyReads, or OutputError. What standard error does not
    take is lost.
    """

    def write(self, text: str) -> int:
        with self._refusals():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._refusals():
            super().flush()

    def close(self) -> None:
        with self._refusals():
            super().close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self is sys.stderr:
                return
            if isinstance(error, BrokenPipeError):
                raise NobodyReads from None
            with output_errors("standard output"):
                raise


def hold_numbers() -> None:
    """Let standard input, output and error that are closed lead nowhere, before another file gets their numbers."""
    # A file that is opened takes the lowest number that is free.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def guard() -> None:
    """Put `Standard` in the place of standard output and error."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process is
        if type(stream) is io.TextIOWrapper:
            how = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
            encoding, newline = stream.encoding, None
            guarded = Standard(stream.detach(), encoding, "backslashreplace", newline, **how)
            setattr(sys, name, guarded)
            setattr(sys, f"__{name}__", guarded)
