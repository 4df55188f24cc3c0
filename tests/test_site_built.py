"""The site as it is built: without a warning or a broken link, for everybody, and without a fetch from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import SIZES, barriers, browser, overflow_px
from support.web import web

check_links = pytest.importorskip("check_links")
pytest.importorskip("mkdocs")

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("index.html", "meaning.html", "reference/commands.html", "reference/python.html", "reference/model-file.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built; a warning of MkDocs is a failure."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with browser() as found:
        yield found


def test_every_link_leads_somewhere_and_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    assert not [*check_links.broken(site)]


def test_public_names_stand_on_the_site_with_what_they_are(site: Path) -> None:
    places = check_links.Html((site / "reference" / "python.html").read_text(encoding="utf-8")).places
    assert {"echo_rt.process", "echo_rt.stream", "echo_rt.RecordingResult.to_dict", "echo_rt.SEGMENTS"} <= places
    assert "echo_rt.SourceError" in check_links.Html((site / "reference" / "errors.html").read_text()).places


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here"></a><a href="b.html#there"></a><a href="b.html"></a><a href="c.html"></a>'
        '<a href="https://host/"></a><script src="https://host/a.js"></script><img src="missing.png">'
    )
    (tmp_path / "b.html").write_text("<p>")
    assert [*check_links.broken(tmp_path)] == [
        "a.html: b.html#there leads to no place on its page",
        "a.html: c.html leads to no file",
        "a.html: fetches https://host/a.js",
        "a.html: missing.png leads to no file",
    ]


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desk", "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_nobody_out_and_fits_its_window(
    name: str, size: str, scheme: str, site: Path, opened: Any
) -> None:
    width, height = SIZES[size]
    asked: list[str] = []
    with web(site) as address:
        page = opened.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/{name}")
        page.wait_for_load_state("networkidle")
        found, wider_px = barriers(page), overflow_px(page)
        page.close()
    assert not found, "\n".join(found)
    assert wider_px == 0
    assert all(url.startswith((f"{address}/", "data:")) for url in asked), asked


def test_the_search_finds_a_figure(site: Path, opened: Any) -> None:
    with web(site) as address:
        page = opened.new_page()
        page.goto(f"{address}/index.html")
        page.click("input.md-search__input")
        page.type("input.md-search__input", "ejection")  # key by key: it is keys that the search waits for
        page.wait_for_selector(".md-search-result__item a[href*='meaning.html']")
        page.close()
