"""An SFTP server on a free port of this machine, which shows the files of a folder to whoever has its key."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface


class _Login(paramiko.ServerInterface):
    """One user, with one key."""

    def __init__(self, key: paramiko.PKey) -> None:
        self._key = key

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == self._key else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Files(SFTPServerInterface):
    """The files of this machine."""

    def list_folder(self, path: str) -> Any:
        try:
            names = os.listdir(path)
            return [SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)), name) for name in names]
        except OSError as error:
            return SFTPServer.convert_errno(error.errno)

    def stat(self, path: str) -> Any:
        try:
            return SFTPAttributes.from_stat(os.stat(path))
        except OSError as error:
            return SFTPServer.convert_errno(error.errno)

    def lstat(self, path: str) -> Any:
        try:
            return SFTPAttributes.from_stat(os.lstat(path))
        except OSError as error:
            return SFTPServer.convert_errno(error.errno)

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            file = os.fdopen(os.open(path, flags, 0o600), "r+b" if flags & os.O_RDWR else "wb" if flags & 1 else "rb")
        except OSError as error:
            return SFTPServer.convert_errno(error.errno)
        handle = SFTPHandle(flags)
        handle.filename = path
        handle.readfile = handle.writefile = file
        handle.stat = lambda: SFTPAttributes.from_stat(os.fstat(file.fileno()))  # type: ignore[method-assign]
        return handle

    def _done(self, act: Any, *paths: str) -> int:
        try:
            act(*paths)
        except OSError as error:
            return SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK

    def remove(self, path: str) -> int:
        return self._done(os.remove, path)

    def posix_rename(self, old: str, new: str) -> int:
        return self._done(os.replace, old, new)

    def mkdir(self, path: str, attr: Any) -> int:
        return self._done(os.mkdir, path)


@contextmanager
def sftp_server(home: Path) -> Iterator[str]:
    """The address of its root, such as ``sftp://tester@127.0.0.1:2222``.

    `home` becomes that of a user who has the key to it, in ``.ssh/id_rsa``, and knows it, in ``.ssh/known_hosts``.
    """
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    own, users = paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)
    users.write_private_key_file(str(ssh / "id_rsa"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        known = paramiko.HostKeys()
        known.add(f"[127.0.0.1]:{port}", own.get_name(), own)
        known.save(str(ssh / "known_hosts"))
        open_: list[paramiko.Transport] = []

        def serve() -> None:
            while True:
                try:
                    talk, _ = listener.accept()
                except OSError:
                    return
                transport = paramiko.Transport(talk)
                transport.add_server_key(own)
                transport.set_subsystem_handler("sftp", SFTPServer, _Files)
                transport.start_server(event=threading.Event(), server=_Login(users))
                open_.append(transport)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        try:
            yield f"sftp://tester@127.0.0.1:{port}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(10)
            for transport in open_:
                transport.close()
