"""A web server on loopback, and a clock that goes on only where somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from echo_rt.sources import feed, network


class _Files(SimpleHTTPRequestHandler):
    """The files of a folder; those that end in ``.live`` without their length, as from a sender that has no end."""

    def do_GET(self) -> None:
        if not self.path.endswith(".live"):
            return super().do_GET()
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = Path(self.translate_path(self.path)).read_bytes()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        self.close_connection = True
        return None

    def log_message(self, *what: object) -> None: ...


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """Serves a folder; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Waited:
    """Stands for the clock and the waits of network streams: time passes only while they wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []
        clock = SimpleNamespace(monotonic=lambda: self.now_s)
        for module in (network, feed):
            monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(network, "threading", SimpleNamespace(Event=lambda: self))

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return False

    def set(self) -> None: ...

    def clear(self) -> None: ...
