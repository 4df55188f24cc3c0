"""The page of several feeds: a tile each, the same gate, and behind each tile the page of that feed."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from echo_rt.cardiac.biplane import no_biplane
from echo_rt.errors import ParameterError
from echo_rt.live.status import Phase
from echo_rt.reading import EjectionFraction
from echo_rt.viewer import open_viewers

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from echo_rt.viewer.web import WebPage
from support.browser import browser as chromium
from support.browser import watched_page
from support.looking import StandInControl, as_phase, readings
from support.page import get, upgrade

NAMES = ("theatre", "ward", "dead")


@pytest.fixture
def controls() -> dict[str, StandInControl]:
    return {name: StandInControl() for name in NAMES}


@pytest.fixture
def joined() -> SimpleNamespace:
    return SimpleNamespace(current=no_biplane("waiting"))


@pytest.fixture
def tiles(controls, joined) -> Iterator[WebPage]:
    opened = WebPage(controls, "127.0.0.1", 0, None, joined)
    yield opened
    opened.close()


def show_all(tiles: WebPage) -> None:
    """A heart in the first and the second; nothing yet in the third."""
    for update in readings():
        for viewer in tiles.viewers[:2]:
            viewer.show(update)


def test_each_feed_has_its_page_and_its_socket_behind_the_same_gate(tiles) -> None:
    origin = f"http://{urlsplit(tiles.url).netloc}"
    front, one = get(tiles, "/"), get(tiles, "/1")
    assert "tiles.js" in front.body
    assert "page.js" in one.body
    for path in ("/1", "/2", "/3", "/tiles.js", "/tiles.css"):
        assert get(tiles, path).status == 200, path
        assert get(tiles, path, Cookie="").status == 401, path
    for path in ("/tiles", "/feed/1", "/feed/3"):
        assert upgrade(tiles, path, Origin=origin) == 101, path
        assert upgrade(tiles, path, Origin=origin, Cookie="") == 401, path
        assert upgrade(tiles, path, Origin="http://evil.example") == 403, path
        assert get(tiles, path).status == 403, path
    for path in ("/0", "/4", "/feed", "/feed/4", "/tiles.html", "/index.html"):
        assert get(tiles, path).status == 404, path
        assert upgrade(tiles, path, Origin=origin) in (403, 404), path


def test_a_window_shows_one_feed_and_says_what_shows_several(controls) -> None:
    with pytest.raises(ParameterError, match="expected a view of web or none for several feeds, found 'window'"):
        open_viewers("window", controls)
    assert len(open_viewers("none", controls).each) == 3


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser):
    with watched_page(browser, 1920, 1080) as opened:
        yield opened


def painted(page, place: int) -> None:
    page.wait_for_function(
        "(place) => { const canvas = document.querySelectorAll('.tile canvas')[place];"
        " return new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)"
        ".some((pixel) => pixel & 0xffffff); }",
        arg=place,
    )


def test_every_feed_has_a_tile_with_its_own_picture_figures_and_state(tiles, page) -> None:
    from playwright.sync_api import expect

    show_all(tiles)
    last = readings()[-1]
    page.goto(tiles.url)
    expect(page.locator(".tile")).to_have_count(3, timeout=10_000)
    expect(page.locator(".tile .title b")).to_have_text(list(NAMES))
    first, second, third = (page.locator(".tile").nth(place) for place in range(3))
    expect(first.locator(".ef")).to_have_text(f"{last.reading.ef.percent:.0f}%")
    expect(first).to_contain_text("image usable")
    expect(first).to_contain_text("3 dropped")
    expect(third.locator(".note")).to_have_text("waiting for a picture")
    for place in (0, 1):
        painted(page, place)
    tiles.viewers[1].show(as_phase(last, Phase.LOST, "no frame for 2 s"))
    expect(second).to_have_attribute("data-ef", "old")
    expect(second.locator(".why")).to_contain_text("Source lost")
    expect(second.locator(".why")).to_contain_text("no frame for 2 s")
    expect(second.locator(".ef span").first).to_have_css("text-decoration-line", "line-through")
    expect(first).to_have_attribute("data-ef", "good")
    expect(page.locator("#phase-text")).to_have_text("1 of 3 running")


def test_a_key_and_a_click_open_a_feed_whole_and_what_is_asked_there_reaches_it_alone(tiles, controls, page) -> None:
    from playwright.sync_api import expect

    show_all(tiles)
    last = readings()[-1]
    page.goto(tiles.url)
    expect(page.locator(".tile")).to_have_count(3, timeout=10_000)
    page.keyboard.press("2")
    expect(page.locator("#all")).to_have_text("◂ All feeds · ward", timeout=10_000)
    expect(page.locator("#ef-percent")).to_have_text(f"{last.reading.ef.percent:.0f}")
    page.click("#reset")
    page.wait_for_timeout(300)
    assert [name for name in NAMES if "reset" in controls[name].calls] == ["ward"]
    page.keyboard.press("Escape")
    expect(page.locator(".tile")).to_have_count(3, timeout=10_000)
    page.locator(".tile").first.click()
    expect(page.locator("#all")).to_have_text("◂ All feeds · theatre", timeout=10_000)


def test_the_biplane_ef_stands_above_the_tiles_with_its_reason_or_its_figures(tiles, joined, page) -> None:
    from playwright.sync_api import expect

    page.goto(tiles.url)
    expect(page.locator("#biplane-note")).to_have_text("waiting", timeout=10_000)
    ef = EjectionFraction(52.4, 40.0, 64.0, 4, "biplane")
    joined.current = SimpleNamespace(ef=ef, edv=120.0, esv=57.0, beats=(1, 2, 3, 4), volume_note=None, doubts=())
    expect(page.locator("#biplane-ef")).to_have_text("52")
    expect(page.locator("#biplane")).to_contain_text("40 to 64 %, 4 pairs of beats")
    expect(page.locator("#biplane")).to_contain_text("EDV 120 mL, ESV 57 mL")
    expect(page.locator("#biplane")).to_have_attribute("data-ef", "good")
    old = EjectionFraction(52.4, 40.0, 64.0, 4, "biplane", "A2C: source lost", stale=True)
    joined.current = SimpleNamespace(ef=old, edv=None, esv=None, beats=(1,), volume_note="no volumes", doubts=())
    expect(page.locator("#biplane")).to_have_attribute("data-ef", "stale")
    expect(page.locator("#biplane-note")).to_have_text("not current: A2C: source lost; no volumes")


def test_when_the_program_is_gone_no_tile_looks_current(controls, page) -> None:
    from playwright.sync_api import expect

    tiles = WebPage(controls, "127.0.0.1", 0, None)
    show_all(tiles)
    page.goto(tiles.url)
    expect(page.locator(".tile").first).to_have_attribute("data-ef", "good", timeout=10_000)
    expect(page.locator("#biplane")).to_be_hidden()
    tiles.close()
    expect(page.locator(".tile").first).to_have_attribute("data-ef", "old", timeout=10_000)
    expect(page.locator("#banner")).to_contain_text("No connection to echo-rt")


def test_a_phone_shows_all_tiles_in_its_width_and_a_tap_opens_one(tiles, browser) -> None:
    from playwright.sync_api import expect

    show_all(tiles)
    phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    phone.goto(tiles.url)
    expect(phone.locator(".tile .ef").first).to_contain_text("%", timeout=10_000)
    painted(phone, 0)
    cut = phone.evaluate(
        "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth)"
        ".map((one) => one.outerHTML)"
    )
    assert cut == []
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    expect(phone.locator(".tile").nth(2)).to_be_in_viewport()
    phone.locator(".tile").nth(1).tap()
    expect(phone.locator("#all")).to_have_text("◂ All feeds · ward", timeout=10_000)
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    phone.close()
