"""What is done a few frames ahead, in threads: decoding, segmenting and measuring go on at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from echo_rt.arrays import Image
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.segmentation import Segmentation

DEPTH = 4
"""Frames that may wait: enough to even out those that take longer, and little memory."""

TURN_S = 0.1
"""How long a thread waits for room before it looks whether anybody still wants its frames."""

UNUSED = 2
"""Segmentations in a row that nobody asked for after which none is made ahead: the frames are turned, or cut."""

ON_PROCESSOR = ("cpu", "openvino")
"""Devices whose engines may be called from any thread. A GPU's waits little for its frames, and has its own queue."""

Item = TypeVar("Item")


@contextmanager
def read_ahead(items: Iterable[Item], depth: int = DEPTH, name: str = "decode") -> Iterator[Iterator[Item]]:
    """The same items in the same order, and the same error at the same place.

    Args:
        items: frames, iterated in a thread of its own, which has ended when the context is left.
        depth: how many may wait.
        name: of the thread.
    """
    waiting: queue.Queue[tuple[list[Item], BaseException | None]] = queue.Queue(depth)
    left = threading.Event()

    def put(item: list[Item], error: BaseException | None = None) -> bool:
        while not left.is_set():
            try:
                waiting.put((item, error), timeout=TURN_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put([item]):
                    return
        except BaseException as error:  # noqa: BLE001 - raised where the items are taken
            put([], error)
        else:
            put([])

    def take() -> Iterator[Item]:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if not item:
                return
            yield item[0]

    thread = threading.Thread(target=read, name=f"echo-rt {name}", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        left.set()
        thread.join()


@contextmanager
def segment_ahead(frames: Iterable[Frame], engine: Engine) -> Iterator[tuple[Iterator[Frame], Engine]]:
    """The frames, and an engine that has their segmentations when it is asked for them.

    A network with a state cannot go ahead, nor is one on a GPU asked to: both come back as they are.

    Args:
        frames: iterated in a thread of its own, which has ended when the context is left.
        engine: open. It is called from that thread too.
    """
    if engine.spec.state or getattr(engine, "device", None) not in ON_PROCESSOR:
        yield iter(frames), engine
        return
    ahead = _SegmentedAhead(engine)
    with read_ahead(map(ahead.made, frames), name="network") as made:
        yield ahead.taken(made), ahead


class _SegmentedAhead:
    """An engine that has made the segmentation of the frame that was taken last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frame: Frame | None = None
        self._found: Segmentation | None = None
        self._unused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def made(self, frame: Frame) -> tuple[Frame, Segmentation | None]:
        """A frame with its segmentation, without one where nobody asks for them."""
        return frame, self._engine.segment(frame.image) if self._unused < UNUSED else None

    def taken(self, made: Iterable[tuple[Frame, Segmentation | None]]) -> Iterator[Frame]:
        """The frames; `segment` knows the one that was given last."""
        for self._frame, self._found in made:
            self._unused += 1
            yield self._frame

    def segment(self, image: Image, state: object = None) -> Segmentation:
        """See `Engine.segment`."""
        if self._found is not None and self._frame is not None and image is self._frame.image:
            self._unused = 0
            return self._found
        return self._engine.segment(image, state)
