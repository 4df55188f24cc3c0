"""What the node says while it runs: lines on standard error, so many a minute at most, and no word of a patient.

An instance is named by its number in the journal. `echo-rt node status` has the UID to it.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

from echo_rt.errors import message
from echo_rt.logs import SAID
from echo_rt.viewer.gate import Allowance

_TREE = logging.getLogger("echo_rt.node")

LINES, LINES_S = 60, 60.0
"""Lines in that time, at most."""


class Log:
    """Says lines, from any thread, and counts what was refused."""

    def __init__(self) -> None:
        self._allowed = Allowance(LINES, LINES_S)
        self._lock = threading.Lock()
        self._left_out = 0
        self._refused: Counter[str] = Counter()

    def say(self, text: str) -> None:
        """Say a line, unless there were too many of late; how many were left out, the next line says."""
        with self._lock:
            if not self._allowed.take():
                self._left_out += 1
                return
            more = f" ({self._left_out} lines were left out before this one)" if self._left_out else ""
            self._left_out = 0
            _TREE.info("%s", message(text), extra={SAID: True})
            with suppress(OSError, ValueError):  # nobody reads it any more
                sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {message(text)}{more}\n")
                sys.stderr.flush()

    def refused(self, why: str, text: str) -> None:
        """Count and say that something was refused; `why` is a status of DICOM, or what else to count it by."""
        with self._lock:
            self._refused[why] += 1
        self.say(text)

    def refusals(self) -> dict[str, int]:
        """How many were refused since the node began, by why."""
        with self._lock:
            return dict(self._refused)

    def thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        """A `threading.excepthook`: a line in place of a traceback, for whoever connects could ask for many."""
        if failed.exc_value is not None and failed.exc_type is not SystemExit:
            self.say(f"a connection ended by an error: {told(failed.exc_value)}")


def told(error: BaseException) -> str:
    """What may be said of an error. The text of a library may quote a header, and that of the system a file's name."""
    words = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, sqlite3.Error) else None
    return words or type(error).__name__
