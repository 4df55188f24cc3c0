"""What stands on a page of a report: its elements, its words, and its numbers with where they are from."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest

CELLS = ("td", "th", "p", "li", "dt", "dd", "h1", "h2", "small", "text", "figcaption")
"""Elements whose words stand apart from those of the next one."""


class Data(NamedTuple):
    """A number of a page: its place in summary.json, its value there, and as it is printed."""

    key: str
    value: float
    text: str


class Page(HTMLParser):
    """Reads a page.

    Attributes:
        tags: every element, with its attributes.
        words: all its text, with single spaces.
        data: its numbers.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[Data] = []
        self._words: list[str] = []
        self._open: str | None = None
        self._number: tuple[str, float] | None = None
        self.feed(html)
        self.close()

    @property
    def words(self) -> str:
        return " ".join("".join(self._words).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "data":
            said = dict(attrs)
            self._number = str(said["data-key"]), float(said["value"] or "nan")

    def handle_endtag(self, tag: str) -> None:
        self._open = None
        if tag in CELLS:
            self._words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._open in ("style", "script"):
            return
        self._words.append(data)
        if self._number is not None:
            self.data.append(Data(*self._number, data))
            self._number = None


def at(told: dict[str, Any], key: str) -> Any:
    """What summary.json holds at a key with points between."""
    found: Any = told
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def can_print() -> bool:
    """Whether Pango is installed, which draws the letters of a PDF."""
    try:
        import weasyprint
    except OSError:
        return False
    return bool(weasyprint)


needs_pango = pytest.mark.skipif(not can_print(), reason="no Pango (Debian: libpango-1.0-0 libpangoft2-1.0-0)")
