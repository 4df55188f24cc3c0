"""What a server may say to a client that wants a feed: OpenIGTLink, HTTP and RTSP, hostile from the first byte on."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pyigtl
import pytest

from echo_rt.sources import igtl, network, open_source
from robustness.changes import any_change, put_number
from robustness.harness import Case, chance
from support import clips

SEEDS = 40

WAIT_S = 0.3
"""In place of the time-outs of seconds: a silence costs that much."""

FRAMES = 12
"""Of a feed without an end, so many are enough."""

DRIP_S = 0.01

MOST_PIECES = 400


def make(seed: int, folder: Path) -> Case:
    """One of the conversations, its bytes changed."""
    draw = chance("conversations", seed)
    name = draw.choice(sorted(_CONVERSATIONS))
    scheme, pieces, end = _CONVERSATIONS[name]
    said = [name]
    pieces = list(pieces())
    for _ in range(draw.choice((0, 1, 2))):
        at = draw.randrange(len(pieces))
        kind, pieces[at] = _changed(pieces[at], draw)
        said.append(kind)
    return _case(", ".join(said), seed, folder / "talk", scheme, pieces, draw.choice((end, *_ENDS)))


def corpus(folder: Path) -> Iterator[Case]:
    """Each of the conversations as it is."""
    for number, (name, (scheme, pieces, end)) in enumerate(_CONVERSATIONS.items()):
        yield _case(name, None, folder / str(number), scheme, list(pieces()), end)


def run(case: Case) -> int:
    """Connect to a server that says what the case has, and take some frames."""
    about = json.loads((case.path / "about.json").read_text())
    pieces = [path.read_bytes() for path in sorted(case.path.glob("*.bytes"))]
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as server:
        for module, names in ((network, ("OPEN_S", "READ_S", "SEGMENT_S")), (igtl, ("CONNECT_S", "READ_S", "IMAGE_S"))):
            for name in names:
                patch.setattr(module, name, WAIT_S)
        over = threading.Event()
        talk = threading.Thread(target=_serve, args=(server, pieces, about, over), daemon=True)
        talk.start()
        try:
            place = "" if about["scheme"] == "igtl" else "/x"
            with open_source(f"{about['scheme']}://127.0.0.1:{server.getsockname()[1]}{place}") as source:
                return sum(1 for _ in islice(source, FRAMES))
        finally:
            over.set()
            talk.join()


_ENDS = ("close", "silence", "again", "drip")
"""What a server does after its last piece: closes, keeps silent, says it again and again; or says all by single
bytes."""


def _serve(server: socket.socket, pieces: list[bytes], about: dict[str, str], over: threading.Event) -> None:
    """Say the pieces to each client in turn, whatever it asks, until nobody wants it any more."""
    server.settimeout(0.02)
    while not over.is_set():
        with suppress(OSError):
            client, _ = server.accept()
            with client:
                client.settimeout(WAIT_S)
                _say(client, pieces, about["scheme"], about["end"], over)
                client.shutdown(socket.SHUT_WR)
                client.recv(2**16)


def _say(client: socket.socket, pieces: list[bytes], scheme: str, end: str, over: threading.Event) -> None:
    said = [bytes([byte]) for byte in b"".join(pieces)] if end == "drip" else pieces
    count = 0
    while not over.is_set():
        for piece in said:
            if (scheme == "http" and not count) or (scheme == "rtsp" and end != "drip"):
                client.recv(2**16)  # what it asks
            client.sendall(piece)
            count += 1
            if over.wait(DRIP_S if end == "drip" or count > MOST_PIECES else 0):
                return
        if end in ("close", "drip"):
            return
        if end == "silence":
            over.wait()


def _case(name: str, seed: int | None, folder: Path, scheme: str, pieces: list[bytes], end: str) -> Case:
    folder.mkdir()
    (folder / "about.json").write_text(json.dumps({"scheme": scheme, "end": end}))
    for number, piece in enumerate(pieces):
        (folder / f"{number:03}.bytes").write_bytes(piece)
    return Case(f"{name}, then {end}", seed, folder)


def _changed(piece: bytes, draw: Random) -> tuple[str, bytes]:
    if piece and draw.random() < 0.4:
        return "number", put_number(piece, draw.randrange(min(len(piece), 120)), draw)
    return any_change(piece, draw)


@cache
def image() -> bytes:
    """An OpenIGTLink message with a picture."""
    pixels = clips.grey_images(1, 120, 160)
    message = pyigtl.ImageMessage(pixels, ijk_to_world_matrix=np.diag([0.8, 0.8, 1, 1]), device_name="Image")
    return bytes(message.pack())


def _igtl_header(size: int, kind: bytes = b"IMAGE", version: int = 2) -> bytes:
    return struct.pack(">H12s20sQQQ", version, kind, b"Image", 0, size, 0)


def _with_body(body: bytes, kind: bytes = b"IMAGE") -> bytes:
    return _igtl_header(len(body), kind) + body


@cache
def stream() -> bytes:
    """A transport stream of some frames."""
    with TemporaryDirectory() as folder:
        path = clips.write_video(Path(folder, "a.ts"), clips.grey_images(30, 96, 128), 25, "mpeg2video")
        return path.read_bytes()


@cache
def jpeg() -> bytes:
    """A picture."""
    from support.dicom_files import jpegs

    return jpegs(clips.grey_images(1))[0]


def _http(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode() + body


def _part(length: int | str) -> bytes:
    return f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n".encode() + jpeg() + b"\r\n"


def _undecodable() -> bytes:
    """A picture whose quantisation table is damaged."""
    part = bytearray(_part(-5))
    table = part.index(b"\xff\xdb") + 4
    part[table] = 0xEA
    return bytes(part)


def _playlist(*entries: str) -> bytes:
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:2", *(line for entry in entries for line in ("#EXTINF:2,", entry)))
    return _http("\n".join(lines).encode(), "Content-Type: application/vnd.apple.mpegurl", "Connection: close")


def _rtsp(body: bytes = b"", *headers: str, number: int = 1) -> bytes:
    length = f"Content-Length: {len(body)}"
    return "\r\n".join(("RTSP/1.0 200 OK", f"CSeq: {number}", length, *headers, "", "")).encode() + body


_OPTIONS = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
_SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
_PARTS = "Content-Type: multipart/x-mixed-replace;boundary=x"

_CONVERSATIONS: dict[str, tuple[str, Callable[[], list[bytes]], str]] = {
    "OpenIGTLink": ("igtl", lambda: [image()] * 4, "again"),
    "OpenIGTLink, silent": ("igtl", lambda: [b""], "silence"),
    "OpenIGTLink, closed at once": ("igtl", lambda: [b""], "close"),
    "OpenIGTLink by single bytes": ("igtl", lambda: [image()], "drip"),
    "OpenIGTLink, half a message": ("igtl", lambda: [image()[:3000]], "silence"),
    "OpenIGTLink of 2^63 bytes": ("igtl", lambda: [_igtl_header(2**63)], "silence"),
    "OpenIGTLink of 64 MB": ("igtl", lambda: [_igtl_header(2**26)], "silence"),
    "OpenIGTLink of no bytes": ("igtl", lambda: [_igtl_header(0)], "again"),
    "OpenIGTLink of other messages": ("igtl", lambda: [_with_body(bytes(20), b"STATUS")], "again"),
    "OpenIGTLink of zeros": ("igtl", lambda: [_with_body(bytes(500))], "again"),
    "OpenIGTLink of no version": ("igtl", lambda: [bytes(200)], "again"),
    "OpenIGTLink with text": ("igtl", lambda: [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9], "close"),
    "HTTP, a stream": ("http", lambda: [_http(stream(), "Content-Type: video/mp2t")], "close"),
    "HTTP, silent": ("http", lambda: [b""], "silence"),
    "HTTP, closed at once": ("http", lambda: [b""], "close"),
    "HTTP, headers without end": ("http", lambda: [_http()[:-2], b"X-A: b\r\n" * 100], "again"),
    "HTTP, a header without end": ("http", lambda: [b"HTTP/1.1 200 OK\r\nX: ", b"a" * 4000], "again"),
    "HTTP by single bytes": ("http", lambda: [_http(stream(), "Content-Type: video/mp2t")], "drip"),
    "HTTP, less than its length": ("http", lambda: [_http(stream(), "Content-Length: 99999999")], "close"),
    "HTTP, a length below zero": ("http", lambda: [_http(stream(), "Content-Length: -1")], "close"),
    "HTTP, a length of 2^70": ("http", lambda: [_http(stream(), f"Content-Length: {2**70}")], "close"),
    "HTTP, wrong chunks": ("http", lambda: [_http(b"ffffffff\r\n" + stream(), "Transfer-Encoding: chunked")], "close"),
    "HTTP, led to itself": ("http", lambda: [_http(b"", "Location: /x", status="302 Found")], "close"),
    "HTTP, led to a file": ("http", lambda: [_http(b"", "Location: file:///etc/hosts", status="302 Found")], "close"),
    "HTTP, a web page": ("http", lambda: [_http(b"<html>" * 2000, "Content-Type: text/html")], "close"),
    "HTTP, not found": ("http", lambda: [_http(b"", status="404 Not Found")], "close"),
    "HTTP, pictures": ("http", lambda: [_http(b"", _PARTS), *[_part(len(jpeg()))] * 8], "again"),
    "HTTP, pictures of 2^40 bytes": ("http", lambda: [_http(b"", _PARTS), _part(2**40)], "again"),
    "HTTP, pictures of -5 bytes": ("http", lambda: [_http(b"", _PARTS), _part(-5)], "again"),
    "HTTP, pictures that no decoder takes": ("http", lambda: [_http(b"", _PARTS), _undecodable()], "again"),
    "HTTP, a list of files": ("http", lambda: [_playlist("file:///etc/hosts", "/etc/passwd")], "close"),
    "HTTP, a list of itself": ("http", lambda: [_playlist("/x", "/x")], "close"),
    "HTTP, packed zeros": ("http", lambda: [_http(_zeros(), "Content-Encoding: gzip")], "close"),
    "RTSP, silent": ("rtsp", lambda: [b""], "silence"),
    "RTSP, silent after its options": ("rtsp", lambda: [_rtsp(b"", _OPTIONS)], "silence"),
    "RTSP, no stream": ("rtsp", lambda: [_rtsp(b"", _OPTIONS), _rtsp(b"v=0\r\n", number=2)], "silence"),
    "RTSP, 3,000 streams": ("rtsp", lambda: [_rtsp(b"", _OPTIONS), _rtsp(_SDP + _SDP[-52:] * 3000, number=2)], "again"),
    "RTSP, 2 GB of description": ("rtsp", lambda: [_rtsp(b"", _OPTIONS), _rtsp()[:-4] + b"99999\r\n\r\n"], "again"),
    "RTSP, data before it was asked for": ("rtsp", lambda: [b"$\0\xff\xff" + bytes(3000)], "again"),
    "RTSP, with text": ("rtsp", lambda: [b"hello\r\n" * 50], "again"),
}  # fmt: skip


def _zeros() -> bytes:
    import gzip

    return gzip.compress(bytes(2**24))
