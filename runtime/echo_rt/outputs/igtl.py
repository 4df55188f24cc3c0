"""Mask and EF for OpenIGTLink programs such as 3D Slicer and PLUS: for those that dial in, and for one that listens.

The connections are our own: pyigtl's server serves one client at a time and takes over the process's signals.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from urllib.parse import urlsplit

from echo_rt.errors import OutputError, ParameterError
from echo_rt.frame import Frame
from echo_rt.outputs.igtl_messages import IgtlMessages
from echo_rt.reading import Reading

PORT = 18944
"""The protocol's own."""

SEND_S = 0.5
"""Whoever takes nothing for that long is sent away."""

CONNECT_S = 2.0
"""For the connection to a receiver."""

AGAIN_S = (0.25, 2.0)
"""The wait before a receiver is dialed again: the first, doubled each time up to the last."""

MOST_READS, READ_BYTES = 64, 2**16
"""Of what the other end says, at most so much is taken away before each reading: nobody keeps us from sending."""


class IgtlServer:
    """Sends every reading to every client, see `IgtlMessages`.

    Args:
        port: to listen on; 0 takes any free one.
        host: address to listen on; by default this machine alone.
        picture: send the picture too.

    Attributes:
        port: that it listens on.

    Raises:
        ParameterError: the port is out of range.
        OutputError: it cannot listen there.
        MissingExtraError: pyigtl is not installed.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", picture: bool = False) -> None:
        self._messages = IgtlMessages(picture)
        if not 0 <= port < 65536:
            raise ParameterError(f"--igtl-out: expected a port from 0 to 65535, found {port}; the usual one is {PORT}")
        try:
            self._listening = socket.create_server((host, port), reuse_port=False)
        except OSError as error:
            raise OutputError(
                f"--igtl-out {port}: expected to listen on {host}, found: {error.strerror}; "
                "choose another port, or end what uses it"
            ) from None
        self.port = int(self._listening.getsockname()[1])
        self._clients: list[Peer] = []
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
        if self._clients:
            self._send(self._messages.of(frame, reading))

    def idle(self, why: str) -> None:
        """Say that no frames come: what was sent before is not current."""
        self._send(self._messages.idle(why))

    def close(self) -> None:
        """Send all clients away and stop to listen. A second call does nothing."""
        self._ended.set()
        self._thread.join()
        self._listening.close()
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients = []

    def _send(self, data: bytes) -> None:
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
                    client = Peer(self._listening.accept()[0])
                except OSError:
                    continue
                with self._lock:
                    self._clients.append(client)


class IgtlClient:
    """Sends every reading to a receiver that listens, such as a server connector of 3D Slicer's, see `IgtlMessages`.

    It dials when the first reading is there, and again after a loss. Nothing is kept for a receiver that is away: each
    such reading is an error, which the feed counts as lost.

    Args:
        address: ``host``, ``host:port`` or ``igtl://host:port``.
        picture: send the picture too.

    Raises:
        ParameterError: the address is none.
        MissingExtraError: pyigtl is not installed.
    """

    def __init__(self, address: str, picture: bool = False) -> None:
        self._messages = IgtlMessages(picture)
        self._place = _place(address)
        self._receiver: Peer | None = None
        self._wait_s, self._again_s = AGAIN_S[0], 0.0
        self._why = ""

    def write(self, frame: Frame, reading: Reading, source: str = "", history: int = 0) -> None:
        """Send what is known after a frame.

        Raises:
            OutputError: the receiver is not there, or takes nothing.
        """
        receiver = self._connected()
        self._send(receiver, self._messages.of(frame, reading))

    def idle(self, why: str) -> None:
        """Say that no frames come: what was sent before is not current.

        Raises:
            OutputError: the receiver is not there, and misses no reading.
        """
        if self._receiver is not None:
            self._send(self._receiver, self._messages.idle(why))
        elif self._why:
            error = OutputError(self._why)
            error.lost = 0
            raise error

    def close(self) -> None:
        """Hang up. A second call does nothing."""
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None

    def _connected(self) -> Peer:
        if self._receiver is None:
            if time.monotonic() < self._again_s:
                raise OutputError(self._why)
            try:
                self._receiver = Peer(socket.create_connection(self._place, CONNECT_S))
                self._why = ""
            except OSError as error:
                raise self._lost(error) from None
        return self._receiver

    def _send(self, receiver: Peer, data: bytes) -> None:
        try:
            receiver.send(data)
        except OSError as error:
            raise self._lost(error) from None
        self._wait_s = AGAIN_S[0]

    def _lost(self, error: OSError) -> OutputError:
        self.close()
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, AGAIN_S[1])
        self._again_s = time.monotonic() + wait_s
        host, port = self._place
        self._why = (
            f"--igtl-to {host}:{port}: expected an OpenIGTLink receiver that listens, found: "
            f"{error.strerror or error}; start it, or check host and port; it is dialed again"
        )
        return OutputError(self._why)


class Peer:
    """The other end of a connection. What it says is read and forgotten, so that it can go on to read.

    Args:
        connection: an open one, which it closes.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: it is gone or asleep. Half a message may be under way, so that nothing more can be said to it.
        """
        self._connection.settimeout(0)
        try:
            for _ in range(MOST_READS):
                if not self._connection.recv(READ_BYTES):
                    raise ConnectionResetError("it hung up")
        except BlockingIOError:
            pass
        self._connection.settimeout(SEND_S)
        self._connection.sendall(data)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _sent(client: Peer, data: bytes) -> bool:
    try:
        client.send(data)
    except OSError:
        return False
    return True


def _place(address: str) -> tuple[str, int]:
    """Host and port of an address."""
    try:
        parts = urlsplit(address if "//" in address else f"igtl://{address}")
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError:
        host, port = None, 0
    if not host or not port or parts.scheme != "igtl" or parts.path.strip("/") or parts.query:
        raise ParameterError(
            f"--igtl-to: expected host:port of a receiver that listens, found {address!r}; the usual port is {PORT}"
        )
    return host, port
