"""Files of this user's cache folder: for their owner alone, whole or not there, and known again by a seal.

A seal is an HMAC-SHA256 under a random key of the folder that its owner alone may read. What cannot be kept, or belongs
to somebody else, is an OutputError.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sys
import tempfile
from pathlib import Path

from echo_rt.errors import OutputError, output_errors

_KEY_BYTES = 32


def cache_folder() -> Path:
    """The folder of this user's engines, for its owner alone; made where it is missing."""
    from platformdirs import user_cache_path

    folder = user_cache_path("echo-rt", appauthor=False) / "engines"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_owner(folder)
        folder.chmod(0o700)
    return folder


def tag(data: bytes, key: bytes) -> bytes:
    """What seals the data."""
    return hmac.digest(key, data, "sha256")


def write_sealed(path: Path, data: bytes, key: bytes) -> None:
    """Write a file that `read_sealed` takes with the same key."""
    with output_errors(path):
        os.replace(_written(path, tag(data, key) + data), path)


def read_sealed(path: Path, key: bytes) -> bytes:
    """What `write_sealed` wrote; nothing where it is missing or not ours."""
    try:
        raw = path.read_bytes()
    except OSError:
        return b""
    seal, data = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
    return data if hmac.compare_digest(seal, tag(data, key)) else b""


def user_key(folder: Path) -> bytes:
    """The key of this user's seals, made at first use, and anew where others could read it: then no old seal holds."""
    path = folder / "seal.key"
    with output_errors(path):
        try:
            _check_owner(path)
            key = path.read_bytes()
            # On Windows the folder's access list closes it to others, and the bits mean nothing.
            private = sys.platform == "win32" or path.stat().st_mode & 0o077 == 0
            if len(key) == _KEY_BYTES and private:
                return key
            path.unlink()
        except FileNotFoundError:
            pass
        part = _written(path, secrets.token_bytes(_KEY_BYTES))
        try:
            # Unlike a rename, a link never replaces the key that another process made meanwhile.
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return path.read_bytes()


def _check_owner(path: Path) -> None:
    if sys.platform != "win32" and (owner := path.stat().st_uid) != os.getuid():
        raise OutputError(
            f"{path}: expected it to be yours, found it to be that of user {owner}; remove it or set XDG_CACHE_HOME"
        )


def write_pair(path: Path, data: bytes, beside: Path, record: bytes) -> None:
    """Write both files or, where that fails, neither. Killed half-way, it leaves new data with an old or no record."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        leftovers: list[Path] = []
        try:
            leftovers.append(_written(path, data))
            leftovers.append(_written(beside, record))
            new_data, new_record = leftovers
            os.replace(new_data, path)
            leftovers = [new_record, path, beside]
            os.replace(new_record, beside)
            leftovers = []
        finally:
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)


def _written(path: Path, data: bytes) -> Path:
    """A file of another name beside `path` that holds the data, for its owner alone, and is safe on the disk."""
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
