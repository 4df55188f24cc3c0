"""The live page keeps nobody out: a checker of accessibility finds nothing on it, at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette")
from support.browser import SIZES, barriers, browser, overflow_px
from support.looking import readings


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("size", SIZES)
def test_the_live_page_keeps_nobody_out(size: str, viewer: Any, opened: Any) -> None:
    width, height = SIZES[size]
    page = opened.new_page(viewport={"width": width, "height": height})
    for update in readings():
        viewer.show(update)
    page.goto(viewer.url)
    page.wait_for_selector("#foremost li")
    page.click("#more summary")
    page.wait_for_selector("#others li")
    found, wider_px = barriers(page), overflow_px(page)
    page.close()
    assert not found, "\n".join(found)
    assert wider_px == 0
