"""Files of this user's cache folder: for their owner alone, whole or not there."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from echo_rt.errors import OutputError, output_errors


def cache_folder(name: str) -> Path:
    """A folder in this user's cache, for its owner alone, made where it is missing; OutputError where that fails."""
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("echo-rt", appauthor=False) / name
    except RuntimeError:  # newer releases say so themselves
        folder = Path("~", ".cache") / name
    if not folder.is_absolute():  # a user without a home: "~" would become a folder wherever the program runs
        raise OutputError(f"{folder}: expected the folder of a home, found that this user has none; set XDG_CACHE_HOME")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_owner(folder)
        folder.chmod(0o700)
    return folder


def check_owner(path: Path) -> None:
    """Raise OutputError where a file or folder belongs to another user."""
    if sys.platform != "win32" and (owner := path.stat().st_uid) != os.getuid():
        found = f"expected it to be yours, found it to be that of user {owner}"
        raise OutputError(f"{path}: {found}; remove it or set XDG_CACHE_HOME")


def written(path: Path, data: bytes) -> Path:
    """A new file beside `path` that holds the data, for its owner alone, and is safe on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
