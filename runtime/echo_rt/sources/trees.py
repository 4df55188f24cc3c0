"""The recordings in a tree of folders, on a disk or elsewhere, one after the other: no list of all is ever held."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol

from echo_rt.errors import SourceError
from echo_rt.sources.known import (
    ARCHIVE,
    RECORDING,
    RESULT,
    by_head,
    by_name,
    head_bytes,
    is_numbered_image,
    is_visible,
)
from echo_rt.sources.limits import open_regular

HELD = 1000
"""Entries of a folder that are looked at before any is given; of a larger one, the marks are asked for by name."""

TOGETHER = 128
"""Files whose first bytes are asked for at a time, where those decide."""


class Entry(NamedTuple):
    """What lies in a folder.

    Attributes:
        version: another one means another content: an ETag, or size and time. Empty of folders.
        link: whether it is a symbolic link. Folders behind links are not searched: they may lead in a circle.
    """

    name: str
    folder: bool
    size: int = 0
    version: str = ""
    link: bool = False


class Found(NamedTuple):
    """A recording in a tree: a file, or a folder that is one; with the bytes and the version of all of it."""

    path: str
    size: int
    version: str
    link: bool = False


class Tree(Protocol):
    """Folders and files, by paths with ``/``."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """What lies in a folder, in the order of `place_in_order`.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
        """

    def info(self, path: str) -> Entry:
        """What is at a path.

        Raises:
            FileNotFoundError: there is nothing.
            OSError: nobody can say.
        """

    def heads(self, files: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """The first so many bytes of each of these files; None of one that cannot be read."""


def place_in_order(entry: Entry) -> str:
    """Sorts as an object store does: by name, where a folder's ends in ``/``."""
    return f"{entry.name}/" if entry.folder else entry.name


def join(folder: str, name: str) -> str:
    """The path of what lies in a folder."""
    return f"{folder.rstrip('/')}/{name}"


class LocalTree:
    """The folders of this machine."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """See `Tree`."""
        with os.scandir(folder) as found:
            names = sorted((Entry(e.name, e.is_dir(), link=e.is_symlink()) for e in found), key=place_in_order)
        return (entry if entry.folder else _with_version(join(folder, entry.name), entry) for entry in names)

    def info(self, path: str) -> Entry:
        """See `Tree`."""
        if not os.path.exists(path):  # False, too, for a path that the system refuses
            raise FileNotFoundError(path)
        entry = Entry(os.path.basename(path), os.path.isdir(path), link=os.path.islink(path))
        return entry if entry.folder else _with_version(path, entry)

    def heads(self, files: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """See `Tree`."""
        return [_head(*file) for file in files]


def _with_version(path: str, entry: Entry) -> Entry:
    try:
        stat = os.stat(path)
    except OSError:  # a link to nowhere, or gone meanwhile: opening it says so
        return entry
    return entry._replace(size=stat.st_size, version=version_of(stat.st_size, stat.st_mtime_ns))


def _head(path: str, size: int) -> bytes | None:
    try:
        with open_regular(Path(path)) as file:
            return file.read(size)
    except OSError:
        return None


def version_of(size: int, changed: int | str) -> str:
    """The version of a file without an ETag: it has another size or time when it was written anew."""
    return f"{size}-{changed}"


def search(tree: Tree, folder: str, but: str | None = None) -> Iterator[Found]:
    """The recordings in a folder and in those below it, in an order that depends on names alone.

    - Known by their name: videos, DICOM. By their first bytes: DICOM of any other name, and whether NIfTI, MetaImage
      or NRRD has more than one frame.
    - A folder with numbered images alone is one recording, and so is one that `echo-rt live --record` made.
    - Hidden files, DICOMDIR, masks, single images and results of echo-rt are left out, and the folder `but`.
    - A folder that cannot be read is given as if it were one, so that opening it says why.

    Raises:
        SourceError: a network gave up.
    """
    try:
        entries: Iterator[Entry] = (entry for entry in tree.entries(folder) if is_visible(entry.name))
        first = list(islice(entries, HELD))
    except FileNotFoundError:
        return
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        yield Found(folder, 0, "")
        return
    marks = {entry.name for entry in first if not entry.folder}
    if len(first) == HELD:
        marks |= {mark for mark in (RECORDING, ARCHIVE, *RESULT) if _is_there(tree, join(folder, mark))}
    entries = chain(first, entries)
    if RECORDING in marks:
        yield _whole(folder, entries)
    elif ARCHIVE not in marks:
        yield from _inside(tree, folder, entries, results=marks >= RESULT, but=but)


def _is_there(tree: Tree, path: str) -> bool:
    try:
        return not tree.info(path).folder
    except (FileNotFoundError, PermissionError):
        return False


def _inside(tree: Tree, folder: str, entries: Iterator[Entry], results: bool, but: str | None) -> Iterator[Found]:
    images: _Sum | None = _Sum()
    waiting: list[Entry] = []
    for entry in entries:
        if images is not None and not entry.folder and is_numbered_image(entry.name):
            images.add(entry)
            continue
        if entry.folder and join(folder, entry.name) == but:
            continue
        images = None
        if entry.folder:
            yield from _decided(tree, folder, waiting)
            waiting = []
            if not entry.link:
                yield from search(tree, join(folder, entry.name), but)
        elif not results and by_name(entry.name) is not False:
            waiting.append(entry)
            if len(waiting) == TOGETHER:
                yield from _decided(tree, folder, waiting)
                waiting = []
    yield from _decided(tree, folder, waiting)
    if images is not None and images.files > 1:
        yield images.found(folder)


def _decided(tree: Tree, folder: str, files: list[Entry]) -> Iterator[Found]:
    """Those files of one folder that are recordings."""
    unsure = [entry for entry in files if by_name(entry.name) is None]
    heads = tree.heads([(join(folder, entry.name), min(head_bytes(entry.name), entry.size)) for entry in unsure])
    left_out = {entry.name for entry, head in zip(unsure, heads, strict=True) if not by_head(entry.name, head)}
    for entry in files:
        if entry.name not in left_out:
            yield Found(join(folder, entry.name), entry.size, entry.version, entry.link)


class _Sum:
    """Size and version of the files of a folder that is one recording."""

    def __init__(self) -> None:
        self.files, self._size, self._digest = 0, 0, hashlib.sha256()

    def add(self, entry: Entry) -> None:
        self.files += 1
        self._size += entry.size
        self._digest.update(f"{entry.name}\0{entry.size}\0{entry.version}\0".encode("utf-8", "surrogateescape"))

    def found(self, folder: str) -> Found:
        return Found(folder, self._size, self._digest.hexdigest()[:32] if self.files else "")


def _whole(folder: str, entries: Iterator[Entry]) -> Found:
    total = _Sum()
    for entry in entries:
        if not entry.folder:
            total.add(entry)
    return total.found(folder)


def whole_folder(tree: Tree, folder: str) -> Found:
    """A folder as one recording, whatever is in it; its version is empty where that is nothing.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
    """
    return _whole(folder, (entry for entry in tree.entries(folder) if is_visible(entry.name)))
