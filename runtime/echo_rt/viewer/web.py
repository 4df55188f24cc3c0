"""A page in a browser. Starlette and uvicorn serve one page of our own and a socket; nothing is fetched from elsewhere.

While nobody looks nothing is encoded.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.errors import MissingExtraError, OutputError
from echo_rt.live.commands import LiveControl
from echo_rt.live.status import LiveUpdate
from echo_rt.viewer.gate import Allowance, Gate, Refusal
from echo_rt.viewer.state import Board

try:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response
    from starlette.websockets import WebSocket

    from echo_rt.viewer.serving import ACCEPTED, make_server
except ImportError:
    raise MissingExtraError("--view web", "web") from None
from echo_rt.viewer.browser import Browser, Shared

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PAGE = Path(__file__).with_name("page")
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
FILES = {
    "/" if path.name == "index.html" else f"/{path.name}": (path.name, KINDS[path.suffix])
    for path in sorted(PAGE.iterdir())
    if path.suffix in KINDS
}
FEED = "/feed"

BROWSERS = 64
"""That look at the same time, at most: each has its own pictures made."""

SNAPSHOTS, SNAPSHOTS_S = 20, 60.0
"""That all browsers together may have written in that time."""

METHODS = ("GET", "HEAD")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer, refusals too."""


class WebViewer:
    """See `echo_rt.live.outputs.Viewer`. It serves from a thread of its own, from when it is made until it is closed.

    Args:
        control: of the feed.
        host, port: to serve on; port 0 takes a free one.
        token: see `Gate`.

    Attributes:
        url: where the page is, with its token.

    Raises:
        OutputError: the address cannot be had.
    """

    def __init__(self, control: LiveControl, host: str, port: int, token: str | None) -> None:
        self._gate, self._board = Gate(host, token), Board()
        self._page = {path: ((PAGE / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
        self._server = make_server(self._answer, HEADERS, self._admits)
        self._shared = Shared(control, self._board, Allowance(SNAPSHOTS, SNAPSHOTS_S))
        self._browsers = 0
        self._socket = _listen(host, port)
        self.url = self._gate.address(host, self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="echo-rt web", daemon=True)
        self._thread.start()
        print(f"watch it at {self.url}", file=sys.stderr)

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        self._board.show(update)

    def close(self) -> None:
        """See `Viewer`."""
        self._server.should_exit = self._board.closed = True
        self._thread.join(3)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The one door. No route comes before the gate: one would answer strangers, and repeat what they send."""
        if scope["type"] == "websocket":
            await self._feed(WebSocket(scope, receive, send))
        else:
            await self._file(Request(scope))(scope, receive, send)

    def _file(self, asked: Request) -> Response:
        if (refusal := self._gate.refusal(asked)) is not None:
            return _refused(refusal)
        # Not of `asked.url`, which begins with whatever the request calls its host.
        path = asked.scope["path"]
        if path == FEED:
            found = "others already" if self._browsers >= BROWSERS else "something else"
            return _refused(Refusal(403, f"expected a socket of the page, {BROWSERS} at most, found {found}"))
        if path not in self._page:
            return _refused(Refusal(404, "expected the address that echo-rt printed, found another"))
        if asked.method not in METHODS:
            return _refused(Refusal(405, "expected GET, found another method"), Allow=", ".join(METHODS))
        if path == "/" and "token" in asked.query_params:
            # Out of the address, which others may read over somebody's shoulder, into a cookie that scripts cannot
            # read.
            response: Response = RedirectResponse("/", 303)
            response.set_cookie(self._gate.cookie, self._gate.secret, httponly=True, samesite="strict")
            return response
        content, kind = self._page[path]
        return Response(content, media_type=kind)

    async def _feed(self, asked: WebSocket) -> None:
        if self._browsers >= BROWSERS:  # several came at once
            await asked.close(1008)
            return
        self._browsers += 1
        try:
            await Browser(asked, self._shared).serve()
        finally:
            self._browsers -= 1

    def _admits(self, scope: Scope) -> bool:
        """Whether a request may open a socket. A browser always says which page it shows."""
        asked = HTTPConnection(scope)
        ours = scope["path"] == FEED and "origin" in asked.headers and self._gate.knows(asked)
        return ours and self._browsers < BROWSERS


def _refused(refusal: Refusal, **headers: str) -> Response:
    return PlainTextResponse(f"echo-rt: {refusal.text}\n", refusal.status, headers)


def _listen(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(ACCEPTED)  # from now on, not from when the thread has started
    except (OSError, OverflowError) as error:
        if listening is not None:
            listening.close()
        found = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise OutputError(
            f"--view web: expected to serve on {host} port {port}, found: {found}; choose another --port or --host"
        ) from None
    return listening
