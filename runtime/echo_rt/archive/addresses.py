"""Addresses of what lies elsewhere, such as ``s3://bucket/folder``, and the file systems of fsspec behind them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from echo_rt.errors import EchoRtError, MissingExtraError, ParameterError, SourceError, first_line

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PASSWORD = re.compile(r"[^/]*://[^/@]*:[^/]*@")
_SECRET = re.compile(r"[?&](x-amz-\w+|x-goog-\w+|sig|signature|token|password|secret|key)=", re.IGNORECASE)

MAGIC = re.compile(r"[*?[]")
"""What makes a name a pattern."""

OBJECT_STORES = frozenset("s3 s3a gs gcs az abfs abfss memory".split())
"""An object is there when all of it was sent. Elsewhere a file is written beside, and then moved to its name."""

_NO_FILES = frozenset("http https rtsp rtsps udp igtl".split())

AGAIN = "check the network, the server and your keys, then run the same command again"


def scheme_of(text: str) -> str | None:
    """The scheme of an address of fsspec, in small letters; None of a path."""
    found = _SCHEME.match(text)
    return None if found is None or os.path.exists(text) else found[1].lower()


def remote(text: str) -> str:
    """An address that has a scheme, as it is written everywhere: without ``/`` at its end.

    Raises:
        ParameterError: it holds a secret, nothing is known of its scheme, or it names no place.
    """
    found = _SCHEME.match(text)
    if found is None:
        raise ParameterError(
            f"{text}: expected an address such as s3://bucket/folder, found a path; check its spelling"
        )
    scheme = found[1].lower()
    if _PASSWORD.match(text) or _SECRET.search(text):
        # Not a word of the address itself: this line goes to logs.
        raise ParameterError(
            f"{scheme}://...: expected an address without a secret, found a password or key in it; "
            "give it by the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    file_system_class(scheme)
    place = text[found.end() :].rstrip("/")
    if not place:
        raise ParameterError(f"{text}: expected a place such as {scheme}://bucket/folder, found none; name it")
    if scheme in OBJECT_STORES and MAGIC.search(place.partition("/")[0]):
        raise ParameterError(f"{text}: expected one bucket, found a pattern for several; name the bucket")
    return f"{scheme}://{place}"


def file_system_class(scheme: str) -> Any:
    """The class of fsspec for a scheme.

    Raises:
        ParameterError: fsspec knows none, or the package behind it is not installed.
        MissingExtraError: fsspec is not installed.
    """
    try:
        from fsspec import get_filesystem_class
    except ModuleNotFoundError:
        raise MissingExtraError("echo-rt archive", "archive") from None
    try:
        if scheme in _NO_FILES:
            raise ValueError
        return get_filesystem_class(scheme)
    except ValueError:
        raise ParameterError(
            f"{scheme}://: expected a path or an address that starts with s3://, gs://, az:// or sftp://, "
            f"found {scheme}://; check its spelling"
        ) from None
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or "its package"
        raise ParameterError(
            f"{scheme}://: expected the package that reaches it, found that {package} is not installed; "
            f"run  pip install {package}"
        ) from None


def file_system(address: str) -> tuple[Any, str]:
    """The file system behind an address, and the path there. Nothing that it lists is kept: others write there too.

    Ask for it anew instead of keeping it: fsspec has one a process, and none of them outlives a fork.

    Raises:
        SourceError: the server cannot be reached.
    """
    scheme = scheme_of(address) or "file"
    kind = file_system_class(scheme)
    options = {"host_key_policy": _known_hosts_only()} if scheme in ("sftp", "ssh") else {}
    with remote_errors(address):
        files = kind(**kind._get_kwargs_from_urls(address), **options)
    files.dircache.use_listings_cache = False
    return files, str(kind._strip_protocol(address))


def address_of(address: str, root: str, path: str) -> str:
    """The address of a path in a file system, given an address there and its path `root`."""
    above = address[: -len(root)] if root and address.endswith(root) else f"{address.partition('://')[0]}://"
    return above + path


@cache
def _known_hosts_only() -> Any:
    """A policy of paramiko: fsspec alone would take any machine for the server that was meant."""
    from paramiko import HostKeys, MissingHostKeyPolicy, SSHException

    def missing_host_key(self: Any, client: Any, hostname: str, key: Any) -> None:
        known = HostKeys()
        path = Path.home() / ".ssh" / "known_hosts"
        if path.is_file():
            known.load(str(path))
        if not known.check(hostname, key):
            raise SSHException(f"the key of {hostname} is not in {path}: connect once with ssh, and compare it")

    return type("KnownHostsOnly", (MissingHostKeyPolicy,), {"missing_host_key": missing_host_key})


@contextmanager
def remote_errors(address: str) -> Iterator[None]:
    """Turn whatever a store's library raises into a `SourceError`; FileNotFoundError and PermissionError stay.

    Raises:
        SourceError: the network or the store fails; the address is named.
    """
    try:
        yield
    except (EchoRtError, FileNotFoundError, PermissionError, FileExistsError):
        raise
    except Exception as error:  # each library has its own, and not all are OSErrors
        found = getattr(error, "strerror", None) or first_line(error)
        raise SourceError(f"{address}: expected an answer, found: {found}; {AGAIN}") from error
