"""What an archive holds: from what a user named to single recordings, one after the other.

Nothing here grows with the archive, so a recording that two sources hold is given twice. The order depends on names
alone. A recording elsewhere costs no request of its own where its name tells what it is. Any other costs one of 132
bytes (of a volume 36 KiB), with 32 under way at a time. Each takes 1.3 ms of a processor: 100,000 take two minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from echo_rt.archive.addresses import file_system, remote, remote_errors, scheme_of
from echo_rt.archive.globs import fixed, matches
from echo_rt.archive.places import Place
from echo_rt.archive.remote import RemoteTree, files_at
from echo_rt.errors import EchoRtError, ParameterError, SourceError, SourceNotFoundError
from echo_rt.sources import is_feed
from echo_rt.sources.known import DICOMDIR
from echo_rt.sources.trees import TOGETHER, Entry, Found, LocalTree, Tree, join, search, whole_folder


class Listed(NamedTuple):
    """A recording, or what a user took for one.

    Attributes:
        address: an absolute path without links in it, an address of fsspec, or ``phantom:?...``.
        size: bytes, of a folder those of its files; 0 of what is missing.
        version: another one means another content; empty of what is missing.
    """

    address: str
    size: int
    version: str


def listed(sources: Sequence[str], results: Place | None = None) -> Iterator[Listed]:
    """The recordings in these sources; which files are recordings, `trees.search` says.

    - A file stands for itself, and a folder for what is in it.
    - A glob stands for its matches, here or elsewhere; ``**`` goes through folders.
    - A DICOMDIR stands for the folder it lies in: a file that it has forgotten is found as well.
    - ``@FILE`` stands for the lines of a text file, here or elsewhere: a source each. Empty lines and those that begin
      with ``#`` are left out.
    - An address such as ``s3://bucket/folder`` stands for a file, a folder or a glob there.
    - ``phantom:?ef=55`` stands for itself.

    What is missing, or holds nothing, is given too: fetching it says so.

    Args:
        sources: as a user typed them.
        results: a folder that is left out of all others.

    Raises:
        ParameterError: at once: a source is a live feed, lies in `results`, holds a secret, or cannot be reached from
            here for want of a package. Of a line in a list: when its turn comes.
        SourceNotFoundError: there is no such list.
        SourceError: a store cannot be asked; what was given before is right.
    """
    for source in sources:
        _check(source, results)
    return (found for source in sources for found in _of(source, results))


def _check(source: str, results: Place | None) -> None:
    if (name := _list_name(source)) is not None:
        if scheme_of(name) is not None:
            remote(name)
        elif not os.path.isfile(name):
            expected = "expected a text file with a source a line"
            raise SourceNotFoundError(f"{source}: {expected}, found no file {name}; check its spelling")
        return
    if _is_phantom(source):
        return
    if not _path(source):
        raise ParameterError(f"{source!r}: expected a source, found an empty name; give a folder, such as archive")
    if is_feed(source):
        raise ParameterError(f"{source}: expected recordings, found a live feed; use `echo-rt live`")
    address = os.path.realpath(_path(source)) if _is_here(source) else remote(source)
    if results is not None and _is_within(address, _address(results)):
        found = f"found it in the folder of the results, {results.address}"
        raise ParameterError(f"{source}: expected recordings, {found}; choose another folder for the results")


def _list_name(source: str) -> str | None:
    return source[1:] if source.startswith("@") and not os.path.exists(source) else None


def _is_phantom(source: str) -> bool:
    return source.lower().startswith("phantom:") and not os.path.exists(source)


def _is_here(source: str) -> bool:
    return scheme_of(source) in (None, "file", "local")


def _path(source: str) -> str:
    """The path of what is here, written plainly or as ``file://``."""
    return source.partition("://")[2] if scheme_of(source) in ("file", "local") else source


def _address(results: Place) -> str:
    return results.address if results.local is None else os.path.realpath(results.address)


def _is_within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _of(source: str, results: Place | None) -> Iterator[Listed]:
    """What one source stands for."""
    if (name := _list_name(source)) is not None:
        yield from _of_list(name, results)
    elif _is_phantom(source):
        yield Listed(source, 0, source)
    elif _is_here(source):
        path = _path(source)
        root, pattern = (path, "") if os.path.exists(path) else fixed(path.replace(os.sep, "/"))
        root = os.path.realpath(root).replace(os.sep, "/")
        but = None if results is None or results.local is None else _address(results).replace(os.sep, "/")
        for found in _expand(LocalTree(), join(root, pattern) if pattern else root, but):
            # The same recording has one address, however a link or a glob led to it.
            winding = found.link or pattern or ".." in found.path
            yield Listed(os.path.realpath(found.path) if winding else os.path.normpath(found.path), *found[1:3])
    else:
        tree = RemoteTree(remote(source))
        but = None if results is None or results.local is not None else tree.path_of(results.address)
        for found in _expand(tree, tree.root, but):
            yield Listed(tree.address(found.path), found.size, found.version)


def _of_list(name: str, results: Place | None) -> Iterator[Listed]:
    """What the lines of a list stand for; files elsewhere are asked about many at a time."""
    lines = _lines(name)
    while some := list(islice(lines, TOGETHER)):
        for number, line in some:
            _check_line(f"@{name}, line {number}", line, results)
        known = files_at([remote(line) for _, line in some if _may_be_file_elsewhere(line)])
        for _, line in some:
            if (address := line if _is_here(line) else remote(line)) in known:
                yield Listed(address, *known[address][1:3])
            else:
                yield from _of(line, results)


def _check_line(where: str, line: str, results: Place | None) -> None:
    try:
        if _list_name(line) is not None:
            raise ParameterError(f"{line}: expected a source, found a list in a list; name it by itself")
        _check(line, results)
    except EchoRtError as error:
        raise ParameterError(f"{where}: {error}") from error


def _may_be_file_elsewhere(line: str) -> bool:
    return not (_is_here(line) or fixed(line)[1] or line.upper().endswith(DICOMDIR))


def _lines(name: str) -> Iterator[tuple[int, str]]:
    """The lines of a list that name something, with their numbers."""
    with _opened(name) as opened, TextIOWrapper(opened, "utf-8-sig", "surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if (text := line.strip()) and not text.startswith("#"):
                yield number, text


def _opened(name: str) -> Any:
    if scheme_of(name) is None:
        return Path(name).open("rb")
    address = remote(name)
    with remote_errors(address):
        files, path = file_system(address)
        return files.open(path, "rb")


def _expand(tree: Tree, path: str, but: str | None) -> Iterator[Found]:
    """What a path or a glob stands for in a tree; itself where that is nothing."""
    found = False
    for at, entry in _at(tree, path):
        for one in _stands_for(tree, at, entry, but):
            found = True
            yield one
    if not found:
        try:
            yield whole_folder(tree, path)
        except OSError as error:
            if isinstance(error, SourceError):
                raise
            yield Found(path, 0, "")


def _at(tree: Tree, path: str) -> Iterator[tuple[str, Entry]]:
    """What a path or a glob leads to."""
    try:
        return iter([(path, tree.info(path))])
    except PermissionError:
        return iter(())
    except FileNotFoundError:
        root, pattern = fixed(path)
        return matches(tree, root, [part for part in pattern.split("/") if part]) if pattern else iter(())


def _stands_for(tree: Tree, path: str, entry: Entry, but: str | None) -> Iterator[Found]:
    if but is not None and _is_within(path, but):
        return
    if not entry.folder and entry.name.upper() == DICOMDIR:
        path, entry = path.rpartition("/")[0], Entry("", True)
    if entry.folder:
        yield from search(tree, path, but)
    else:
        yield Found(path, entry.size, entry.version, entry.link)
