"""One browser that looks at the page.

It gets the figures as JSON and the picture as JPEG, and sends what its user wants. It has one picture under way: the
next is made when it says that it has shown the last, so that a slow one sees fewer, always the newest.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from echo_rt.errors import EchoRtError, OutputError
from echo_rt.outputs.overlay import draw_image
from echo_rt.viewer.state import figures
from echo_rt.viewer.talker import LOOK_S, Talker

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from echo_rt.live.commands import LiveControl
    from echo_rt.live.status import LiveUpdate
    from echo_rt.reading import Reading
    from echo_rt.viewer.gate import Allowance
    from echo_rt.viewer.state import Board

PICTURES_HZ = 20.0
"""Pictures a second to one browser, at most: more is not seen, and the engine needs the processor."""

TILE_WIDTH = 640
"""Of the picture in a tile, in pixels, at most."""

CURVE_HZ = 5.0
JPEG_QUALITY = 85

WISH_S = 0.05
"""Before a wish is done: so many a second are more than a person has."""

NOTES = 8
"""That wait to be said; of more the newest."""


class Pictures:
    """The newest picture as a JPEG, made once for all browsers. For any thread.

    Args:
        width: at most, in pixels; None as it is.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._made: tuple[Reading | None, bytes] = (None, b"")

    def of(self, update: LiveUpdate) -> bytes:
        """That of an update with a reading."""
        with self._lock:
            if self._made[0] is not update.reading:
                self._made = update.reading, _jpeg(update, self._width)
            return self._made[1]


@dataclass(frozen=True)
class Shared:
    """What all browsers of a page share.

    Attributes:
        control: of the feed.
        board: what is shown.
        snapshots: how many may be written.
        pictures: of what is shown.
        name: of the feed, empty where there is one alone.
        small: its pictures for a tile.
    """

    control: LiveControl
    board: Board
    snapshots: Allowance
    pictures: Pictures = field(default_factory=Pictures)
    name: str = ""
    small: Pictures = field(default_factory=lambda: Pictures(TILE_WIDTH))


class Browser(Talker):
    """One browser that looks at one feed.

    Args:
        socket: not yet accepted.
        shared: with the other browsers.
    """

    def __init__(self, socket: WebSocket, shared: Shared) -> None:
        super().__init__(socket)
        self._pictures, self._name = shared.pictures, shared.name
        self._control, self._board, self._snapshots = shared.control, shared.board, shared.snapshots
        self._notes: deque[str] = deque(maxlen=NOTES)

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        seen, curve_s = -1, 0.0
        picture_of: Reading | None = None
        told: dict[str, Any] | None = None
        await self._say({"sources": await asyncio.to_thread(self._control.sources), "name": self._name})
        while not (self._board.closed or self._ended):
            while self._notes:
                await self._say({"note": self._notes.popleft()})
            start_s = loop.time()
            newest = self._board.newest(seen, with_trace=start_s - curve_s >= 1 / CURVE_HZ)
            if newest is None:
                await asyncio.sleep(LOOK_S)
                continue
            seen, update, trace, by_beat = newest
            said = figures(update)
            if trace is not None:
                curve_s = start_s
                said["history"] = trace
            if by_beat is not told:
                told = said["by_beat"] = by_beat
            await self._say(said)
            if update.reading is not None and update.reading is not picture_of:
                picture_of = update.reading
                await self._send_picture(await asyncio.to_thread(self._pictures.of, update))
            await asyncio.sleep(max(0.0, 1 / PICTURES_HZ - (loop.time() - start_s)))

    async def _hear(self, wish: dict[str, Any]) -> None:
        calls: dict[str, Callable[[], None]] = {
            "start": self._control.start,
            "stop": self._control.stop,
            "freeze": lambda: self._control.freeze(True),
            "resume": lambda: self._control.freeze(False),
            "reset": self._control.reset,
        }
        await asyncio.sleep(WISH_S)
        asked = wish.get("do")
        if isinstance(asked, str) and asked in calls:
            calls[asked]()
        elif asked == "snapshot":
            await self._answer(self._snapshot)
        elif asked == "select" and isinstance(wish.get("source"), str):
            await self._answer(self._select, wish["source"])

    async def _answer(self, call: Callable[..., str], *given: str) -> None:
        try:
            note = await asyncio.to_thread(call, *given)
        except EchoRtError as error:
            note = str(error)
        self._notes.append(note)

    def _snapshot(self) -> str:
        if not self._snapshots.take():
            return "expected a few snapshots a minute, found many; wait a minute"
        return f"written: {self._control.snapshot()}"

    def _select(self, source: str) -> str:
        # Any text could be typed into a socket: a page chooses from what the machine offers.
        if source not in self._control.sources():
            return f"expected one of the sources offered, found {source!r}"
        self._control.select(source)
        return f"opening {source}"


def _jpeg(update: LiveUpdate, width: int | None) -> bytes:
    assert update.frame is not None
    assert update.reading is not None
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    drawn = draw_image(update.frame, update.reading)
    if width is not None and drawn.shape[1] > width:
        height = max(1, round(drawn.shape[0] * width / drawn.shape[1]))
        drawn = np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    made, jpeg = cv2.imencode(".jpg", drawn, options)
    if not made:
        raise OutputError("expected to encode the picture, found that OpenCV refused; install opencv-python again")
    return jpeg.tobytes()
