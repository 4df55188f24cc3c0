"""Patients' results: for their owner alone unless told otherwise, and never through somebody else's link."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from echo_rt.errors import OutputError

SHARED = "ECHO_RT_SHARED"
"""Set to 1, results are for whoever the umask lets read them; `echo-rt --shared` sets it."""

_OTHERS = 0o077
_before: int | None = None


def shared() -> bool:
    """Whether others may read what is written."""
    return os.environ.get(SHARED, "") not in ("", "0")


def folder_mode() -> int:
    """Of a new folder; the umask may close it further."""
    return 0o777 if shared() else 0o700


def file_mode() -> int:
    """Of a new file; the umask may close it further."""
    return 0o666 if shared() else 0o600


def close_to_others() -> None:
    """Let nobody else read what this program writes from now on, unless told otherwise."""
    global _before
    if not shared():
        _before = os.umask(_OTHERS)
        os.umask(_before | _OTHERS)


def share() -> None:
    """The umask decides who may read what this process and its children write."""
    os.environ[SHARED] = "1"
    if _before is not None:
        os.umask(_before)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing.

    Raises:
        OutputError: see `check_links`.
        OSError: it cannot be made.
    """
    check_links(path)
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(folder_mode(), exist_ok=True)
    if not path.is_dir():
        path.mkdir()  # which says what is there instead


def close_file(path: Path) -> None:
    """Let nobody else read a file that was written, unless told otherwise."""
    if not shared():
        path.chmod(0o600)


def write_new(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, in the place of one of that name; it is no link afterwards."""
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode())
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_links(path: Path) -> None:
    """Raise OutputError where a path leads over a link that another user made, who could turn it elsewhere."""
    if sys.platform == "win32":
        return
    for part in (path.absolute(), *path.absolute().parents):
        try:
            found = part.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in (os.getuid(), 0):
            wrong = f"expected a folder or a link of yours, found a link of user {found.st_uid}"
            raise OutputError(f"{part}: {wrong}; name the folder that it leads to, or choose another")


def check_mine(path: Path) -> None:
    """Raise OutputError where a folder to write in is another user's, who could read and change what is in it."""
    if sys.platform != "win32" and (owner := path.lstat().st_uid) != os.getuid():
        raise OutputError(
            f"{path}: expected a folder of yours, found one of user {owner}; remove it, or choose another"
        )
