"""The page, in a real browser where there is one, and who may look at it."""

from __future__ import annotations

import dataclasses
import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from echo_rt.errors import OutputError, ParameterError
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.viewer import open_viewer
from echo_rt.viewer.state import Trace, figures

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer.gate import is_local
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
    at = urlsplit(viewer.url)
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


def test_the_figures_are_those_of_the_reading_and_are_json() -> None:
    update = readings()[-1]
    said = json.loads(json.dumps(figures(update), allow_nan=False))
    assert said["reading"]["ef_percent"] == pytest.approx(update.reading.ef.percent, abs=0.05)
    assert said["current"]
    assert len(said["reading"]["wall"]) == 6
    assert said["dropped"] == {"engine busy": 3}


@pytest.mark.parametrize("phase", [Phase.LOST, Phase.STOPPED, Phase.OPENING, Phase.ENDED])
def test_figures_of_before_are_not_current_while_no_frames_are_read(phase: Phase) -> None:
    assert not figures(as_phase(readings()[-1], phase))["current"]


def test_the_trace_has_every_beat_and_the_curve_of_the_last_seconds() -> None:
    trace = Trace()
    for update in readings():
        trace.add(update)
        trace.add(update)  # shown twice, counted once
    said = trace.to_dict()
    assert len(said["curve"]) == len(readings())
    assert len(said["beats"]) == sum(update.reading.beat is not None for update in readings())
    assert said["beats"][0]["t_ed_s"] < said["beats"][-1]["t_ed_s"]
    trace.add(LiveUpdate(None, None, RUNNING))
    assert trace.to_dict()["curve"] == [], "a reset begins afresh"


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
    assert get(viewer, Host="evil.example").status == 401
    assert upgrade(viewer, Host="evil.example", Origin="http://evil.example") == 403


def test_another_page_may_not_open_the_socket(viewer) -> None:
    host = urlsplit(viewer.url).netloc
    assert upgrade(viewer, Origin=f"http://{host}") == 101
    assert upgrade(viewer, Origin="http://evil.example") == 403
    assert upgrade(viewer) == 403, "a browser always says where it comes from"


def test_with_a_token_nobody_looks_without_it(control) -> None:
    viewer = WebViewer(control, "127.0.0.1", 0, "opensesame")
    try:
        host = urlsplit(viewer.url).netloc
        assert viewer.url.endswith("?token=opensesame")
        for path in ("/", "/page.js", "/?token=opensesam", "/?token="):
            assert get(viewer, path).status == 401, path
        assert upgrade(viewer, Origin=f"http://{host}") == 403
        let_in = get(viewer, "/?token=opensesame")
        assert (let_in.status, let_in.headers["Location"]) == (303, "/"), "the token leaves the address"
        cookie = let_in.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert get(viewer, Cookie=cookie.split(";")[0]).status == 200
        assert upgrade(viewer, Origin=f"http://{host}", Cookie=cookie.split(";")[0]) == 101
    finally:
        viewer.close()


def test_a_page_that_others_can_reach_always_has_a_token(control) -> None:
    viewer = WebViewer(control, "0.0.0.0", 0, None)
    try:
        assert len(viewer.url.split("?token=")[1]) >= 16
        assert get(viewer).status == 401
    finally:
        viewer.close()


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
