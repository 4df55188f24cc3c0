"""The folders of a file system of fsspec, as a `Tree`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from echo_rt.archive.addresses import address_of, file_system, remote_errors
from echo_rt.errors import EchoRtError
from echo_rt.sources.trees import Entry, Found, place_in_order, version_of

AT_ONCE = 32
"""Requests under way at a time, of a file system that can."""

_ETAGS = ("ETag", "etag", "generation", "md5Hash")
_TIMES = ("LastModified", "mtime", "updated", "last_modified", "created")

Given = TypeVar("Given")
Answer = TypeVar("Answer")


class RemoteTree:
    """All that can be reached beside one address. Paths are those of the file system, without a scheme."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.files, self.root = file_system(address)

    def address(self, path: str) -> str:
        """The address of a path."""
        return address_of(self._address, self.root, path)

    def path_of(self, address: str) -> str | None:
        """The path of another address; None where it is not in this file system."""
        with suppress(EchoRtError):
            path = RemoteTree(address).root
            return path if self.address(path) == address else None
        return None

    def info(self, path: str) -> Entry:
        """See `Tree`."""
        with remote_errors(self.address(path)):
            return _entry({**self.files.info(path), "name": path})

    def entries(self, folder: str) -> Iterator[Entry]:
        """See `Tree`. Of S3 one page is held at a time, of other stores one folder."""
        with remote_errors(self.address(folder)):
            if not hasattr(self.files, "call_s3"):
                found = (self._followed(folder, one) for one in self.files.ls(folder, detail=True))
                return iter(sorted((one for one in found if one is not None), key=place_in_order))
        return self._pages(folder)

    def _pages(self, folder: str) -> Iterator[Entry]:
        """One level of a bucket, in its own order. The first page is asked for when the first entry is."""
        bucket, key, _ = self.files.split_path(folder)
        prefix = f"{key}/" if key else ""
        page: dict[str, Any] = {"NextContinuationToken": None}
        while "NextContinuationToken" in page:
            more = {"ContinuationToken": token} if (token := page["NextContinuationToken"]) else {}
            with remote_errors(self.address(folder)):
                page = self.files.call_s3(
                    "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", **more, **self.files.req_kw
                )
            files = [_entry({**one, "name": one["Key"], "size": one["Size"]}) for one in page.get("Contents", ())]
            folders = [Entry(_last(one["Prefix"][:-1]), True) for one in page.get("CommonPrefixes", ())]
            # An object that is named as its folder is what consoles make of an empty folder.
            inside = [file for file, one in zip(files, page.get("Contents", ()), strict=True) if one["Key"] != prefix]
            yield from sorted((one for one in (*inside, *folders) if one.name), key=place_in_order)

    def _followed(self, folder: str, found: dict[str, Any]) -> Entry | None:
        path = str(found["name"]).rstrip("/")
        if path == folder.rstrip("/") or not _last(path):
            return None
        if found.get("type") != "link":
            return _entry(found)
        try:
            return _entry({**self.files.info(path), "name": path})._replace(link=True)
        except OSError:  # it leads to nowhere: opening it says so
            return Entry(_last(path), False, link=True)

    def heads(self, files: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """See `Tree`: a request each, of the bytes alone that are needed."""
        return self.together(self._head, files)

    def _head(self, file: tuple[str, int]) -> bytes | None:
        path, size = file
        if size == 0:
            return b""
        try:
            with remote_errors(self.address(path)):
                return bytes(self.files.cat_file(path, start=0, end=size))
        except (FileNotFoundError, PermissionError):
            return None

    def together(self, ask: Callable[[Given], Answer], about: Sequence[Given]) -> list[Answer]:
        """The answers to requests, in order; several are under way at once where the file system can."""
        if len(about) < 2 or not self.files.async_impl:
            return [ask(one) for one in about]
        with ThreadPoolExecutor(min(AT_ONCE, len(about))) as pool:
            return list(pool.map(ask, about))


def files_at(addresses: Sequence[str]) -> dict[str, Found]:
    """Those of these addresses that are files: as many as `TOGETHER` can be asked for about as fast as one."""
    of: dict[int, list[tuple[RemoteTree, str]]] = {}
    for address in addresses:
        tree = RemoteTree(address)
        of.setdefault(id(tree.files), []).append((tree, address))
    found = {}
    for known in of.values():
        for (tree, address), entry in zip(known, known[0][0].together(_file_at, known), strict=True):
            if entry is not None:
                found[address] = Found(tree.root, entry.size, entry.version)
    return found


def _file_at(known: tuple[RemoteTree, str]) -> Entry | None:
    with suppress(FileNotFoundError, PermissionError):
        entry = known[0].info(known[0].root)
        return None if entry.folder else entry
    return None


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _entry(info: dict[str, Any]) -> Entry:
    name, size = _last(str(info["name"]).rstrip("/")), int(info.get("size") or 0)
    if info.get("type") == "directory":
        return Entry(name, True)
    for key in _ETAGS:
        if info.get(key):
            return Entry(name, False, size, str(info[key]).strip('"'))
    changed = next((info[key] for key in _TIMES if info.get(key)), "")
    if isinstance(changed, datetime):
        changed = str(changed.timestamp())
    return Entry(name, False, size, version_of(size, str(changed)))
