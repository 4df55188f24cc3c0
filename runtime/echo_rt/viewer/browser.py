"""One browser that looks at the page.

It gets the figures as JSON and the picture as JPEG, and sends what its user wants. It has one picture under way: the
next is made when it says that it has shown the last, so that a slow one sees fewer, always the newest.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
from starlette.websockets import WebSocketDisconnect

from echo_rt.errors import EchoRtError, OutputError
from echo_rt.outputs.overlay import draw_image
from echo_rt.viewer.state import figures

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from echo_rt.live.commands import LiveControl
    from echo_rt.live.status import LiveUpdate
    from echo_rt.reading import Reading
    from echo_rt.viewer.gate import Allowance
    from echo_rt.viewer.state import Board

PICTURES_HZ = 20.0
"""Pictures a second to one browser, at most: more is not seen, and the engine needs the processor."""

CURVE_HZ = 5.0
LOOK_S = 0.02
"""Between two looks for a new update."""

ANSWER_S = 3.0
"""A browser that has not said for so long that it showed the last picture is given up; it will connect again."""

JPEG_QUALITY = 85

WISH_S = 0.05
"""Before a wish is done: so many a second are more than a person has."""

NOTES = 8
"""That wait to be said; of more the newest."""


class Pictures:
    """The newest picture as a JPEG, made once for all browsers. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[Reading | None, bytes] = (None, b"")

    def of(self, update: LiveUpdate) -> bytes:
        """That of an update with a reading."""
        with self._lock:
            if self._made[0] is not update.reading:
                self._made = update.reading, _jpeg(update)
            return self._made[1]


@dataclass(frozen=True)
class Shared:
    """What all browsers of a page share.

    Attributes:
        control: of the feed.
        board: what is shown.
        snapshots: how many may be written.
        pictures: of what is shown.
    """

    control: LiveControl
    board: Board
    snapshots: Allowance
    pictures: Pictures = field(default_factory=Pictures)


class Browser:
    """Talks with one browser until either side ends.

    Args:
        socket: not yet accepted.
        shared: with the other browsers.
    """

    def __init__(self, socket: WebSocket, shared: Shared) -> None:
        self._socket, self._pictures = socket, shared.pictures
        self._control, self._board, self._snapshots = shared.control, shared.board, shared.snapshots
        self._shown = asyncio.Event()
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._ended = False

    async def serve(self) -> None:
        """Accept it, and return when it has gone or the feed has ended."""
        await self._socket.accept()
        tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._talk())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._ended = True  # `wait_for` of Python before 3.12 may lose a cancellation
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RuntimeError, WebSocketDisconnect):  # it has gone already
                await self._socket.close()

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        seen, curve_s = -1, 0.0
        picture_of: Reading | None = None
        told: dict[str, Any] | None = None
        await self._say({"sources": await asyncio.to_thread(self._control.sources)})
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
                jpeg = await asyncio.to_thread(self._pictures.of, update)
                self._shown.clear()
                await asyncio.wait_for(self._socket.send_bytes(jpeg), ANSWER_S)
                await asyncio.wait_for(self._shown.wait(), ANSWER_S)
            await asyncio.sleep(max(0.0, 1 / PICTURES_HZ - (loop.time() - start_s)))

    async def _listen(self) -> None:
        calls: dict[str, Callable[[], None]] = {
            "start": self._control.start,
            "stop": self._control.stop,
            "freeze": lambda: self._control.freeze(True),
            "resume": lambda: self._control.freeze(False),
            "reset": self._control.reset,
            "shown": self._shown.set,
        }
        while True:
            try:
                wish = await self._socket.receive_json()
            except (WebSocketDisconnect, json.JSONDecodeError, KeyError, RecursionError):
                return
            asked = wish.get("do") if isinstance(wish, dict) else None
            if asked != "shown":
                await asyncio.sleep(WISH_S)
            if isinstance(asked, str) and asked in calls:
                calls[asked]()
            elif asked == "snapshot":
                await self._answer(self._snapshot)
            elif asked == "select" and isinstance(wish.get("source"), str):
                await self._answer(self._select, wish["source"])

    async def _say(self, said: dict[str, Any]) -> None:
        await asyncio.wait_for(self._socket.send_text(json.dumps(said, separators=(",", ":"))), ANSWER_S)

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


def _jpeg(update: LiveUpdate) -> bytes:
    assert update.frame is not None
    assert update.reading is not None
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    made, jpeg = cv2.imencode(".jpg", draw_image(update.frame, update.reading), options)
    if not made:
        raise OutputError("expected to encode the picture, found that OpenCV refused; install opencv-python again")
    return jpeg.tobytes()
