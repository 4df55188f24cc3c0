"""A server that speaks S3 over HTTP, on a free port of this machine, for as long as a test needs it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.request import Request, urlopen

import pytest

BUCKET = "echo"


@contextmanager
def s3_server(bucket: str = BUCKET) -> Iterator[str]:
    """The address of a new, empty bucket, such as ``s3://echo``.

    This process, and those that it starts meanwhile, find the server by the variables of the environment that AWS's
    libraries look at.
    """
    pytest.importorskip("s3fs", reason="needs s3fs: pip install s3fs")
    server = pytest.importorskip("moto.server", reason="needs an S3 server: pip install 'moto[server]'")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else it has a line for every request
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    given = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with patch.dict(os.environ, given):
            # All servers of a process share what they hold.
            urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=30).close()
            _forget_servers()
            files(bucket).mkdir(bucket)
            yield f"s3://{bucket}"
    finally:
        _forget_servers()
        running.stop()


def files(bucket: str = BUCKET):  # type: ignore[no-untyped-def]
    """The file system of fsspec that the program uses, too."""
    from echo_rt.archive.addresses import file_system

    return file_system(f"s3://{bucket}")[0]


def _forget_servers() -> None:
    """Let fsspec read the environment again: it keeps one file system a process."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
