"""A recording as a path: where it lies, or a copy on this machine for as long as it is followed."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from echo_rt.archive.addresses import remote_errors, scheme_of
from echo_rt.archive.remote import RemoteTree
from echo_rt.errors import SourceError, SourceNotFoundError
from echo_rt.outputs.locks import is_at, locked
from echo_rt.sources.known import is_visible
from echo_rt.sources.trees import Entry, join

PREFIX = "echo-rt-fetch-"

RESERVE_BYTES = 2**28
"""Of the disk for copies that stay free: other programs need some, and other workers copy at the same time."""

NAME_BYTES = 200
"""Of the name of a copy: an object's name may be longer than a disk takes."""

HEADER_BYTES = 2**16

_NAMED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
"""Where the header of a MetaImage or of an NRRD names the file of its samples."""


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """The path of a recording. Of one that lies elsewhere it is a copy under the same name, removed afterwards.

    The copy's folder is for its owner alone. It lies in the system's folder for such files, which TMPDIR sets. What a
    killed process left there is removed by the next one. A ``phantom:`` address is given back as it is.

    Raises:
        SourceNotFoundError: there is nothing at that address.
        SourceError: it could not be copied here: the network failed, it may not be read, or there is no room for it.
    """
    if scheme_of(address) is None:
        yield Path(address)
        return
    _sweep()
    try:
        folder, lock = _own_folder()
    except OSError as error:
        raise _no_room(address, error.strerror or "it cannot be written to") from error
    try:
        yield _copy(address, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _own_folder() -> tuple[Path, int | None]:
    """A new folder of mode 0700 and the lock on it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(BlockingIOError, FileNotFoundError):  # another process swept it away before it was locked
            lock = locked(folder)
            if lock is None or is_at(lock, folder):
                return folder, lock
            os.close(lock)


def named(text: str, path: Path, address: str) -> str:
    """A message about a copy, with the recording's own address in place of the copy's."""
    return text.replace(str(path), address) if str(path) != address else text


def _copy(address: str, folder: Path) -> Path:
    try:
        tree = RemoteTree(address)
        entry = tree.info(tree.root)
        target = folder / _file_name(address)
        parts = _parts(tree, entry, target)
        _check_room(address, sum(part.size for part in parts))
        if entry.folder:
            target.mkdir(mode=0o700)
        tree.together(lambda part: _copy_file(tree, part), parts)
        if target.suffix.lower() in (".mhd", ".nhdr") and not entry.folder:
            _copy_samples(tree, target)
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceNotFoundError(
            f"{address}: expected a recording, found nothing there; check the address, and whether it was moved"
        ) from None
    except PermissionError as error:
        found = f"that it may not be read ({error.strerror or error})"
        raise SourceError(f"{address}: expected a recording, found {found}; check the keys or the rights") from error
    return target


class _Part(NamedTuple):
    """A file of a recording: its path elsewhere, its copy, and its bytes."""

    path: str
    copy: Path
    size: int


def _parts(tree: RemoteTree, entry: Entry, target: Path) -> list[_Part]:
    """The files of the recording at the root of a tree: one, or those of a folder."""
    if not entry.folder:
        return [_Part(tree.root, target, entry.size)]
    inside = [one for one in tree.entries(tree.root) if is_visible(one.name) and not one.folder]
    if not inside:
        raise FileNotFoundError(tree.root)
    return [_Part(join(tree.root, one.name), target / _file_name(one.name), one.size) for one in inside]


def _check_room(address: str, size: int) -> None:
    room = shutil.disk_usage(tempfile.gettempdir()).free - RESERVE_BYTES
    if size > room:
        raise _no_room(address, f"{max(room, 0) / 1e6:,.0f} MB for {size / 1e6:,.0f} MB")


def _copy_file(tree: RemoteTree, part: _Part) -> None:
    address = tree.address(part.path)
    try:
        with remote_errors(address):
            tree.files.get_file(part.path, str(part.copy))
    except OSError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(address, "that it is full") from error
        raise
    if (found := part.copy.stat().st_size) < part.size:
        raise SourceError(f"{address}: expected {part.size:,} bytes, found {found:,}; run the same command again")


def _copy_samples(tree: RemoteTree, header: Path) -> None:
    """Copy the file that a header names, when it lies beside it; reading the header says when it is missing."""
    with header.open("rb") as file:
        match = _NAMED.search(file.read(HEADER_BYTES))
    name = match[1].decode("utf-8", "replace").strip().replace("\\", "/").rpartition("/")[2] if match else "LOCAL"
    if name.upper() in ("LOCAL", "LIST") or "%" in name or name in ("", ".", ".."):
        return
    path = join(tree.root.rpartition("/")[0], name)
    with suppress(FileNotFoundError):
        part = _Part(path, header.parent / name, tree.info(path).size)
        _check_room(tree.address(path), part.size)
        _copy_file(tree, part)


def _file_name(address: str) -> str:
    """The last part of an address as the name of a file of ours: its suffix stays, for the readers that look at it."""
    name = address.rstrip("/").rpartition("/")[2].replace("\0", "_").replace("\\", "_")
    if name in ("", ".", ".."):
        return "recording"
    if len(os.fsencode(name)) <= NAME_BYTES:
        return name
    suffix = "".join(Path(name).suffixes[-2:])[-20:]
    return os.fsencode(name)[: NAME_BYTES - len(os.fsencode(suffix))].decode("utf-8", "ignore") + suffix


def _no_room(address: str, found: str) -> SourceError:
    where = tempfile.gettempdir()
    return SourceError(
        f"{address}: expected room for a copy in {where}, found {found}; free some, or set TMPDIR to another folder"
    )


@cache
def _sweep() -> None:
    """Remove the copies of processes that were killed; once a process, for one that was killed gets a successor."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if (lock := locked(folder)) is not None:  # whoever copies holds it
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
