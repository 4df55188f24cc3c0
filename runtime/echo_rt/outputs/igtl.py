"""Mask and EF for OpenIGTLink clients such as 3D Slicer and PLUS.

pyigtl packs the messages. The server is our own: pyigtl's serves one client at a time and takes over the process's
signals.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from typing import Any

import numpy as np

from echo_rt.chambers import Scale
from echo_rt.errors import MissingExtraError, OutputError, ParameterError
from echo_rt.fields import reading_fields
from echo_rt.frame import Frame
from echo_rt.reading import Reading

MASK, EF, STATE = "LeftVentricle", "EjectionFraction", "EchoRT"
"""Names of the devices: the label image, the figure in percent as a text, empty where there is none, and all of it as
JSON."""

SEND_S = 0.5
"""A client that takes nothing for that long is sent away."""


class IgtlServer:
    """Sends three messages to every client with each reading.

    IMAGE ``LeftVentricle`` has the size of the frame and its spacing (uint8: 0 background, 1 LV cavity, 2 LV wall, 3
    left atrium). The others are STRING ``EjectionFraction`` and STRING ``EchoRT``.

    Args:
        port: to listen on; 0 takes any free one.
        host: address to listen on; by default this machine alone.

    Attributes:
        port: that it listens on.

    Raises:
        ParameterError: the port is out of range.
        OutputError: it cannot listen there.
        MissingExtraError: pyigtl is not installed.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        try:
            from pyigtl import messages
        except ImportError:
            raise MissingExtraError("OpenIGTLink", "igtl") from None
        self._messages: Any = messages
        if not 0 <= port < 65536:
            raise ParameterError(f"--igtl-out: expected a port from 0 to 65535, found {port}; the usual one is 18944")
        try:
            self._listening = socket.create_server((host, port), reuse_port=False)
        except OSError as error:
            raise OutputError(
                f"--igtl-out {port}: expected to listen on {host}, found: {error.strerror}; "
                "choose another port, or end what uses it"
            ) from None
        self.port = int(self._listening.getsockname()[1])
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="echo-rt igtl server", daemon=True)
        self._thread.start()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def write(self, frame: Frame, reading: Reading, source: str = "", history: int = 0) -> None:
        """Send what is known after a frame."""
        if not self._clients:
            return
        mask = reading.segmentation.mask()
        row_mm, column_mm = frame.spacing_mm or (1.0, 1.0)
        ef = reading.ef
        scale = Scale.of(frame.spacing_mm)
        figures = {"calibrated": scale.calibrated, "volume_ml": None, **reading_fields(reading, scale)}
        now = time.time()
        image = self._messages.ImageMessage(
            mask[np.newaxis], np.diag([column_mm, row_mm, 1.0, 1.0]).astype(np.float32), timestamp=now, device_name=MASK
        )
        shown = "" if ef.percent is None or ef.stale else f"{ef.percent:.1f}"
        self._send([image, self._text(shown, EF, now), self._text(json.dumps(figures), STATE, now)])

    def idle(self, why: str) -> None:
        """Say that no frames come: what was sent before is not current."""
        now = time.time()
        self._send([self._text("", EF, now), self._text(json.dumps({"idle": why, "ef_percent": None}), STATE, now)])

    def close(self) -> None:
        """Send all clients away and stop to listen. A second call does nothing."""
        self._ended.set()
        self._thread.join()
        self._listening.close()
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients = []

    def _text(self, text: str, device: str, now: float) -> Any:
        # pyigtl takes ASCII alone, whatever it says.
        return self._messages.StringMessage(text.encode("ascii", "replace").decode(), timestamp=now, device_name=device)

    def _send(self, messages: list[Any]) -> None:
        data = b"".join(message.pack() for message in messages)
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            if not _sent(client, data):
                with self._lock:
                    self._clients.remove(client)
                client.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            while not self._ended.is_set():
                if not selector.select(0.1):
                    continue
                try:
                    client, _ = self._listening.accept()
                    client.settimeout(SEND_S)
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                except OSError:
                    continue
                with self._lock:
                    self._clients.append(client)


def _sent(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
    except OSError:  # gone, or asleep: half a message may be under way, so that nothing more can be said to it
        return False
    return True
