"""The folder of one recording's results: all of them, or none.

Everything is written in a hidden folder beside the real one, ``DIR/.<name>.part``, and moved over when all of it is
there. A new folder appears in a single step. Into an older one the files are moved one by one; its summary.json goes
first and the new one comes last, so that files with a summary.json beside them are always those of one run.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.errors import OutputError, ParameterError, output_errors
from echo_rt.outputs.locks import is_at, locked
from echo_rt.outputs.owner import SUMMARY, UNKNOWN, Owner, owner_of
from echo_rt.outputs.reports import REPORTS
from echo_rt.private import check_links, check_mine, close_file, make_folder

if TYPE_CHECKING:
    from typing_extensions import Self

TABLE, MASKS, OVERLAY, CURVE = "readings.csv", "masks.npz", "overlay.mp4", "curve.png"
REPORT_FILES = tuple(file for report in REPORTS.values() for file in (report.file, report.beside) if file is not None)
FILES = (TABLE, MASKS, OVERLAY, CURVE, *REPORT_FILES, SUMMARY)
"""What a result folder can hold, in the order in which it is moved there. Whatever else lies in it belongs to the
user."""

AT_WORK = ".recording.json"
"""In the hidden folder: the recording whose results are being written."""

LOCK_S = 0.3
"""How long a lock is waited for: whoever looks who is at work holds it for a moment."""


def name_of_part(entry: str) -> str | None:
    """Of which results a hidden folder of that name is in the making; None for any other folder."""
    return entry[1:-5] if len(entry) > 6 and entry.startswith(".") and entry.endswith(".part") else None


def at_work(part: Path) -> Owner | None:
    """The recording for which another run holds a hidden folder; None where no run does: it was killed."""
    try:
        handle = locked(part, shared=True)
    except BlockingIOError:
        return Owner.read(part / AT_WORK) or Owner(UNKNOWN, "")
    except OSError:
        return None
    if handle is not None:
        os.close(handle)
    return None


class Folder:
    """The results of one recording in the making. Leaving it without `commit` removes them, and leaves an earlier
    result as it was.

    Args:
        out: the folder of all recordings, made where it is missing.
        name: of the recording: one part of a path.
        recording: whose results these are; those of another are not replaced. None replaces any.

    Attributes:
        path: where the results will be, ``out/name``.
        part: where they are written until then; on the same file system, so that moving them is a matter of names.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(self, out: str | os.PathLike[str], name: str, recording: str | None = None) -> None:
        if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
            raise ParameterError(f"expected a name for the results without slashes, such as 'clip', found {name!r}")
        self.path = Path(out) / name
        self.part = Path(out) / f".{name}.part"
        self._recording = recording
        self._lock: int | None = None
        self._open = False

    def __enter__(self) -> Self:
        """Make the hidden folder, without what a killed run may have left in it.

        Raises:
            OutputError: it cannot be made, another run is writing the same results, or those of another recording
                are there.
        """
        with output_errors(self.path):
            # Now rather than after minutes of work.
            check_links(self.path)
            if self.path.exists() and not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file of that name")
            if self.path.exists() and not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._lock = self._take_lock()
            self._open = True
            try:
                self._empty()
                if self._recording is not None:
                    self._claim(self._recording)
            except OSError:
                self._release()
                raise
        return self

    def _claim(self, recording: str) -> None:
        """Say who is at work here, unless what is there belongs to another."""
        if (owner := owner_of(self.path)) is not None and not owner.is_(recording):
            raise OutputError(
                f"{self.path}: expected no results or those of {recording}, found those of {owner.recording}; "
                "choose another name, or another folder"
            )
        Owner.named(recording).write(self.file(AT_WORK))

    def file(self, name: str) -> Path:
        """Where to write the file of that name."""
        return self.part / name

    def commit(self) -> None:
        """Move what was written to its place. All files must be closed.

        Raises:
            OutputError: that is refused.
        """
        with output_errors(self.path):
            self.file(AT_WORK).unlink(missing_ok=True)
            for written in self.part.iterdir():
                close_file(written)
            check_links(self.path)
            if not self.path.exists():
                os.rename(self.part, self.path)
            else:
                (self.path / SUMMARY).unlink(missing_ok=True)
                for name in FILES:
                    if self.file(name).exists():
                        os.replace(self.file(name), self.path / name)
                    else:
                        # Of an earlier run that made more than this one: it would pass for a part of this result.
                        (self.path / name).unlink(missing_ok=True)
        self._release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._open:
            # What cannot be removed now is removed by the next run; the error on its way is worth more than this one.
            shutil.rmtree(self.part, ignore_errors=True)
            self._open = False
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _empty(self) -> None:
        for leftover in self.part.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()

    def _take_lock(self) -> int | None:
        """Make the hidden folder and hold it."""
        until = time.monotonic() + LOCK_S
        while True:
            make_folder(self.part)
            check_mine(self.part)
            with suppress(BlockingIOError):
                handle = locked(self.part)
                # Another run may have moved it to its place between the two steps.
                if handle is None or is_at(handle, self.part):
                    return handle
                os.close(handle)
            if time.monotonic() > until:
                raise OutputError(
                    f"{self.path}: expected to be alone in writing there, found another echo-rt at it; "
                    "wait for it, or choose another folder"
                )
            time.sleep(LOCK_S / 10)
