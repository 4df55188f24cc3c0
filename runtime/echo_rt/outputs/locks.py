"""Locks on folders: the system lets go of them when whoever holds one ends, however that was."""

from __future__ import annotations

import os
from pathlib import Path


def locked(folder: Path, *, shared: bool = False) -> int | None:
    """A descriptor that holds a folder until it is closed, or the process ends; None where there are no locks.

    Raises:
        BlockingIOError: another one holds it.
        OSError: it cannot be opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where an open file cannot be replaced by another run anyway
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # some network file systems have no locks
        os.close(handle)
        return None
    return handle


def is_at(handle: int, path: Path) -> bool:
    """Whether a path still leads to what is held."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
