"""Folders of recordings and of results: on this machine, or wherever fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_rt.errors import MissingExtraError, output_errors
from echo_rt.private import make_folder


@dataclass(frozen=True)
class Place:
    """A folder, by its address: a path, or ``s3://bucket/prefix`` and the like. It can be sent to another process.

    Names in it are relative, with ``/``.
    """

    address: str

    @property
    def local(self) -> Path | None:
        """Where it is on this machine; None elsewhere."""
        return None if "://" in self.address else Path(self.address)

    def read(self, name: str) -> bytes:
        """A file.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
        """
        return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole or not at all, in place of what was there.

        Raises:
            OutputError: it cannot be written.
        """
        with output_errors(self._path(name)):
            if (folder := self.local) is None:
                self._files.pipe_file(self._path(name), content)
                return
            from echo_rt.model.user_cache import written

            path = folder / name
            make_folder(path.parent)
            os.replace(written(path, content), path)

    def names(self, below: str = "") -> Iterator[str]:
        """The names of all files below a name, a folder at a time; none where there is nothing."""
        root = self._path(below)
        for folder, _, files in self._files.walk(root):
            inside = str(folder).rstrip("/")[len(self._files._strip_protocol(self.address).rstrip("/")) + 1 :]
            yield from (f"{inside}/{name}".lstrip("/") for name in files if not str(name).startswith("."))

    def delete(self, name: str) -> None:
        """Remove a file; nothing happens where there is none.

        Raises:
            OutputError: it cannot be removed.
        """
        with output_errors(self._path(name)):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self.address.rstrip('/')}/{name}".rstrip("/")

    @property
    def _files(self) -> Any:
        """The file system behind it; fsspec keeps one for each kind."""
        try:
            import fsspec
        except ModuleNotFoundError:
            raise MissingExtraError("echo-rt archive", "archive") from None
        return fsspec.core.url_to_fs(self.address)[0]
