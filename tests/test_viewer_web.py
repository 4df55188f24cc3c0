"""The page, in a real browser where there is one."""

from __future__ import annotations

import dataclasses
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from echo_rt.errors import OutputError, ParameterError
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.viewer import open_viewer

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer.web import WebViewer
from support.browser import browser as chromium
from support.browser import watched_page
from support.looking import RUNNING, as_phase, readings
from support.page import get


def with_ef(update: LiveUpdate, percent: float, stale: bool = False) -> LiveUpdate:
    assert update.reading is not None
    ef = dataclasses.replace(
        update.reading.ef, percent=percent, stale=stale, reason="last good beat 9 s ago" if stale else None
    )
    return dataclasses.replace(update, reading=dataclasses.replace(update.reading, ef=ef))


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
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser):
    with watched_page(browser, 1280, 800) as opened:
        yield opened


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


def with_measure(update: LiveUpdate, name: str, **more: Any) -> LiveUpdate:
    assert update.reading is not None
    rolling = update.reading.rolling
    found = tuple(
        dataclasses.replace(figure, **more) if figure.measure.name == name else figure for figure in rolling.measures
    )
    rolling = dataclasses.replace(rolling, measures=found)
    reading = dataclasses.replace(update.reading, rolling=rolling, t_s=update.reading.t_s + 0.01)
    return dataclasses.replace(update, reading=reading)


def test_the_foremost_measures_stand_beside_ef_and_the_others_are_folded_away(viewer, page) -> None:
    from playwright.sync_api import expect

    last = show_all(viewer)
    strain = last.reading.rolling["ls_a4c"]
    page.goto(viewer.url)
    row = page.locator("#foremost li", has_text="Longitudinal strain")
    expect(row.locator("b")).to_have_text(f"−{-strain.value:.1f} %", timeout=10_000)
    expect(row).to_contain_text("± ")
    expect(page.locator("#foremost")).to_be_in_viewport(ratio=1)
    expect(page.locator("#others li").first).not_to_be_visible()
    page.click("#more summary")
    slow = page.locator("#others li", has_text="a', lateral")
    expect(slow).to_contain_text("–")
    expect(slow).to_contain_text("needs 40 frames a second, found 30")
    assert page.locator("#trends li").count() == 3
    painted = page.evaluate(
        "[...document.querySelectorAll('#trends canvas')].map((canvas) => new Uint32Array("
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer).some((pixel) => pixel))"
    )
    assert painted == [True] * 3
    weak = with_measure(last, "ls_a4c", value=-9.2)
    viewer.show(weak)
    expect(row).to_have_class("outside")
    expect(row).to_contain_text("◆ outside the usual ≤ −16.7")
    viewer.show(with_measure(weak, "ls_a4c", value=None, reason="the reason"))
    expect(row).to_contain_text("the reason")
    expect(row.locator("b")).to_have_text("–")


def test_measures_look_stale_as_ef_does_and_an_irregular_rhythm_is_said(viewer, page) -> None:
    from playwright.sync_api import expect

    last = show_all(viewer)
    page.goto(viewer.url)
    figure, lined = page.locator("#foremost li b").first, re.compile("line-through")
    expect(figure).not_to_have_css("text-decoration", lined, timeout=10_000)
    expect(page.locator("#rhythm")).to_be_hidden()
    viewer.show(with_ef(last, 44, stale=True))
    expect(figure).to_have_css("text-decoration", lined)
    expect(page.locator("#hr")).to_have_css("text-decoration", lined)
    viewer.show(last)
    expect(figure).not_to_have_css("text-decoration", lined)
    viewer.show(as_phase(last, Phase.LOST))
    expect(figure).to_have_css("text-decoration", lined)
    rolling = dataclasses.replace(last.reading.rolling, irregular=True, rr_variation_percent=18.0)
    reading = dataclasses.replace(last.reading, rolling=rolling, t_s=last.reading.t_s + 0.01)
    viewer.show(dataclasses.replace(last, reading=reading))
    said = f"irregular rhythm: mean ± SD of {rolling['ls_a4c'].beats} beats; their lengths vary by 18 %"
    expect(page.locator("#rhythm")).to_contain_text(said)


def test_a_phone_shows_all_of_it_in_its_width(viewer, browser) -> None:
    show_all(viewer)
    phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    phone.goto(viewer.url)
    phone.wait_for_selector("#foremost li")
    phone.tap("#more summary")
    phone.wait_for_selector("#others li")
    cut = phone.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth)"
        ".map((one) => one.outerHTML)"
    )
    assert cut == []
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    tops = phone.evaluate(
        "['ef', 'foremost', 'curve', 'trends', 'beats'].map((id) => document.getElementById(id).offsetTop + "
        "document.getElementById(id).getBoundingClientRect().top)"
    )
    assert tops == sorted(tops), "EF first"
    phone.close()


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
