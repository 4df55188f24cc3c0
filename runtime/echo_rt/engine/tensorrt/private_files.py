"""Files of this user's cache folder that are known again by a seal.

A seal is an HMAC-SHA256 under a random key that the folder's owner alone may read. What cannot be kept, or belongs to
somebody else, is an OutputError.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sys
from pathlib import Path

from echo_rt.errors import output_errors
from echo_rt.model import user_cache
from echo_rt.model.user_cache import check_owner, written

_KEY_BYTES = 32


def cache_folder() -> Path:
    """The folder of this user's engines, for its owner alone; made where it is missing."""
    return user_cache.cache_folder("engines")


def tag(data: bytes, key: bytes) -> bytes:
    """What seals the data."""
    return hmac.digest(key, data, "sha256")


def write_sealed(path: Path, data: bytes, key: bytes) -> None:
    """Write a file that `read_sealed` takes with the same key."""
    with output_errors(path):
        os.replace(written(path, tag(data, key) + data), path)


def read_sealed(path: Path, key: bytes) -> bytes:
    """What `write_sealed` wrote; nothing where it is missing or not ours."""
    try:
        raw = path.read_bytes()
    except OSError:
        return b""
    seal, data = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
    return data if hmac.compare_digest(seal, tag(data, key)) else b""


def user_key(folder: Path) -> bytes:
    """The key of this user's seals, made at first use, and anew where others could read it: no old seal holds then."""
    path = folder / "seal.key"
    with output_errors(path):
        try:
            check_owner(path)
            key = path.read_bytes()
            # On Windows the folder's access list closes it to others, and the bits mean nothing.
            private = sys.platform == "win32" or path.stat().st_mode & 0o077 == 0
            if len(key) == _KEY_BYTES and private:
                return key
            path.unlink()
        except FileNotFoundError:
            pass
        part = written(path, secrets.token_bytes(_KEY_BYTES))
        try:
            # Unlike a rename, a link never replaces the key that another process made meanwhile.
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return path.read_bytes()


def write_pair(path: Path, data: bytes, beside: Path, record: bytes) -> None:
    """Write both files or, where that fails, neither. Killed half-way, it leaves new data with an old or no record."""
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        leftovers: list[Path] = []
        try:
            leftovers.append(new_data := written(path, data))
            leftovers.append(new_record := written(beside, record))
            os.replace(new_data, path)
            leftovers = [new_record, path, beside]
            os.replace(new_record, beside)
            leftovers = []
        finally:
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)
