"""Who may look at the page, and what a stranger can cost."""

from __future__ import annotations

import logging
import socket
import sys
import time
from types import SimpleNamespace
from urllib.parse import quote, unquote, urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer.gate import ADDRESSES, ALL_TRIES, TRIES, TRIES_S, Allowance, Gate, is_local
from echo_rt.viewer.serving import ACCEPTED, LINES, WAITING, make_server
from echo_rt.viewer.web import WebViewer
from support.page import get, upgrade


def test_the_page_is_whole_in_itself_and_may_load_nothing_from_elsewhere(viewer) -> None:
    for path in ("/", "/page.js", "/measures.js", "/trends.js", "/parts.js", "/page.css"):
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
    assert upgrade(viewer, Host=host, Origin=f"http://{host}") == 400


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
        assert upgrade(viewer, Origin=f"http://{host}", Cookie="") == 401
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
            if number % (ACCEPTED // 2) == 0:
                time.sleep(0.01)  # what the system has no room for it tries again a second later
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
    make_server(None, {}, lambda scope: False)
    make_server(None, {}, lambda scope: False)
    assert len(log.filters) == 1
    for _ in range(1000):
        log.error("in the application", exc_info=ValueError("of the page"))
    assert len(caplog.records) == LINES
    assert caplog.records[0].getMessage() == "echo-rt: the page: ValueError: of the page"
    assert caplog.records[0].exc_info is None


def test_what_is_said_of_errors_cannot_speak_to_a_terminal_or_begin_a_line(caplog, monkeypatch) -> None:
    log = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(log, "filters", [])
    make_server(None, {}, lambda scope: False)
    log.error("in the application", exc_info=ValueError("\x1b[2J" + "x" * 5000))
    log.error("of \r\n%s", "\u202ea stranger")
    said = [record.getMessage() for record in caplog.records]
    assert [line.isprintable() for line in said] == [True, True]
    assert max(map(len, said)) < 2000
    assert said[1] == r"echo-rt: the page: of \r\n\u202ea stranger"


def test_which_addresses_are_this_machines_alone() -> None:
    assert all(is_local(host) for host in ("127.0.0.1", "localhost", "::1", "127.8.0.1"))
    assert not any(is_local(host) for host in ("0.0.0.0", "192.168.1.4", "::", "localhost.evil.example", ""))
