"""What a stranger or a browser asks of the page."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from echo_rt.viewer.web import WebViewer


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


def get(viewer: WebViewer, path: str = "/", **headers: str) -> Answer:
    """What a browser that was let in is answered; one without a cookie where ``Cookie`` is empty."""
    at = urlsplit(viewer.url)
    headers.setdefault("Cookie", f"{viewer._gate.cookie}={viewer._gate.secret}")
    with closing(http.client.HTTPConnection("127.0.0.1", at.port, timeout=5)) as connection:
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, content in headers.items():
            connection.putheader(name, content)
        connection.endheaders()
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.headers, "" if answer.status == 101 else answer.read().decode())


def upgrade(viewer: WebViewer, path: str = "/feed", **headers: str) -> int:
    """Status of an attempt to open the socket: 101 where it is let in."""
    given = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    return get(viewer, path, **given, **headers).status
