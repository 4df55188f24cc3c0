"""The page's server: how many may connect, for how long, and how much it says of those that misbehave."""

from __future__ import annotations

import asyncio
import binascii
import logging
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from echo_rt.errors import first_line, message
from echo_rt.viewer.gate import Allowance

WAITING = 64
"""Connections that have not become a browser's socket, at most. One more takes the place of the oldest."""

WAITING_S = 20.0
"""How long such a connection may last: the page and its two files take less than one."""

ACCEPTED = 16
"""Connections that are taken at a time, before any of them is counted."""

HEAD_BYTES = 16_384
"""Of a request, at most: the line and the headers."""

FIELDS = 100
"""Headers of a request for a socket, at most."""

WISH_BYTES = 4096
"""Of what a browser says, at most."""

LINES, LINES_S = 10, 60.0
"""Of the log in that time, at most."""


Scope = MutableMapping[str, Any]
"""What ASGI says of a request."""

Admits = Callable[[Scope], bool]


class _Sparse(logging.Filter):
    """Lets a line through now and then, without its traceback and printable."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = Allowance(LINES, LINES_S)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and (error := record.exc_info[1]) is not None:
            said = f"{type(error).__name__}: {first_line(error)}"
            record.exc_info = record.exc_text = None
        else:
            said = record.getMessage()
        record.msg, record.args = "echo-rt: the page: %s", (message(said.strip()),)
        return self._lines.take()


class _Connection(H11Protocol):
    """A connection, until it becomes a browser's socket.

    Args:
        waiting: all of them, the oldest first.
        admits: whether a request may open a socket.
        given: by uvicorn.
    """

    def __init__(self, waiting: OrderedDict[_Connection, None], admits: Admits, **given: Any) -> None:
        super().__init__(**given)
        self._waiting, self._admits = waiting, admits

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self._waiting) >= WAITING:
            self._waiting.popitem(last=False)[0].transport.abort()
        self._waiting[self] = None
        self._limit = asyncio.get_running_loop().call_later(WAITING_S, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(error)

    def _should_upgrade_to_ws(self) -> bool:
        """Whether it becomes a socket. What does not is answered as any other request: the library for sockets would
        answer without the headers of the page, and would keep what it cannot read."""
        scope: Any = self.scope
        return bool(super()._should_upgrade_to_ws()) and _is_handshake(scope) and self._admits(scope)

    def handle_websocket_upgrade(self, event: Any) -> None:
        needed = [(name, value) for name, value in self.headers if name in _SOCKET_HEADERS]
        self.headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), *needed]
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, with the headers of every answer, and instead of another answer that is under way."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        head = h11.Response(status_code=400, headers=[*self.server_state.default_headers, *kind], reason=b"Bad Request")
        with suppress(h11.LocalProtocolError):  # an answer is half sent, or is to have no body
            for part in (head, h11.Data(data=f"{msg}\n".encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part))
        self.transport.close()

    def _stop_waiting(self) -> None:
        self._limit.cancel()
        self._waiting.pop(self, None)


_SOCKET_HEADERS = (b"host", b"origin", b"cookie", b"sec-websocket-key", b"sec-websocket-version")
"""What is needed for a socket: the library sees no other."""


def _is_handshake(scope: Scope) -> bool:
    """Whether a request is in the form that RFC 6455 4.2.1 asks for, and no longer than any browser's."""
    fields = [(name, value) for name, value in scope["headers"] if name in _SOCKET_HEADERS]
    keys = [value for name, value in fields if name == b"sec-websocket-key"]
    versions = [value for name, value in fields if name == b"sec-websocket-version"]
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(value) for _, value in fields)
    try:
        bits = 8 * len(b64decode(b"".join(keys), validate=True))
    except binascii.Error:
        return False
    return (
        (scope["method"], scope["http_version"], versions, len(keys), bits) == ("GET", "1.1", [b"13"], 1, 128)
        and size <= HEAD_BYTES // 2
        and len(fields) <= FIELDS
        and not any(re.search(rb"[^\t\x20-\x7e\x80-\xff]", value) for _, value in fields)
    )


def make_server(app: Any, headers: Mapping[str, str], admits: Admits) -> uvicorn.Server:
    """A server of `app` within these limits.

    Args:
        app: of ASGI.
        headers: of every answer.
        admits: whether a request may open a socket; the others are put to `app` as plain requests.
    """
    for name in ("uvicorn.error", "asyncio"):
        log = logging.getLogger(name)
        if not any(isinstance(limit, _Sparse) for limit in log.filters):
            log.addFilter(_Sparse())
    connection: Any = partial(_Connection, OrderedDict(), admits)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            interface="asgi3",
            http=connection,
            backlog=ACCEPTED,
            log_config=None,
            log_level="error",
            access_log=False,
            lifespan="off",
            proxy_headers=False,  # tries are counted by address, and anybody can claim one there
            server_header=False,
            headers=list(headers.items()),
            h11_max_incomplete_event_size=HEAD_BYTES,
            ws_max_size=WISH_BYTES,
            ws_max_queue=4,
            ws_per_message_deflate=False,  # a picture is a JPEG
            timeout_graceful_shutdown=1,
        )
    )
