"""A source that is read a few frames ahead, in a thread of its own: decoding and segmenting go on at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.frame import Frame

DEPTH = 4
"""Frames that may wait: enough to even out those that take longer, and little memory."""

TURN_S = 0.1
"""How long the reading thread waits for room before it looks whether anybody still wants its frames."""


@contextmanager
def read_ahead(frames: Iterable[Frame], depth: int = DEPTH) -> Iterator[Iterator[Frame]]:
    """The same frames in the same order, and the same error at the same place.

    Args:
        frames: iterated in a thread of its own, which has ended when the context is left.
        depth: how many frames may wait.
    """
    waiting: queue.Queue[tuple[Frame | None, BaseException | None]] = queue.Queue(depth)
    left = threading.Event()

    def put(frame: Frame | None, error: BaseException | None = None) -> bool:
        while not left.is_set():
            try:
                waiting.put((frame, error), timeout=TURN_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for frame in frames:
                if not put(frame):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where the frames are taken
            put(None, error)
        else:
            put(None)

    def take() -> Iterator[Frame]:
        while True:
            frame, error = waiting.get()
            if error is not None:
                raise error
            if frame is None:
                return
            yield frame

    thread = threading.Thread(target=read, name="echo-rt decode", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        left.set()
        thread.join()
