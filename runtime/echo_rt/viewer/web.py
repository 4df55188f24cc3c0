"""A page in a browser. Starlette and uvicorn serve one page of our own and a socket; nothing is fetched from elsewhere.

Over the socket a browser gets the figures as JSON and the picture as JPEG, and sends what its user wants. A browser has
one picture under way: the next is made when it says that it has shown the last, so that a slow one sees fewer, always
the newest, and nobody waits for it. While nobody looks nothing is encoded.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import secrets
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from echo_rt.errors import EchoRtError, MissingExtraError, OutputError
from echo_rt.live.status import LiveControl, LiveUpdate
from echo_rt.outputs.overlay import draw_image
from echo_rt.viewer.state import History, figures

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.datastructures import Headers
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError:
    raise MissingExtraError("--view web", "web") from None

PAGE = Path(__file__).with_name("page")
FILES = {"/": "index.html", "/page.js": "page.js", "/page.css": "page.css"}

PICTURES_HZ = 20.0
"""Pictures a second to one browser, at most: more is not seen, and the engine needs the processor."""

CURVE_HZ = 5.0
ANSWER_S = 3.0
"""A browser that has not said for so long that it showed the last picture is given up; it will connect again."""

JPEG_QUALITY = 85
COOKIE = "echo_rt_token"

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


class WebViewer:
    """See `echo_rt.live.status.Viewer`. It serves from a thread of its own, from when it is made until it is closed.

    Args:
        control: of the feed.
        host, port: to serve on; port 0 takes a free one.
        token: asked for where it is given, and always where others than this machine can reach the page; made up then
            if it is None.

    Attributes:
        url: where the page is, with its token.

    Raises:
        OutputError: the address cannot be had.
    """

    def __init__(self, control: LiveControl, host: str, port: int, token: str | None) -> None:
        local = is_local(host)
        self._token = token or (None if local else secrets.token_urlsafe(16))
        self._control = control
        self._history = History()
        self._lock = threading.Lock()
        self._update: LiveUpdate | None = None
        self._number = 0
        self._local = local
        routes = [*(Route(path, self._file) for path in FILES), WebSocketRoute("/feed", self._feed)]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_level="error",
            lifespan="off",
            ws_max_size=4096,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._socket = _listen(host, port)
        port = self._socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{port}/" + (f"?token={self._token}" if self._token else "")
        self._thread = threading.Thread(target=self._serve, name="echo-rt web", daemon=True)
        self._thread.start()
        print(f"watch it at {self.url}", file=sys.stderr)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        with self._lock:
            self._history.add(update)
            self._update = update
            self._number += 1

    def close(self) -> None:
        """See `Viewer`."""
        self._server.should_exit = True
        self._thread.join(3)
        self._socket.close()

    # -- who may look --------------------------------------------------------------------------------------------------------------

    def _refusal(self, asked: HTTPConnection) -> str | None:
        """Why somebody may not look; None where they may."""
        headers: Headers = asked.headers
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        # A page elsewhere may have a name that leads to this machine (DNS rebinding): it would come with that name.
        if self._local and not is_local(host):
            return "expected a request to this machine by its own name, found another; open http://127.0.0.1"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return "expected a request from echo-rt's own page, found one from another page"
        if self._token is not None:
            given = asked.query_params.get("token") or asked.cookies.get(COOKIE) or ""
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return "expected the token, found none or another; open the address that echo-rt printed"
        return None

    async def _file(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return PlainTextResponse(f"echo-rt: {refusal}\n", 401, HEADERS)
        if request.url.path == "/" and "token" in request.query_params:
            # Out of the address, which others may read over somebody's shoulder, into a cookie that scripts cannot
            # read.
            response: Response = RedirectResponse("/", 303, HEADERS)
            response.set_cookie(COOKIE, self._token or "", httponly=True, samesite="strict")
            return response
        return FileResponse(PAGE / FILES[request.url.path], headers=HEADERS)

    # -- one browser ---------------------------------------------------------------------------------------------------------------

    async def _feed(self, browser: WebSocket) -> None:
        if self._refusal(browser) is not None or browser.headers.get("origin") is None:
            await browser.close(1008)
            return
        await browser.accept()
        shown = asyncio.Event()
        answers: asyncio.Queue[str] = asyncio.Queue()
        tasks = [
            asyncio.ensure_future(self._listen_to(browser, shown, answers)),
            asyncio.ensure_future(self._talk(browser, shown, answers)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RuntimeError, WebSocketDisconnect):  # it has gone already
                await browser.close()

    async def _talk(self, browser: WebSocket, shown: asyncio.Event, answers: asyncio.Queue[str]) -> None:
        loop = asyncio.get_running_loop()
        seen, curve_s, picture_of = -1, 0.0, None
        await browser.send_text(json.dumps({"sources": await loop.run_in_executor(None, self._control.sources)}))
        while not self._server.should_exit:
            while not answers.empty():
                await browser.send_text(json.dumps({"note": answers.get_nowait()}))
            with self._lock:
                update, number = self._update, self._number
                history = self._history.to_dict() if number != seen and loop.time() - curve_s >= 1 / CURVE_HZ else None
            if update is None or number == seen:
                await asyncio.sleep(0.02)
                continue
            seen, start_s = number, loop.time()
            if history is not None:
                curve_s = start_s
            await browser.send_text(
                json.dumps({**figures(update), **({"history": history} if history is not None else {})})
            )
            if update.reading is not None and update.reading is not picture_of:
                picture_of = update.reading
                jpeg = await loop.run_in_executor(None, _jpeg, update)
                shown.clear()
                await asyncio.wait_for(browser.send_bytes(jpeg), ANSWER_S)
                await asyncio.wait_for(shown.wait(), ANSWER_S)
            await asyncio.sleep(max(0.0, 1 / PICTURES_HZ - (loop.time() - start_s)))

    async def _listen_to(self, browser: WebSocket, shown: asyncio.Event, answers: asyncio.Queue[str]) -> None:
        calls: dict[str, Callable[[], Any]] = {
            "start": self._control.start,
            "stop": self._control.stop,
            "freeze": lambda: self._control.freeze(True),
            "resume": lambda: self._control.freeze(False),
            "reset": self._control.reset,
        }
        while True:
            try:
                wish = await browser.receive_json()
            except (WebSocketDisconnect, json.JSONDecodeError, KeyError):
                return
            asked = wish.get("do") if isinstance(wish, dict) else None
            if asked == "shown":
                shown.set()
            elif asked == "snapshot":
                await answers.put(await self._try(self._snapshot))
            elif asked == "select" and isinstance(wish.get("source"), str):
                await answers.put(await self._try(lambda source=wish["source"]: self._select(source)))  # type: ignore[misc]
            elif asked in calls:
                calls[asked]()

    def _snapshot(self) -> str:
        return f"written: {self._control.snapshot()}"

    def _select(self, source: str) -> str:
        # Any text could be typed into a socket: a page chooses from what the machine offers.
        if source not in self._control.sources():
            return f"expected one of the sources offered, found {source!r}"
        self._control.select(source)
        return f"opening {source}"

    async def _try(self, call: Callable[[], str]) -> str:
        try:
            work: Awaitable[str] = asyncio.get_running_loop().run_in_executor(None, call)
            return await work
        except EchoRtError as error:
            return str(error)


def is_local(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _jpeg(update: LiveUpdate) -> bytes:
    assert update.frame is not None
    assert update.reading is not None
    made, jpeg = cv2.imencode(
        ".jpg", draw_image(update.frame, update.reading), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not made:
        raise OutputError("expected to encode the picture, found that OpenCV refused; install opencv-python again")
    return jpeg.tobytes()


def _listen(host: str, port: int) -> socket.socket:
    listening: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(64)  # from now on, not from when the thread has started
    except (OSError, OverflowError) as error:
        if listening is not None:
            listening.close()
        found = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"--view web: expected to serve on {host} port {port}, found: {found}; choose another --port or --host"
        ) from None
    return listening
