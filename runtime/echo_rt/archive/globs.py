"""Globs, by the rules of Python's `glob` with ``**``, in any tree and a folder at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import translate

from echo_rt.archive.addresses import MAGIC
from echo_rt.sources.trees import Entry, Tree, join


def fixed(path: str) -> tuple[str, str]:
    """A path up to its first part that is a pattern, and from there on; nothing where it is no glob."""
    if (magic := MAGIC.search(path)) is None:
        return path, ""
    above, slash, _ = path[: magic.start()].rpartition("/")
    return above or slash, path[len(above + slash) :]


def matches(tree: Tree, folder: str, parts: list[str]) -> Iterator[tuple[str, Entry]]:
    """What a glob leads to from a folder on, given its parts between slashes."""
    part, rest = parts[0], parts[1:]
    if part == "**" and rest:
        yield from matches(tree, folder, rest)
    elif part == "**":
        yield folder, Entry("", True)
    for path, entry in _named(tree, folder, part):
        if part == "**" and entry.folder:
            if not entry.link:
                yield from _below(tree, path) if not rest else matches(tree, path, parts)
        elif not rest:
            yield path, entry
        elif entry.folder and part != "**":
            yield from matches(tree, path, rest)


def _below(tree: Tree, folder: str) -> Iterator[tuple[str, Entry]]:
    """All files below a folder."""
    for path, entry in _named(tree, folder, "**"):
        if not entry.folder:
            yield path, entry
        elif not entry.link:
            yield from _below(tree, path)


def _named(tree: Tree, folder: str, part: str) -> Iterator[tuple[str, Entry]]:
    """What lies in a folder under names like one part of a glob; hidden files only where it begins with a dot."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        if not MAGIC.search(part):
            yield join(folder, part), tree.info(join(folder, part))
            return
        like = re.compile(translate(part))
        for entry in tree.entries(folder):
            if like.match(entry.name) and (part.startswith(".") or not entry.name.startswith(".")):
                yield join(folder, entry.name), entry
