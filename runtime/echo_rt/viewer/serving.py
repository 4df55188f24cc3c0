"""The page's server: how many may connect, for how long, and how much it says of those that misbehave."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from echo_rt.viewer.gate import Allowance

WAITING = 64
"""Connections that have not become a browser's socket, at most. One more takes the place of the oldest."""

WAITING_S = 20.0
"""How long such a connection may last: the page and its two files take less than one."""

ACCEPTED = 16
"""Connections that are taken at a time, before any of them is counted."""

HEAD_BYTES = 16_384
"""Of a request, at most: the line and the headers."""

WISH_BYTES = 4096
"""Of what a browser says, at most."""

LINES, LINES_S = 10, 60.0
"""Of the log in that time, at most."""


class _Sparse(logging.Filter):
    """Lets a line through now and then, without its traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = Allowance(LINES, LINES_S)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and (error := record.exc_info[1]) is not None:
            record.msg, record.args = "echo-rt: the page: %s: %s", (type(error).__name__, error)
            record.exc_info = record.exc_text = None
        return self._lines.take()


class _Connection(H11Protocol):
    """A connection, until it becomes a browser's socket.

    Args:
        waiting: all of them, the oldest first.
        given: by uvicorn.
    """

    def __init__(self, waiting: OrderedDict[_Connection, None], **given: Any) -> None:
        super().__init__(**given)
        self._waiting = waiting

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self._waiting) >= WAITING:
            self._waiting.popitem(last=False)[0].transport.abort()
        self._waiting[self] = None
        self._limit = asyncio.get_running_loop().call_later(WAITING_S, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(error)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def _stop_waiting(self) -> None:
        self._limit.cancel()
        self._waiting.pop(self, None)


def make_server(app: Any) -> uvicorn.Server:
    """A server of `app` within these limits."""
    for name in ("uvicorn.error", "asyncio"):
        log = logging.getLogger(name)
        if not any(isinstance(limit, _Sparse) for limit in log.filters):
            log.addFilter(_Sparse())
    connection: Any = partial(_Connection, OrderedDict())
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=connection,
            backlog=ACCEPTED,
            log_config=None,
            log_level="error",
            access_log=False,
            lifespan="off",
            proxy_headers=False,  # tries are counted by address, and anybody can claim one there
            server_header=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
            ws_max_size=WISH_BYTES,
            ws_max_queue=4,
            timeout_graceful_shutdown=1,
        )
    )
