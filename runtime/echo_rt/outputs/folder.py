"""The folder of one recording's results: all of them, or none.

Everything is written in a hidden folder beside the real one, ``DIR/.<name>.part``, and moved over when all of it is
there. A new folder appears in a single step. Into an older one the files are moved one by one; its summary.json goes
first and the new one comes last, so that files with a summary.json beside them are always those of one run.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt.errors import OutputError, ParameterError, output_errors

if TYPE_CHECKING:
    from typing_extensions import Self

SUMMARY, TABLE, MASKS, OVERLAY, CURVE = "summary.json", "readings.csv", "masks.npz", "overlay.mp4", "curve.png"
FILES = (TABLE, MASKS, OVERLAY, CURVE, SUMMARY)
"""What a result folder can hold, in the order in which it is moved there. Whatever else lies in it belongs to the
user."""


class Folder:
    """The results of one recording in the making. Leaving it without `commit` removes them, and leaves an earlier
    result as it was.

    Args:
        out: the folder of all recordings, made where it is missing.
        name: of the recording: one part of a path.

    Attributes:
        path: where the results will be, ``out/name``.
        part: where they are written until then; on the same file system, so that moving them is a matter of names.

    Raises:
        ParameterError: the name cannot be that of a folder.
    """

    def __init__(self, out: str | os.PathLike[str], name: str) -> None:
        if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
            raise ParameterError(f"expected a name for the results without slashes, such as 'clip', found {name!r}")
        self.path = Path(out) / name
        self.part = Path(out) / f".{name}.part"
        self._lock: int | None = None
        self._open = False

    def __enter__(self) -> Self:
        """Make the hidden folder, without what a killed run may have left in it.

        Raises:
            OutputError: it cannot be made, or another run is writing the same results.
        """
        with output_errors(self.path):
            # Now rather than after minutes of work.
            if self.path.exists() and not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file of that name")
            if self.path.exists() and not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self.part.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
            self._open = True
            try:
                self._empty()
            except OSError:
                self._release()
                raise
        return self

    def file(self, name: str) -> Path:
        """Where to write the file of that name."""
        return self.part / name

    def commit(self) -> None:
        """Move what was written to its place. All files must be closed.

        Raises:
            OutputError: that is refused.
        """
        with output_errors(self.path):
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
        """Hold the hidden folder until its descriptor is closed or the process ends, however it ends."""
        try:
            import fcntl
        except ImportError:  # Windows, where an open file cannot be replaced by another run anyway
            return None
        handle = os.open(self.part, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise OutputError(
                f"{self.path}: expected to be alone in writing there, found another echo-rt at it; "
                "wait for it, or choose another folder"
            ) from None
        except OSError:  # some network file systems have no locks
            os.close(handle)
            return None
        return handle
