"""The node's folder: what came, each file whole and on the disk before it counts; the results; one node at a time."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from echo_rt.errors import OutputError, output_errors
from echo_rt.node.journal import Cine, Journal
from echo_rt.outputs.folder import Folder
from echo_rt.private import check_mine, file_mode, make_folder

RECEIVED, RESULTS, LOCK = "received", "results", ".node.lock"


class Shelf:
    """The folder, its journal and its lock.

    Args:
        folder: made where it is missing.

    Attributes:
        journal: of what came.
        received: the folder of the cines, `SOPInstanceUID.dcm`.
        results: the folder of results, a folder `SOPInstanceUID` for each cine.

    Raises:
        OutputError: it cannot be written to, or another node is at work in it.
    """

    def __init__(self, folder: Path) -> None:
        self.received, self.results = folder / RECEIVED, folder / RESULTS
        with output_errors(folder):
            for each in (folder, self.received, self.results):
                make_folder(each)
                check_mine(each)
            self._lock = _locked(folder)
        try:
            self.journal = Journal(folder)
            with output_errors(folder):
                self._sweep()
            self.journal.restart()
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let go of the journal and the folder."""
        self.journal.close()
        os.close(self._lock)

    def cine(self, uid: str) -> Path:
        """The file of an instance."""
        return self.received / f"{uid}.dcm"

    def keep(self, cine: Cine, parts: Iterable[bytes | memoryview]) -> bool:
        """Store an instance, whose file is these parts; returns whether it is new.

        When it returns, file, name and journal are on the disk. A kill before that leaves nothing that counts.

        Raises:
            OSError, sqlite3.Error: the disk refuses; nothing of it is left.
        """
        part = self.received / f".{cine.uid}.{secrets.token_hex(4)}.part"
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), file_mode())
            with open(handle, "wb") as stream:
                for piece in parts:
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            there = self.cine(cine.uid)
            return self.journal.receive(cine, _placed(part, there), there, time.time())
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def settle(self, uid: str) -> None:
        """Flush the results of an instance to the disk.

        Raises:
            OSError: the disk refuses.
        """
        folder = self.results / uid
        for path in folder.iterdir():
            _flush(path)
        _flush(folder)
        _flush(self.results)

    def forget(self, uid: str) -> None:
        """Remove what a process that died has half written of the results of an instance."""
        shutil.rmtree(Folder(self.results, uid).part, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove files that were never acknowledged: a kill came before they were in the journal."""
        known = self.journal.uids()
        for path in self.received.iterdir():
            if path.name.endswith(".part") or (path.suffix == ".dcm" and path.stem not in known):
                path.unlink()


@contextmanager
def _placed(part: Path, there: Path) -> Iterator[None]:
    os.replace(part, there)
    try:
        _flush(there.parent)
        yield
    except BaseException:
        there.unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk. Windows flushes no folder."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked(folder: Path) -> int:
    """A descriptor that keeps other nodes out of a folder until it is closed, or the process ends."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, file_mode())
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        pass
    except BlockingIOError:
        os.close(handle)
        found = "found another echo-rt node at work in it"
        raise OutputError(f"{folder}: expected to be alone there, {found}; choose another folder") from None
    except OSError:  # some network file systems have no locks
        pass
    return handle
