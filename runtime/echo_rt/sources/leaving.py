"""The end of a program whose threads still wait in a library for a feed.

A thread that waits in FFmpeg asks PyAV every 0.1 s whether to go on, and PyAV takes the interpreter's lock to answer.
Once the interpreter ends, that thread is cut off in the middle of FFmpeg, or asks an interpreter that is gone: a
segmentation fault. OpenCV's threads end in C++ likewise. So the program waits for them, and they are told.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LEAVE_S = 15.0
"""The longest that a program waits at its end: somewhat more than the longest time-out of a feed."""

LOOK_S = 0.02


class Interruptible(Protocol):
    """What can be told that nobody waits for it any more."""

    def interrupt(self) -> None:
        """Wake whoever waits."""


_waiting: dict[int, Interruptible] = {}
"""By their threads, the feeds that are in a library now."""

_ending = threading.Event()


@contextmanager
def in_library(feed: Interruptible) -> Iterator[None]:
    """Says that this thread is in a library meanwhile."""
    thread = threading.get_ident()
    _waiting[thread] = feed
    try:
        yield
    finally:
        _waiting.pop(thread, None)


def ending() -> bool:
    """Whether the program ends, so that no thread may go into a library any more."""
    return _ending.is_set()


def leave(limit_s: float = LEAVE_S) -> bool:
    """Tell all threads that the program ends, and wait until they are out of the libraries; whether they are.

    Where one is not, `os._exit` after flushing is the only end that cannot crash.
    """
    _ending.set()
    own, until_s = threading.get_ident(), time.monotonic() + limit_s
    for feed in [feed for thread, feed in list(_waiting.items()) if thread != own]:
        feed.interrupt()
    out = 0
    while out < 2 and time.monotonic() < until_s:  # twice: one may be on its way from reading to closing
        out = 0 if _waiting.keys() - {own} else out + 1
        time.sleep(LOOK_S)
    return out > 1


atexit.register(leave)
