"""One browser that looks at several feeds at once: a tile for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from echo_rt.outputs.biplane_log import biplane_row
from echo_rt.viewer.browser import Shared
from echo_rt.viewer.state import figures
from echo_rt.viewer.talker import LOOK_S, Talker

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from echo_rt.live.biplane import RollingBiplane
    from echo_rt.live.status import LiveUpdate
    from echo_rt.reading import Reading

FIGURES_HZ = 5.0

TILE_HZ, ALL_HZ = 15.0, 40.0
"""Pictures a second of one tile and of all together, at most. Each costs the processor a fourth of a whole page's."""

TOLD = (
    "phase phase_text message source current frames dropped reopened fps age_ms age_p99_ms engine model recording"
).split()
OF_READING = "ef_percent ef_low ef_high ef_beats ef_stale ef_reason heart_rate_bpm quality view calibrated".split()
"""What a tile shows, by the names of `figures`."""


class TilesBrowser(Talker):
    """Shows all feeds, the pictures in turn: a feed without new ones costs the others nothing.

    Args:
        socket: not yet accepted.
        feeds: of the page, in the order of their tiles.
        joined: the biplane EF, where there is one.
    """

    def __init__(self, socket: WebSocket, feeds: Sequence[Shared], joined: RollingBiplane | None) -> None:
        super().__init__(socket)
        self._feeds, self._joined = feeds, joined
        self._next = 0
        self._sent: list[Reading | None] = [None] * len(feeds)
        self._sent_s = [0.0] * len(feeds)

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        said_s = -1.0
        while not (all(feed.board.closed for feed in self._feeds) or self._ended):
            start_s = loop.time()
            if start_s - said_s >= 1 / FIGURES_HZ:
                said_s = start_s
                await self._say(self._figures())
            newest = self._newest(start_s)
            if newest is None:
                await asyncio.sleep(LOOK_S)
                continue
            place, update = newest
            jpeg = await asyncio.to_thread(self._feeds[place].small.of, update)
            await self._send_picture(bytes([place]) + jpeg)
            await asyncio.sleep(max(0.0, 1 / ALL_HZ - (loop.time() - start_s)))

    async def _hear(self, wish: dict[str, Any]) -> None:
        """A tile offers nothing: the page of its feed does."""
        await asyncio.sleep(LOOK_S)

    def _figures(self) -> dict[str, Any]:
        return {
            "feeds": [_tile(feed) for feed in self._feeds],
            "biplane": None if self._joined is None else biplane_row(self._joined.current),
        }

    def _newest(self, now_s: float) -> tuple[int, LiveUpdate] | None:
        """The place of the next feed that has a new picture, and its update; None where none has. A picture is sent
        behind a byte that says its place."""
        for step in range(len(self._feeds)):
            place = (self._next + step) % len(self._feeds)
            update = self._feeds[place].board.update
            if update is None or update.reading is None or update.reading is self._sent[place]:
                continue
            if now_s - self._sent_s[place] < 1 / TILE_HZ:
                continue
            self._next, self._sent[place], self._sent_s[place] = place + 1, update.reading, now_s
            return place, update
        return None


def _tile(feed: Shared) -> dict[str, Any]:
    if (update := feed.board.update) is None:
        return {"name": feed.name, "phase": "opening", "phase_text": "opening", "current": False, "reading": None}
    known = figures(update)
    reading = known["reading"]
    return {
        "name": feed.name,
        **{name: known[name] for name in TOLD},
        "reading": None if reading is None else {name: reading[name] for name in OF_READING},
    }
