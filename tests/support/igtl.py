"""OpenIGTLink as others speak it: messages, a sender, and what a receiver reads. Who imports it is skipped where pyigtl
is not installed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

pyigtl = pytest.importorskip("pyigtl.messages", reason="no pyigtl: pip install 'echo-rt[igtl]'")


class Sender:
    """Accepts one client after the other and sends it what it is given, then closes."""

    def __init__(self, *sent: bytes, hold_s: float = 0.0) -> None:
        self.sent, self.hold_s = sent, hold_s
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"igtl://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while self.listening.fileno() >= 0:
            with suppress(OSError):
                self._serve_one()

    def _serve_one(self) -> None:
        client, _ = self.listening.accept()
        with client:
            for data in self.sent:
                client.sendall(data)
                time.sleep(0.005)
            time.sleep(self.hold_s)

    def close(self) -> None:
        self.listening.close()


def image(
    pixels: np.ndarray,
    mm: tuple[float, float] = (0.3, 0.4),
    stamp: float = 100.0,
    device: str = "Image",
    version: int = 1,
) -> bytes:
    """An IMAGE message of (H, W) or (H, W, 3) RGB pixels, mm being (row, column)."""
    message = pyigtl.ImageMessage(
        pixels[np.newaxis], np.diag([mm[1], mm[0], 1, 1]), timestamp=stamp, device_name=device
    )
    message.header_version = version
    return message.pack()


def forged(body: bytes, size: int | None = None, kind: bytes = b"IMAGE", crc: int = 0) -> bytes:
    """A message of a header that says what it likes."""
    return struct.pack(">H12s20sIIQQ", 1, kind, b"Image", 0, 0, len(body) if size is None else size, crc) + body


def receive(client: socket.socket) -> Any:
    """The next message."""

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = client.recv(count - len(data))
            assert more
            data += more
        return data

    fields = pyigtl.MessageBase.parse_header(exactly(58))
    message = pyigtl.MessageBase.create_message(fields["message_type"])
    message.unpack(fields, exactly(fields["body_size"]))
    return message


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
