"""Whatever is sent to the page: refused with its headers, never with its content, and hardly a line in the log."""

from __future__ import annotations

import logging
import re
import socket
import struct
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer import browser, gate, serving
from echo_rt.viewer.serving import HEAD_BYTES, WISH_BYTES
from echo_rt.viewer.web import FEED, FILES, HEADERS, PAGE, WebViewer
from robustness.json_values import VALUES, as_text
from support.looking import StandInControl
from support.page import get

TOKEN, SECRET, COOKIE, HOST = b"{token}", b"{secret}", b"{cookie}", b"{host}"
"""What stands in a request for what only the page knows."""

LONGEST_LINE = 2000
CONTENT = [(PAGE / name).read_bytes() for name, _ in FILES.values()]
EVERY = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Asked(NamedTuple):
    """A request, and whether it comes to this machine by its name, from its own page, and with the token or cookie."""

    raw: bytes
    let_in: bool


# -- what may be asked -------------------------------------------------------------------------------------------------

KEY = b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
SOCKET = [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13", KEY]

SIGNS = st.sampled_from([b"%00", b"%2e%2e", b"%2F", b"//", b"..", b";", b"[", b"\\", b"%", b"%ff", b"@", b":", b"\xff"])
PATHS = st.sampled_from([*(path.encode() for path in (*FILES, FEED)), b"*", b"http://evil.example/", b"/index.html"])
TARGETS = st.one_of(
    PATHS,
    st.tuples(PATHS, SIGNS, st.sampled_from([b"", b"/", b"page.js", b"x"])).map(b"".join),
    st.sampled_from([b"/" + b"x" * HEAD_BYTES, *(path.encode() + b"/" for path in (*FILES, FEED))]),
)
RIGHT_QUERY = st.sampled_from([b"?token=" + TOKEN, b"?x=%00&token=" + TOKEN + b"&&=&"])
WRONG_QUERY = st.sampled_from([
    b"", b"?", b"?token", b"?token=", b"?token=%FF", b"?token=x", b"?%", b"?" + b"a&" * 3000, b"?TOKEN=" + TOKEN,
    b"?x=" + TOKEN, b"?token=" + TOKEN + b"x", b"?token=x&token=%00", b"?token[]=" + TOKEN, b"?token=%00" + TOKEN,
])  # fmt: skip
RIGHT_COOKIE = st.sampled_from([
    [b"Cookie: " + COOKIE + b"=" + SECRET], [b"Cookie: a=b; ;;=; " + COOKIE + b"=" + SECRET],
])  # fmt: skip
WRONG_COOKIE = st.sampled_from([
    [], [b"Cookie: =;=\xff"], [b"Cookie: " + COOKIE + b"=" + TOKEN], [b"Cookie: echo_rt=" + SECRET],
    [b"Cookie: " + COOKIE + b'="\\377' + SECRET + b'"'], [b"Cookie: " + b"x" * 9000], [b"Cookie: a=b"] * 200,
    [b"Cookie: " + COOKIE + b"="], [b"Set-Cookie: " + COOKIE + b"=" + SECRET], [b"Authorization: Bearer " + TOKEN],
])  # fmt: skip
OWN = [b"Host: " + HOST]
RIGHT_HOST = st.sampled_from([OWN, OWN, [b"Host: localhost"], [b"host:127.0.0.1:1"], [b"Host: [::1]:9"]])
WRONG_HOST = st.sampled_from([
    [], [b"Host: "], [b"Host: ["], [b"Host: ]["], [b"Host: evil.example"], [b"Host: localhost:99999"],
    [b"Host: 127.0.0.1/x"], [b"Host: 127.0.0.1?x"], [b"Host: 127.0.0.1#x"], [b"Host: evil@127.0.0.1"],
    [b"Host: 127.0.0.1:80:80"], [b"Host: localhost", b"Host: evil.example"], [b"Host: \xff"], [b"Host: a b"],
    [b"Host: 127.0.0.1\\@evil.example"], [b"Host: localhost.evil.example"], [b"Host: 0.0.0.0"], [b"Host: \x01"],
])  # fmt: skip
RIGHT_ORIGIN = st.sampled_from([[], [b"Origin: http://" + HOST]])
WRONG_ORIGIN = st.sampled_from([
    [b"Origin: null"], [b"Origin: "], [b"Origin: http://["], [b"Origin: http://evil.example"], [b"Origin: \xff"],
    [b"Origin: http://evil.example://" + HOST + b"x"], [b"Origin: " + HOST],
])  # fmt: skip
OTHERS = st.lists(
    st.sampled_from([
        *SOCKET, b"Upgrade: h2c", b"Connection: close", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Key: x",
        b"Sec-WebSocket-Version: 1", b"Sec-WebSocket-Protocol: \x7f,,", b"Sec-WebSocket-Extensions: permessage-deflate",
        b"Sec-WebSocket-Extensions: ;=,", b"Range: bytes=0-1,2-3,-1,9999999999-", b"Range: bytes=x",
        b"If-None-Match: *", b"If-Range: x", b"Accept: \xff/*", b"Accept-Encoding: gzip;q=0", b"Content-Length: 5",
        b"Content-Length: -1", b"Content-Length: 1000000000", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
        b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Host: localhost", b"Forwarded: host=localhost", b"X: \x01\x7f",
        b"X: " + b"y" * HEAD_BYTES, b"X:", b":", b"X : y", b" X: folded", b"HTTP/1.1 200 OK",
    ]),
    max_size=5,
)  # fmt: skip
METHODS = st.sampled_from(b"HEAD POST PUT DELETE OPTIONS TRACE CONNECT PRI get G\0T".split())
VERSIONS = st.sampled_from([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""])
BODIES = st.sampled_from([b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 9000])


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """Mostly with a thing or two wrong: what is wrong all over is refused at the first look."""

    def one_of(right: st.SearchStrategy[Any], wrong: st.SearchStrategy[Any]) -> tuple[bool, Any]:
        as_it_should_be = draw(st.integers(0, 5)) > 0
        return as_it_should_be, draw(right if as_it_should_be else wrong)

    _, method = one_of(st.just(b"GET"), METHODS)
    _, target = one_of(PATHS, TARGETS)
    with_token, query = one_of(RIGHT_QUERY, WRONG_QUERY)
    _, version = one_of(st.just(b"HTTP/1.1"), VERSIONS)
    here, host = one_of(RIGHT_HOST, WRONG_HOST)
    from_page, origin = one_of(RIGHT_ORIGIN, WRONG_ORIGIN)
    known, cookie = one_of(RIGHT_COOKIE, WRONG_COOKIE)
    _, others = one_of(st.sampled_from([[], SOCKET]), OTHERS)
    _, body = one_of(st.just(b""), BODIES)
    named = not origin or host == OWN
    fields = [*host, *origin, *cookie, *others]
    fields = draw(st.permutations(fields)) if draw(st.booleans()) else fields
    raw = b"\r\n".join([b" ".join([method, target + query, version]), *fields, b"", body])
    return Asked(raw, (with_token or known) and here and from_page and named)


def request(line: bytes, *fields: bytes, let_in: bool = False) -> Asked:
    """One that once was answered wrongly."""
    return Asked(b"\r\n".join([line + b" HTTP/1.1", *fields, b"", b""]), let_in)


# -- what comes of it --------------------------------------------------------------------------------------------------


class Log:
    """The lines that are written of what is sent."""

    def __init__(self, kept: pytest.LogCaptureFixture, secrets: list[bytes]) -> None:
        self._kept, self._secrets = kept, secrets

    def check(self, most: int) -> None:
        records = list(self._kept.records)
        self._kept.clear()
        assert len(records) <= most, records
        for record in records:
            line = record.getMessage()
            assert record.exc_info is None
            assert line.isprintable()
            assert len(line) < LONGEST_LINE
            assert not any(secret in line.encode() for secret in self._secrets)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, viewer: WebViewer) -> Log:
    return Log(caplog, [viewer._gate.token.encode(), viewer._gate.secret.encode()])


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tries nor lines are limited, so that each is looked at; see tests/test_viewer_gate.py for that."""
    for name in ("TRIES", "ALL_TRIES"):
        monkeypatch.setattr(gate, name, 10**6)
    monkeypatch.setattr(serving, "LINES", 10**6)
    monkeypatch.setattr(browser, "WISH_S", 0.0)
    for name in ("uvicorn.error", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "filters", [])


def filled(viewer: WebViewer, raw: bytes) -> bytes:
    known = {
        TOKEN: viewer._gate.token,
        SECRET: viewer._gate.secret,
        COOKIE: viewer._gate.cookie,
        HOST: urlsplit(viewer.url).netloc,
    }
    for place, text in known.items():
        raw = raw.replace(place, text.encode())
    return raw


def answer_to(viewer: WebViewer, first: bytes, *more: bytes) -> bytes:
    """All that comes back to these bytes until the other side ends; what is `more` is sent once that has begun."""
    with socket.create_connection(("127.0.0.1", urlsplit(viewer.url).port), timeout=20) as stranger:
        stranger.sendall(first)
        answer = received(stranger) if more else b""
        with suppress(OSError):  # the other side has ended already
            for part in more:
                stranger.sendall(part)
            stranger.shutdown(socket.SHUT_WR)
        while found := received(stranger):
            answer += found
    return answer


def received(stranger: socket.socket) -> bytes:
    try:
        return stranger.recv(65536)
    except ConnectionError:  # it has ended without reading all
        return b""


def heads(answer: bytes) -> list[tuple[int, dict[str, str]]]:
    """Status and headers of each answer."""
    found = []
    for match in re.finditer(rb"(?:^|(?<=[\n}]))HTTP/1\.1 (\d{3}) ?[^\r\n]*\r\n(.*?)\r\n\r\n", answer, re.DOTALL):
        lines = [line.split(": ", 1) for line in match[2].decode("latin-1").split("\r\n")]
        found.append((int(match[1]), {name.lower(): value for name, value in lines}))
    return found


@EVERY
@given(requests() | st.builds(Asked, st.binary(max_size=200), st.just(False)))
@example(request(b"GET /page.js/?token=" + TOKEN, b"Host: evil.example"))
@example(request(b"GET /", b"Host: 127.0.0.1?x", b"Cookie: " + COOKIE + b"=" + SECRET))
@example(request(b"GET /nowhere", *OWN))
@example(request(b"POST /", *OWN))
@example(request(b"GET /feed", *OWN, *SOCKET[:3], b"Sec-WebSocket-Key: x"))
@example(request(b"POST /feed", *OWN, *SOCKET))
@example(request(b"GET /feed", *OWN, *SOCKET, b"X: \x7f"))
@example(request(b"GET /feed", *OWN, *SOCKET, b"Cookie: " + b"x" * 9000))
@example(Asked(b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False))
@example(
    request(b"GET /feed", *OWN, b"Origin: http://" + HOST, b"Cookie: " + COOKIE + b"=" + SECRET, *SOCKET, let_in=True)
)
def test_whatever_is_asked_gets_no_page_without_the_token_and_the_headers_always(viewer, log, asked: Asked) -> None:
    answer = answer_to(viewer, filled(viewer, asked.raw))
    found = heads(answer)
    assert bool(answer) == bool(found), answer
    for status, headers in found:
        if status == 100:
            continue
        assert status < 500, answer
        assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS, answer
        if not asked.let_in:
            assert status >= 400, answer
    assert viewer._gate.token.encode() not in answer
    if not asked.let_in:
        assert not any(content in answer for content in CONTENT)
        assert viewer._gate.secret.encode() not in answer
    assert get(viewer).status == 200, "the page goes on"
    log.check(most=int(asked.let_in))


@EVERY
@given(st.sampled_from([*FILES, FEED]), st.sampled_from(["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]))
def test_only_reading_is_answered_also_to_whoever_has_the_cookie(viewer, path: str, method: str) -> None:
    raw = f"{method} {path} HTTP/1.1\r\nHost: ".encode() + HOST + b"\r\nCookie: " + COOKIE + b"=" + SECRET
    ((status, headers),) = heads(answer := answer_to(viewer, filled(viewer, raw + b"\r\nConnection: close\r\n\r\n")))
    assert status == (403 if path == FEED else 200 if method == "HEAD" else 405)
    assert headers.get("allow") == ("GET, HEAD" if status == 405 else None)
    assert not any(content in answer for content in CONTENT)


# -- once it is let in -------------------------------------------------------------------------------------------------

WISHES = st.builds(
    lambda do, source: as_text({"do": do, "source": source}).encode(),
    st.sampled_from(["start", "stop", "freeze", "resume", "reset", "shown", "snapshot", "select", "", *VALUES]),
    st.sampled_from(["phantom:", "/etc/passwd", "rtsp://evil.example/\x1b[2J", *VALUES]),
)
PAYLOADS = st.one_of(
    WISHES,
    st.sampled_from([as_text(value).encode() for value in VALUES]),
    st.binary(max_size=60),
    st.sampled_from([b"[" * 3000, b"9" * WISH_BYTES, b'{"do": "\xff"}', b"\xef\xbb\xbf{}", b"\x03\xe8\xff"]),
)  # fmt: skip


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One of RFC 6455, mostly a whole text; else of another kind, in parts, unmasked, or shorter than it says."""
    payload = draw(PAYLOADS)
    plain = draw(st.integers(0, 3)) > 0
    first = 0x81 if plain else draw(st.integers(0, 255))
    masked = 0x80 if plain or draw(st.booleans()) else 0
    size, said = len(payload), b""
    if size < 126:
        said = bytes([masked | size])
    elif size < 2**16:
        said = bytes([masked | 126]) + struct.pack(">H", size)
    else:
        said = bytes([masked | 127]) + struct.pack(">Q", size)
    if not plain and draw(st.booleans()):
        said = bytes([masked | 127]) + struct.pack(">Q", draw(st.sampled_from([0, 2**31, 2**63, 2**64 - 1])))
    return bytes([first]) + said + (bytes(4) if masked else b"") + payload


OPENING = b"\r\n".join(
    [b"GET /feed HTTP/1.1", b"Host: " + HOST, b"Origin: http://" + HOST, b"Cookie: " + COOKIE + b"=" + SECRET, *SOCKET]
)


@EVERY
@given(st.lists(frames(), min_size=1, max_size=4))
def test_whatever_a_browser_says_the_feed_hears_only_what_it_offers(viewer, control, log, said: list[bytes]) -> None:
    answer = answer_to(viewer, filled(viewer, OPENING) + b"\r\n\r\n", *said)
    ((status, headers),) = heads(answer)
    assert status == 101
    assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert not any(secret in answer for secret in (viewer._gate.token.encode(), viewer._gate.secret.encode()))
    offered = [("freeze", True), ("freeze", False), "reset", "start", "stop", "snapshot"]
    offered += [("select", source) for source in StandInControl().sources()]
    assert [call for call in control.calls if call not in offered] == []
    assert get(viewer).status == 200, "others are served"
    log.check(most=1)
