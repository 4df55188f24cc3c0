"""Servers on loopback that go wrong: OpenIGTLink, HTTP and RTSP."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pyigtl

from robustness.live_coded import Coder, Transport
from robustness.live_shots import DEAD, GARBAGE, Clock, Shot, Timeline

GARBAGE_BYTES = 3000


class Server(ABC):
    """Sends what its timeline has to every client, from its begin to `close`. While nobody is there it does not
    listen."""

    scheme, place = "", ""

    def __init__(self, timeline: Timeline, clock: Clock) -> None:
        self._timeline, self._clock = timeline, clock
        self._listening: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.uri = f"{self.scheme}://127.0.0.1:{self.port}{self.place}"
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._play, self._accept)]
        for thread in self._threads:
            thread.start()

    @abstractmethod
    def message(self, shot: Shot) -> bytes:
        """What a picture is on the wire."""

    def greet(self, client: socket.socket) -> None:
        """Answer what a client asks before anything is sent."""
        return

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._die()

    def _play(self) -> None:
        rng = random.Random(0)
        for shot in self._timeline:
            if self._over.wait(max(0.0, shot.at_s - self._clock.now())):
                return
            if shot.kind == DEAD:
                self._die()
                continue
            if self._listening is None:
                self._listening = socket.create_server(("127.0.0.1", self.port))
            self._send(rng.randbytes(GARBAGE_BYTES) if shot.kind == GARBAGE else self.message(shot))

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._clients = [client for client in self._clients if _sent(client, data)]

    def _die(self) -> None:
        with self._lock:
            for client in self._clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)  # a thread that listens to it would keep it open
                client.close()
            self._clients = []
            if self._listening is not None:
                self._listening.close()
                self._listening = None

    def _accept(self) -> None:
        while not self._over.is_set():
            listening = self._listening
            if listening is None:
                time.sleep(0.01)
                continue
            with suppress(OSError):
                listening.settimeout(0.05)
                client, _ = listening.accept()
                client.settimeout(1.0)
                threading.Thread(target=self._welcome, args=(client,), daemon=True).start()

    def _welcome(self, client: socket.socket) -> None:
        with suppress(OSError):
            self.greet(client)
            with self._lock:
                self._clients.append(client)
            self.listen(client)

    def listen(self, client: socket.socket) -> None:
        """Answer what it says while it is sent to."""
        return


def _sent(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
    except OSError:
        client.close()
        return False
    return True


class IgtlServer(Server):
    """OpenIGTLink: a message a picture."""

    scheme = "igtl"

    def message(self, shot: Shot) -> bytes:
        pixels = shot.image()
        matrix = np.diag([0.8, 0.8, 1, 1])
        return bytes(pyigtl.ImageMessage(pixels[np.newaxis], matrix, timestamp=shot.stamp_s, device_name="Echo").pack())


class HttpServer(Server):
    """MPEG-TS over HTTP, without a length."""

    scheme, place = "http", "/echo.ts"

    def __init__(self, timeline: Timeline, clock: Clock) -> None:
        self._transport = Transport()
        super().__init__(timeline, clock)

    def greet(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096) or b"\r\n\r\n"
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n")

    def message(self, shot: Shot) -> bytes:
        return self._transport.encode(shot)


class RtspServer(Server):
    """H.264 over RTP over RTSP's own connection."""

    scheme, place = "rtsp", "/echo"

    def __init__(self, timeline: Timeline, clock: Clock) -> None:
        self._coder: Coder | None = None
        self._number = 0
        super().__init__(timeline, clock)

    def message(self, shot: Shot) -> bytes:
        if self._coder is None or self._coder.kind != (shot.size, shot.colour):
            self._coder = Coder(shot)
        units = [unit for unit in re.split(rb"\x00\x00\x00?\x01", self._coder.encode(shot)) if unit]
        return b"".join(self._packet(unit, shot, unit is units[-1]) for unit in units)

    def _packet(self, unit: bytes, shot: Shot, last: bool) -> bytes:
        self._number = (self._number + 1) % 2**16
        stamp = round(90_000 * shot.stamp_s) % 2**32
        rtp = struct.pack(">BBHII", 0x80, 96 | (0x80 if last else 0), self._number, stamp, 7) + unit
        return struct.pack(">cBH", b"$", 0, len(rtp)) + rtp

    def greet(self, client: socket.socket) -> None:
        for method, number in _asked(client):
            client.sendall(self._answer(method, number))
            if method == "PLAY":
                return

    def listen(self, client: socket.socket) -> None:
        client.settimeout(30)
        for method, number in _asked(client):
            with self._lock:
                client.sendall(self._answer(method, number))
            if method == "TEARDOWN":
                return

    def _answer(self, method: str, number: str) -> bytes:
        sdp = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=echo\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
            "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:one\r\n"
        )
        more = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n",
            "DESCRIBE": f"Content-Base: {self.uri}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
        }.get(method, "Session: 1\r\n")
        return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}\r\n{sdp if method == 'DESCRIBE' else ''}".encode()


def _asked(client: socket.socket) -> Iterator[tuple[str, str]]:
    """Method and number of each request."""
    said = b""
    while more := client.recv(4096):
        said += more
        while b"\r\n\r\n" in said:
            head, _, said = said.partition(b"\r\n\r\n")
            found = re.search(rb"([A-Z_]+) rtsp\S* RTSP/1.0\r\n(?:.*\r\n)*?CSeq: *(\d+)", head, re.DOTALL)
            if found is not None:
                yield found[1].decode(), found[2].decode()
