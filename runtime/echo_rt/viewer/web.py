"""A page in a browser. Starlette and uvicorn serve one page of our own and a socket; nothing is fetched from elsewhere.

While nobody looks nothing is encoded.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from echo_rt.viewer.talker import Talker
from echo_rt.viewer.tiles import TilesBrowser

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from echo_rt.live.biplane import RollingBiplane

PAGE = Path(__file__).with_name("page")
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
TILES_PAGE = "tiles.html"
"""Stands at the front where there are several feeds."""

FILES = {
    "/" if path.name == "index.html" else f"/{path.name}": (path.name, KINDS[path.suffix])
    for path in sorted(PAGE.iterdir())
    if path.suffix in KINDS and path.name != TILES_PAGE
}
FEED, TILES = "/feed", "/tiles"
"""The sockets: of one feed, and of all of several."""

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


class FeedViewer:
    """The part of a page that shows one feed, see `echo_rt.live.outputs.Viewer`. What was shown last stays."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        self._board.show(update)

    def close(self) -> None:
        """See `Viewer`. The page goes on: others may be shown there."""


class WebPage:
    """The page of one feed, or of several: then its front has a tile for each. It serves from a thread of its own, from
    when it is made until it is closed.

    Args:
        controls: of the feeds, by their names.
        host, port: to serve on; port 0 takes a free one.
        token: see `Gate`.
        joined: the biplane EF of two of them.

    Attributes:
        url: where the page is, with its token.
        viewers: of the feeds.

    Raises:
        OutputError: the address cannot be had.
    """

    def __init__(
        self,
        controls: Mapping[str, LiveControl],
        host: str,
        port: int,
        token: str | None,
        joined: RollingBiplane | None = None,
    ) -> None:
        self._gate, allowance = Gate(host, token), Allowance(SNAPSHOTS, SNAPSHOTS_S)
        names = controls if len(controls) > 1 else [""]  # one alone is called nothing
        self._feeds = [
            Shared(control, Board(), allowance, name=name)
            for name, control in zip(names, controls.values(), strict=True)
        ]
        self.viewers = [FeedViewer(feed.board) for feed in self._feeds]
        self._page, self._sockets = _front(self._feeds) if len(self._feeds) == 1 else _fronts(self._feeds, joined)
        self._server = make_server(self._answer, HEADERS, self._admits)
        self._browsers = 0
        self._socket = _listen(host, port)
        self.url = self._gate.address(host, self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="echo-rt web", daemon=True)
        self._thread.start()
        print(f"watch it at {self.url}", file=sys.stderr)

    def close(self) -> None:
        """End it. A second call does nothing."""
        self._server.should_exit = True
        for feed in self._feeds:
            feed.board.closed = True
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
        if path in self._sockets:
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
            await self._sockets[asked.scope["path"]](asked).serve()
        finally:
            self._browsers -= 1

    def _admits(self, scope: Scope) -> bool:
        """Whether a request may open a socket. A browser always says which page it shows."""
        asked = HTTPConnection(scope)
        ours = scope["path"] in self._sockets and "origin" in asked.headers and self._gate.knows(asked)
        return ours and self._browsers < BROWSERS


class WebViewer(WebPage):
    """The page of one feed, see `echo_rt.live.outputs.Viewer`.

    Args:
        control: of the feed.
        host, port, token: see `WebPage`.
    """

    def __init__(self, control: LiveControl, host: str, port: int, token: str | None) -> None:
        super().__init__({"": control}, host, port, token)

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        self.viewers[0].show(update)


Pages = dict[str, tuple[bytes, str]]
Sockets = dict[str, Callable[[WebSocket], Talker]]
"""What is served at which path."""


def _front(feeds: Sequence[Shared]) -> tuple[Pages, Sockets]:
    """That of one feed alone."""
    pages = {path: ((PAGE / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
    return pages, {FEED: partial(Browser, shared=feeds[0])}


def _fronts(feeds: Sequence[Shared], joined: RollingBiplane | None) -> tuple[Pages, Sockets]:
    """That of several: the tiles, and behind each, at the number of its place, the page of that feed."""
    pages, _ = _front(feeds)
    one, pages["/"] = pages["/"], ((PAGE / TILES_PAGE).read_bytes(), KINDS[".html"])
    sockets: Sockets = {TILES: partial(TilesBrowser, feeds=feeds, joined=joined)}
    for place, feed in enumerate(feeds, 1):
        pages[f"/{place}"], sockets[f"{FEED}/{place}"] = one, partial(Browser, shared=feed)
    return pages, sockets


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
