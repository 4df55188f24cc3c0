"""Folders of results: on this machine, or wherever fsspec reaches."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from echo_rt.archive.addresses import OBJECT_STORES, file_system, remote, remote_errors, scheme_of
from echo_rt.archive.remote import RemoteTree
from echo_rt.errors import OutputError, ParameterError, SourceError, output_errors
from echo_rt.private import check_links, file_mode, make_folder
from echo_rt.sources.trees import LocalTree, join

LEFT_S = 3600.0
"""A half-written file that is older belongs to nobody any more."""


@dataclass(frozen=True)
class Place:
    """A folder, by its address: an absolute path, or ``s3://bucket/prefix`` and the like.

    It holds nothing but its address, so it can be sent to another process. Names in it are relative, with ``/``.
    """

    address: str

    @property
    def local(self) -> Path | None:
        """Where it is on this machine; None elsewhere."""
        return Path(self.address) if scheme_of(self.address) is None else None

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
        """
        if (folder := self.local) is not None:
            return (folder / name).read_bytes()
        files, root = file_system(self.address)
        with remote_errors(self._named(name)):
            return bytes(files.cat_file(join(root, name)))

    def write(self, name: str, content: bytes, *, new: bool = False) -> None:
        """Put a file there, whole or not at all, in place of what was there.

        Args:
            new: only where there is none; not every store can tell when two write at the same moment.

        Raises:
            FileExistsError: it was to be new, and is there.
            OutputError: it cannot be written; its cause is the system's error.
        """
        if (folder := self.local) is not None:
            if new and (folder / name).exists():
                raise FileExistsError(folder / name)
            self._fill(folder / name, lambda part: part.write(content))
            return
        with self._sending(name) as (files, path):
            if scheme_of(self.address) not in OBJECT_STORES:
                if new and files.exists(path):
                    raise FileExistsError(path)
                _moved(files, path, lambda part: files.pipe_file(part, content))
            else:
                files.pipe_file(path, content, mode="create" if new else "overwrite")

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine there, or the files of a folder; each is there whole or not at all.

        Raises:
            OutputError: it cannot be written; its cause is the system's error.
            OSError: it cannot be read.
        """
        if source.is_dir():
            for inside in sorted(source.iterdir()):
                self.put(inside, f"{name}/{inside.name}")
        elif (folder := self.local) is not None:
            with source.open("rb") as whole:
                self._fill(folder / name, lambda part: shutil.copyfileobj(whole, part, 2**20))
        else:
            with self._sending(name) as (files, path):
                if scheme_of(self.address) in OBJECT_STORES:
                    files.put_file(str(source), path)
                else:
                    _moved(files, path, lambda part: files.put_file(str(source), part))

    def names(self, below: str = "") -> Iterator[str]:
        """The names of all files below a name, in order and one after the other; none where there is nothing.

        Raises:
            OSError: it cannot be listed.
        """
        if (folder := self.local) is not None:
            tree: LocalTree | RemoteTree = LocalTree()
            root = folder.as_posix()
        else:
            tree = RemoteTree(self.address)
            root = tree.root
        yield from _names(tree, root, below.strip("/"))

    def delete(self, name: str) -> None:
        """Remove a file; nothing happens where there is none.

        Raises:
            OutputError: it cannot be removed.
        """
        if (folder := self.local) is not None:
            with output_errors(folder / name):
                (folder / name).unlink(missing_ok=True)
            return
        with self._sending(name) as (files, path), suppress(FileNotFoundError):
            files.rm_file(path)

    def tidy(self) -> None:
        """Remove what killed processes have half written on this machine; whoever writes there now keeps its own.

        Stores of objects throw away by themselves what never became whole.
        """
        if (folder := self.local) is not None:
            for where, _, files in os.walk(folder):
                for name in files:
                    if name.startswith(".") and name.endswith(".part"):
                        with suppress(OSError):
                            if time.time() - os.stat(part := os.path.join(where, name)).st_mtime > LEFT_S:
                                os.unlink(part)

    def _named(self, name: str) -> str:
        return join(self.address, name)

    @contextmanager
    def _sending(self, name: str) -> Iterator[tuple[Any, str]]:
        """The file system and the path of a name; what goes wrong there is an `OutputError`."""
        address = self._named(name)
        try:
            with remote_errors(address):
                files, root = file_system(self.address)
                yield files, join(root, name)
        except FileExistsError:
            raise
        except SourceError as error:
            raise OutputError(str(error)) from (error.__cause__ or error)
        except OSError as error:
            found = error.strerror or str(error) or type(error).__name__
            expected = "expected to write there"
            raise OutputError(f"{address}: {expected}, found: {found}; check the address and who may write") from error

    def _fill(self, path: Path, fill: Callable[[BinaryIO], object]) -> None:
        """Write a file of this machine beside its place, safely on the disk, then move it there."""
        with output_errors(path):
            make_folder(path.parent)
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), file_mode())
            try:
                with open(handle, "wb") as stream:
                    fill(stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                check_links(path.parent)
                os.replace(part, path)
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)


def _moved(files: Any, path: str, fill: Callable[[str], object]) -> None:
    """Write beside a place, then move it there: half a file is never at its name."""
    folder, _, name = path.rpartition("/")
    with suppress(OSError):  # another process may make it at this moment; if nobody could, writing says so
        files.makedirs(folder, exist_ok=True)
    part = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
    try:
        fill(part)
        files.mv(part, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(part)
        raise


def _names(tree: LocalTree | RemoteTree, root: str, below: str) -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in tree.entries(join(root, below).rstrip("/")):
            name = f"{below}/{entry.name}".lstrip("/")
            if entry.name.startswith("."):
                continue
            if not entry.folder:
                yield name
            elif not entry.link:
                yield from _names(tree, root, name)


def open_place(text: str | os.PathLike[str]) -> Place:
    """The folder that a user named, on this machine or elsewhere; nothing is made or asked for yet.

    Raises:
        ParameterError: it is no folder, holds a secret, or what reaches it is not installed.
        MissingExtraError: fsspec is not installed.
    """
    given = os.fspath(text)
    if not given:
        raise ParameterError("expected a folder for the results, found an empty name; give one, such as results")
    scheme = scheme_of(given)
    if scheme in ("file", "local"):
        given, scheme = given.partition("://")[2], None
    if scheme is not None:
        return Place(remote(given))
    path = os.path.abspath(given)
    if os.path.exists(path) and not os.path.isdir(path):
        raise ParameterError(f"{path}: expected a folder for the results, found a file; choose another name")
    return Place(path)
