"""The page, in a real browser where there is one, and who may look at it."""

from __future__ import annotations

import dataclasses
import http.client
import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echo_rt.errors import OutputError, ParameterError
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.viewer import open_viewer

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer.gate import ADDRESSES, ALL_TRIES, TRIES, TRIES_S, Allowance, Gate, is_local
from echo_rt.viewer.serving import ACCEPTED, HEAD_BYTES, LINES, WAITING, make_server
from echo_rt.viewer.web import WebViewer
from support.looking import RUNNING, StandInControl, as_phase, readings


def with_ef(update: LiveUpdate, percent: float, stale: bool = False) -> LiveUpdate:
    assert update.reading is not None
    ef = dataclasses.replace(
        update.reading.ef, percent=percent, stale=stale, reason="last good beat 9 s ago" if stale else None
    )
    return dataclasses.replace(update, reading=dataclasses.replace(update.reading, ef=ef))


@pytest.fixture
def control(tmp_path: Path) -> StandInControl:
    return StandInControl(tmp_path / "snapshot.png")


@pytest.fixture
def viewer(control: StandInControl) -> Iterator[WebViewer]:
    opened = WebViewer(control, "127.0.0.1", 0, None)
    yield opened
    opened.close()


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


# -- what is said ------------------------------------------------------------------------------------------------------


# -- who may look ------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_in_itself_and_may_load_nothing_from_elsewhere(viewer) -> None:
    for path in ("/", "/page.js", "/page.css"):
        answer = get(viewer, path)
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "http://" not in answer.body
        assert "https://" not in answer.body
    assert get(viewer, "/../web.py").status == 404


def test_another_name_for_this_machine_is_refused(viewer) -> None:
    assert get(viewer, Host="evil.example").status == 403
    assert upgrade(viewer, Host="evil.example", Origin="http://evil.example") == 403


@pytest.mark.parametrize("host", ["[", "[::1", "127.0.0.1:port", "]["])
def test_what_is_no_host_is_a_bad_request_and_no_defect(viewer, host: str) -> None:
    assert get(viewer, Host=host).status == 400
    assert get(viewer, Host=host, Cookie="").status == 400, "before the token is looked at"
    assert upgrade(viewer, Host=host, Origin=f"http://{host}") == 403


def test_another_page_may_not_open_the_socket(viewer) -> None:
    host = urlsplit(viewer.url).netloc
    assert upgrade(viewer, Origin=f"http://{host}") == 101
    assert upgrade(viewer, Origin="http://evil.example") == 403
    assert upgrade(viewer, Origin="http://[") == 403
    assert upgrade(viewer) == 403, "a browser always says where it comes from"


@pytest.mark.parametrize("token", ["opensesame", "two words & more?#ü", None])
def test_nobody_looks_without_the_token(control, token: str | None) -> None:
    viewer = WebViewer(control, "127.0.0.1", 0, token)
    try:
        host, shown = urlsplit(viewer.url).netloc, viewer.url.split("?token=")[1]
        assert shown.isascii()
        assert unquote(shown) == (token or viewer._gate.token)
        assert len(shown) >= 10
        for path in ("/", "/page.js", f"/?token={shown[:-1]}", "/?token=", "/?token=%FF"):
            assert get(viewer, path, Cookie="").status == 401, path
        assert upgrade(viewer, Origin=f"http://{host}", Cookie="") == 403
        let_in = get(viewer, f"/?token={shown}", Cookie="")
        assert (let_in.status, let_in.headers["Location"]) == (303, "/"), "the token leaves the address"
        assert let_in.headers["Referrer-Policy"] == "no-referrer"
        cookie = let_in.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert shown not in cookie, "a cookie is no token"
        assert get(viewer, Cookie=cookie.split(";")[0]).status == 200
        assert get(viewer, Cookie=f"{viewer._gate.cookie}={quote(viewer._gate.token)}").status == 401
        assert upgrade(viewer, Origin=f"http://{host}", Cookie=cookie.split(";")[0]) == 101
    finally:
        viewer.close()


def test_who_guesses_is_not_heard_any_more_and_locks_out_nobody_who_is_in(viewer) -> None:
    shown = viewer.url.split("?token=")[1]
    statuses = [get(viewer, f"/?token=guess{n}", Cookie="").status for n in range(TRIES + 2)]
    assert statuses == [401] * TRIES + [429] * 2
    assert get(viewer, f"/?token={shown}", Cookie="").status == 429, "nor is it told whether it was right"
    assert get(viewer).status == 200


def test_tries_are_counted_in_all_too_and_forgotten_after_a_while(monkeypatch) -> None:
    gate, now_s = Gate("0.0.0.0", "right"), 1000.0
    monkeypatch.setattr("echo_rt.viewer.gate.time", SimpleNamespace(monotonic=lambda: now_s))

    def status(token: str, address: str) -> int:
        asked = SimpleNamespace(headers={"host": "x"}, cookies={}, query_params={"token": token})
        refusal = gate.refusal(SimpleNamespace(**vars(asked), client=SimpleNamespace(host=address)))
        return 200 if refusal is None else refusal.status

    assert [status("wrong", f"10.0.0.{n}") for n in range(ALL_TRIES + 1)] == [401] * ALL_TRIES + [429]
    assert status("right", "10.1.1.1") == 429
    now_s += TRIES_S
    assert status("right", "10.1.1.1") == 200
    assert len(gate._tries) <= ADDRESSES


def test_a_snapshot_in_a_while_is_written_and_not_a_thousand() -> None:
    allowance = Allowance(20, 60.0)
    assert [allowance.take() for _ in range(1000)].count(True) == 20


@pytest.mark.skipif(sys.platform == "win32", reason="counts open files as Unix does")
def test_a_thousand_half_open_connections_keep_nobody_out_and_fill_no_log(viewer, control, capfd) -> None:
    import resource

    at = urlsplit(viewer.url)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = WAITING + ACCEPTED + 1100 + 200
    if limits[1] < room:
        pytest.skip(f"needs {room} open files, this system allows {limits[1]}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(room, limits[0]), limits[1]))
    half_open = []
    try:
        for number in range(1100):
            half_open.append(socket.create_connection(("127.0.0.1", at.port), timeout=5))
            if number % 2:
                half_open[-1].sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert get(viewer).status == 200, "one more takes the place of the oldest"
        connected = viewer._server.server_state.connections
        assert len(connected) <= WAITING + ACCEPTED
    finally:
        for connection in half_open:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(capfd.readouterr().err) < 4000


def test_what_is_said_of_errors_is_a_line_and_few_of_them(caplog, monkeypatch) -> None:
    log = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(log, "filters", [])
    make_server(None)
    make_server(None)
    assert len(log.filters) == 1
    for _ in range(1000):
        log.error("in the application", exc_info=ValueError("of the page"))
    assert len(caplog.records) == LINES
    assert caplog.records[0].getMessage() == "echo-rt: the page: ValueError: of the page"
    assert caplog.records[0].exc_info is None


HEADS = st.binary(max_size=200) | st.builds(
    lambda method, path, headers: b"\r\n".join([method + b" " + path + b" HTTP/1.1", *headers, b"", b""]),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"TRACE", b"G\0T"]),
    st.sampled_from([b"/", b"/feed", b"/page.js", b"/?token=x", b"/%00", b"//[", b"*", b"/" + b"x" * HEAD_BYTES]),
    st.lists(
        st.sampled_from(
            [
                b"Host: 127.0.0.1", b"Host: [", b"Host: localhost:99999", b"Host: ", b"Origin: http://[",
                b"Cookie: =;=\xff",
                b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: x",
                b"Content-Length: 1000000000", b"Transfer-Encoding: chunked", b"X: " + b"y" * HEAD_BYTES,
            ]
        ),
        max_size=6,
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADS)
def test_whatever_is_asked_is_refused_and_the_page_goes_on(viewer, asked: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(viewer.url).port), timeout=5) as stranger:
        stranger.sendall(asked)
        stranger.shutdown(socket.SHUT_WR)
        answer = b""
        while found := _received(stranger):
            answer += found
    status = int(answer.split(b" ")[1]) if answer else 400
    assert 400 <= status < 500, answer
    assert get(viewer).status == 200


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def test_which_addresses_are_this_machines_alone() -> None:
    assert all(is_local(host) for host in ("127.0.0.1", "localhost", "::1", "127.8.0.1"))
    assert not any(is_local(host) for host in ("0.0.0.0", "192.168.1.4", "::", "localhost.evil.example", ""))


def test_a_port_that_is_taken_is_one_line(control) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(
            OutputError, match=r"expected to serve on 127.0.0.1 port \d+, found: .*in use; choose another --port"
        ):
            open_viewer("web", control, port=taken.getsockname()[1])
    with pytest.raises(ParameterError, match="expected a view of window, web, none"):
        open_viewer("hologram", control)


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium (Debian: chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    yield opened
    opened.close()
    assert opened.problems == []


def until_text(page, selector: str, expected: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_have_text(expected, timeout=10_000)


def show_all(viewer: WebViewer) -> LiveUpdate:
    for update in readings():
        viewer.show(update)
    return readings()[-1]


def test_the_browser_sees_the_ef_change_and_sees_it_again_after_a_reload(viewer, page) -> None:
    last = show_all(viewer)
    page.goto(viewer.url)
    until_text(page, "#ef-percent", f"{last.reading.ef.percent:.0f}")
    page.wait_for_function(
        "document.getElementById('picture').width > 300 && document.getElementById('image').classList.contains('has')"
    )
    assert page.locator("#wall li").count() == 6
    viewer.show(with_ef(last, 31))
    until_text(page, "#ef-percent", "31")
    page.reload()
    until_text(page, "#ef-percent", "31")
    assert page.locator("#beats li").count() >= 2


def test_a_stale_figure_and_a_lost_source_never_look_current(viewer, page) -> None:
    from playwright.sync_api import expect

    last = show_all(viewer)
    page.goto(viewer.url)
    expect(page.locator("#figures")).to_have_attribute("data-ef", "good", timeout=10_000)
    expect(page.locator("#ef-check")).to_be_in_viewport()
    viewer.show(with_ef(last, 44, stale=True))
    expect(page.locator("#figures")).to_have_attribute("data-ef", "stale")
    until_text(page, "#ef-note", "not current: last good beat 9 s ago")
    viewer.show(as_phase(last, Phase.LOST, "no frame for 2 s; trying again in 4 s"))
    expect(page.locator("#figures")).to_have_attribute("data-ef", "old")
    expect(page.locator("#banner")).to_contain_text("Source lost")
    expect(page.locator("#banner")).to_contain_text("trying again in 4 s")
    until_text(page, "#hr", "–")
    assert "line-through" in page.evaluate("getComputedStyle(document.getElementById('ef-percent')).textDecorationLine")
    viewer.show(LiveUpdate(None, None, RUNNING))
    expect(page.locator("#figures")).to_have_attribute("data-ef", "none")


def test_the_buttons_ask_for_what_they_say(viewer, control, page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    last = show_all(viewer)
    page.goto(viewer.url)
    expect(page.locator("#phase-text")).to_have_text("running", timeout=10_000)
    page.click("#freeze")
    page.wait_for_timeout(100)
    viewer.show(as_phase(last, Phase.FROZEN))
    expect(page.locator("#freeze")).to_have_text("Go on")
    page.click("#freeze")
    page.click("#reset")
    page.click("#run")
    viewer.show(as_phase(last, Phase.STOPPED))
    expect(page.locator("#run")).to_have_text("Start")
    page.click("#run")
    page.select_option("#source", "/dev/video0")
    page.click("#snapshot")
    until_text(page, "#note", f"written: {tmp_path / 'snapshot.png'}")
    assert control.calls == [
        ("freeze", True),
        ("freeze", False),
        "reset",
        "stop",
        "start",
        ("select", "/dev/video0"),
        "snapshot",
    ]


def test_a_program_that_has_gone_shows_on_the_page(control, page) -> None:
    from playwright.sync_api import expect

    viewer = WebViewer(control, "127.0.0.1", 0, None)
    show_all(viewer)
    page.goto(viewer.url)
    expect(page.locator("#figures")).to_have_attribute("data-ef", "good", timeout=10_000)
    viewer.close()
    expect(page.locator("#banner")).to_contain_text("No connection to echo-rt", timeout=10_000)
    expect(page.locator("#figures")).to_have_attribute("data-ef", "old")


def test_a_browser_that_never_answers_holds_up_nobody(viewer) -> None:
    at = urlsplit(viewer.url)
    with socket.create_connection(("127.0.0.1", at.port), timeout=5) as deaf:
        deaf.sendall(
            f"GET /feed HTTP/1.1\r\nHost: {at.netloc}\r\nOrigin: http://{at.netloc}\r\n"
            f"Cookie: {viewer._gate.cookie}={viewer._gate.secret}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )
        done = threading.Event()

        def show() -> None:
            show_all(viewer)
            done.set()

        threading.Thread(target=show, daemon=True).start()
        assert done.wait(5)
        time.sleep(0.2)
        assert get(viewer).status == 200, "others are served"
