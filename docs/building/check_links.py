"""Follow every link of a built site: `python docs/building/check_links.py build/site`.

A link leads to a file of the site, and to a place on it that is there. What a page fetches by itself lies in the site.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src", "link": "href"}
"""What a browser fetches without being asked, but for the address that a page says of itself."""


class Html(HTMLParser):
    """The places of a page, and what it leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = {"", "top"}
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.places |= {of[name] for name in ("id", "name") if name in of}
        link = of.get(FETCHED.get(tag, "href"))
        if link is not None and of.get("rel") != "canonical":
            (self.fetched if tag in FETCHED else self.links).append(link)


def broken(site: Path) -> Iterator[str]:
    """Each link that leads nowhere, and each file that is fetched from elsewhere, a line each."""
    site = site.resolve()
    pages = {path: Html(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in dict.fromkeys((*page.links, *page.fetched)):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.fetched and parts.scheme != "data":
                    yield f"{path.relative_to(site)}: fetches {link}"
                continue
            start = site if parts.path.startswith("/") else path.parent
            target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{path.relative_to(site)}: {link} leads to no file"
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{path.relative_to(site)}: {link} leads to no place on its page"


if __name__ == "__main__":
    found = [*broken(Path(sys.argv[1]))]
    print("\n".join(found) or "every link leads somewhere")
    sys.exit(bool(found))
