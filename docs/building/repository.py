"""Links between the pages of docs/ and other files of the repository, which GitHub follows as they are.

A file that a page links to becomes a page, or a file, of the site: docs/ is its top, and all else keeps its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]

LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")


def of_site(path: str) -> str:
    """Where a file of the repository stands in the site."""
    return path.removeprefix("docs/")


def of_repository(uri: str) -> str:
    """Where a page of the site stands in the repository."""
    return f"docs/{uri}" if (ROOT / "docs" / uri).exists() else uri


def _target(link: str, page: str) -> str | None:
    """The file that a link on a page of the repository leads to; None where it leads to none."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = normpath(join(dirname(page), parts.path))
    return path if not path.startswith("..") and (ROOT / path).is_file() else None


def linked(pages: Iterable[str]) -> list[str]:
    """The files beside docs/ that these pages of the repository lead to, from page to page."""
    found: dict[str, None] = {}
    waiting = list(pages)
    while waiting:
        page = waiting.pop()
        for link in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            target = _target(link, page)
            if target is not None and not target.startswith("docs/") and target not in found:
                found[target] = None
                waiting += [target] if target.endswith(".md") else []
    return list(found)


def in_site(text: str, uri: str) -> str:
    """The text of a page of the site, its links as they lead there."""
    page = of_repository(uri)

    def moved(link: re.Match[str]) -> str:
        target = _target(link[0], page)
        if target is None:
            return link[0]
        anchor = urlsplit(link[0]).fragment
        return relpath(of_site(target), dirname(uri) or ".") + (f"#{anchor}" if anchor else "")

    return LINK.sub(moved, text)
