"""A socket to one browser, until either side ends."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

ANSWER_S = 3.0
"""A browser that has not said for so long that it showed the last picture is given up; it will connect again."""

LOOK_S = 0.02
"""Between two looks for something new."""


class Talker(ABC):
    """Talks and listens at once. It has one picture under way: the next is made when the last was shown.

    Args:
        socket: not yet accepted.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._shown = asyncio.Event()
        self._ended = False

    async def serve(self) -> None:
        """Accept it, and return when it has gone or there is nothing more to say."""
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

    @abstractmethod
    async def _talk(self) -> None:
        """Say what is new until there is nothing more."""

    @abstractmethod
    async def _hear(self, wish: dict[str, Any]) -> None:
        """Do what the browser wants; whatever it says is tried against what is offered."""

    async def _listen(self) -> None:
        while True:
            try:
                wish = await self._socket.receive_json()
            except (WebSocketDisconnect, json.JSONDecodeError, KeyError, RecursionError):
                return
            if isinstance(wish, dict) and wish.get("do") == "shown":
                self._shown.set()
            else:
                await self._hear(wish if isinstance(wish, dict) else {})

    async def _say(self, said: dict[str, Any]) -> None:
        await asyncio.wait_for(self._socket.send_text(json.dumps(said, separators=(",", ":"))), ANSWER_S)

    async def _send_picture(self, picture: bytes) -> None:
        """Send it, and wait until it was shown."""
        self._shown.clear()
        await asyncio.wait_for(self._socket.send_bytes(picture), ANSWER_S)
        await asyncio.wait_for(self._shown.wait(), ANSWER_S)
