"""A real browser where there is one, and what a checker of accessibility says of a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SIZES = {"phone": (390, 844), "desk": (1440, 900)}


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says what is missing."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium (Debian: chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def watched_page(browser: Any, width: int, height: int) -> Iterator[Any]:
    """A page on which no script may fail; `problems` lists what its scripts raised."""
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.problems = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    yield opened
    opened.close()
    assert opened.problems == []


def barriers(page: Any) -> list[str]:
    """What axe-core finds on a page that keeps somebody from using it, a line an element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        f"{found['id']}: {found['help']}: {node['html'][:200]} {' '.join(node['target'])}"
        for found in axe.run(page).response["violations"]
        for node in found["nodes"]
    ]


def overflow_px(page: Any) -> int:
    """By how much a page is wider than its window."""
    found = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(found)
