"""Work of a library on somebody else's network, which may not end: in a thread that can be left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def in_time(seconds: float, work: Callable[[], Found], stop: Callable[[], None] = lambda: None) -> Found:
    """What the work gives or raises.

    The caller waits where an interrupt reaches it. Work that is left behind ends with the process.

    Args:
        seconds: of wall clock that it may take.
        work: it holds nothing that others wait for.
        stop: called where it takes longer, or is interrupted.

    Raises:
        TimeoutError: it took longer.
    """
    found: list[Found] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run, name="echo-rt trial", daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    except BaseException:
        stop()
        raise
    if failed:
        raise failed[0]
    if not found:
        stop()
        raise TimeoutError
    return found[0]
