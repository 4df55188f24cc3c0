"""OpenIGTLink: images in, mask and EF out, and peers that are not what they should be. The library's own examples are
the peers."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import OutputError, ParameterError, SourceError, SourceFormatError
from echo_rt.following import follow
from echo_rt.live.status import Phase
from echo_rt.outputs.igtl import EF, MASK, STATE, IgtlServer
from echo_rt.sources import open_source
from support.live_parts import Running, StandInEngine, eventually, frames

pyigtl = pytest.importorskip("pyigtl.messages", reason="no pyigtl: pip install 'echo-rt[igtl]'")

EXAMPLES = Path("/usr/share/doc/openigtlink-examples/examples")
HEADERS = Path("/usr/include/openigtlink")


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory):
    """Builds one of the library's example programs."""
    if not (EXAMPLES.is_dir() and HEADERS.is_dir() and shutil.which("g++")):
        pytest.skip("no OpenIGTLink peers (Debian: apt install openigtlink-examples libopenigtlink-dev g++)")
    folder = tmp_path_factory.mktemp("igtl")

    def build(name: str) -> Path:
        command = [
            "g++",
            "-w",
            f"-I{HEADERS}",
            str(EXAMPLES / f"{name}.cxx"),
            "-o",
            str(folder / Path(name).name),
            "-lOpenIGTLink",
            "-lpthread",
        ]
        subprocess.run(command, check=True)
        return folder / Path(name).name

    return build


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


def read(uri: str, count: int) -> list:
    with open_source(uri) as source:
        return list(islice(source, count))


GREY = np.arange(120 * 160, dtype=np.uint8).reshape(120, 160)


@pytest.mark.parametrize("version", [1, 2])
def test_grey_and_colour_images_come_with_their_scale_and_time(version: int) -> None:
    colour = np.dstack([GREY, GREY // 2, GREY // 3])
    text = pyigtl.StringMessage("not an image", device_name="Note").pack()
    with closing(
        Sender(image(GREY, version=version), text, image(colour, stamp=100.02, version=version), hold_s=1)
    ) as sender:
        one, two = read(sender.uri, 2)
    assert np.array_equal(one.image, GREY)
    assert np.array_equal(two.image, colour[..., ::-1]), "BGR"
    assert one.spacing_mm == pytest.approx((0.3, 0.4))
    assert (one.t_s, two.t_s) == pytest.approx((0, 0.02), abs=1e-6)


def test_one_device_of_several_can_be_named() -> None:
    with closing(Sender(image(GREY, device="Other"), image(GREY + 1, device="Probe"), hold_s=1)) as sender:
        (only,) = read(f"{sender.uri}/Probe", 1)
    assert np.array_equal(only.image, GREY + 1)


def test_a_sender_without_a_scale_is_uncalibrated() -> None:
    with closing(Sender(image(np.zeros((480, 640), np.uint8), mm=(1, 1)), hold_s=1)) as sender:
        assert read(sender.uri, 1)[0].spacing_mm is None


@pytest.mark.parametrize("mm", [(1.0, 1.0), (-1.0, 1.0), (1.0, 4.0)])
def test_a_scale_that_would_fit_a_chest_but_was_not_measured_is_none(mm: tuple[float, float]) -> None:
    with closing(Sender(image(GREY, mm=mm), hold_s=1)) as sender, open_source(sender.uri) as source:
        assert next(iter(source)).spacing_mm is None
        assert ("exactly 1 mm" in str(source.spacing_note)) == (mm != (1.0, 4.0))


def forged(body: bytes, size: int | None = None, kind: bytes = b"IMAGE", crc: int = 0) -> bytes:
    return struct.pack(">H12s20sIIQQ", 1, kind, b"Image", 0, 0, len(body) if size is None else size, crc) + body


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, "something else on that port"),
        (bytes(range(128, 256)) * 10, "something else on that port"),
        (forged(b"", size=2**60), "is it OpenIGTLink"),
        (forged(b"short"), "expected images"),
        (forged(bytes(200)), "expected images"),
        (image(GREY)[:-1] + b"\x99", "wrong checksum"),
        (image(GREY)[:5000], "in the middle"),
        (image(GREY)[:30], "in the middle"),
        (image(GREY.astype(np.uint16)), "uint8"),
    ],
)
def test_garbage_is_named_and_neither_hangs_nor_crashes(sent: bytes, found: str) -> None:
    with closing(Sender(sent)) as sender, pytest.raises((SourceFormatError, SourceError), match=found):
        read(sender.uri, 1)


def test_a_feed_survives_garbage_a_cut_in_the_middle_and_another_size() -> None:
    good, other = image(GREY), image(np.zeros((300, 400), np.uint8))
    with (
        closing(Sender(good, good, other, image(GREY)[:9000])) as sender,
        Running(lambda: open_source(sender.uri)) as running,
    ):
        running.until(lambda update: update.status.phase is Phase.LOST and "middle" in update.status.message)
        running.until(lambda update: update.status.counts.reopened >= 1 and update.status.phase is Phase.RUNNING)
        sender.sent = (b"garbage" * 100,)
        running.until(lambda update: "something else" in update.status.message)
        sender.sent = (good, good)
        running.until(lambda update: update.status.phase is Phase.RUNNING)


def test_an_image_server_of_the_library_is_read(peer) -> None:
    program = peer("Imager/ImagerServer")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, str(port), "30", str(EXAMPLES / "Imager" / "img")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = eventually(lambda: _try(f"igtl://127.0.0.1:{port}"), 10)
    finally:
        process.kill()
        process.wait()
    expected = np.frombuffer((EXAMPLES / "Imager" / "img" / "igtlTestImage1.raw").read_bytes(), np.uint8).reshape(
        256, 256
    )
    assert np.array_equal(found[0].image, expected)
    assert found[0].spacing_mm is None  # it sends 1 mm, as one that knows no scale
    assert found[1].t_s > found[0].t_s


def _try(uri: str) -> list | None:
    try:
        return read(uri, 2)
    except SourceError:
        return None


def send_all(server: IgtlServer) -> None:
    engine = StandInEngine()
    for frame, reading in follow(frames(5), engine, Monitor(engine.spec)):
        server.write(frame, reading)


def test_mask_and_ef_are_served_to_every_client() -> None:
    with closing(IgtlServer(0)) as server:
        with (
            socket.create_connection(("127.0.0.1", server.port)) as one,
            socket.create_connection(("127.0.0.1", server.port)) as two,
        ):
            eventually(lambda: server.clients == 2)
            send_all(server)
            server.idle("source lost")
            for client in (one, two):
                client.settimeout(5)
                messages = [receive(client) for _ in range(3 * 5 + 2)]
                mask, ef, state = messages[:3]
                assert [message.device_name for message in (mask, ef, state)] == [MASK, EF, STATE]
                assert mask.image.shape == (1, 48, 64)
                assert ef.string == "", "none yet"
                assert json.loads(state.string)["quality"] == "no ventricle"
                assert json.loads(messages[-1].string)["idle"] == "source lost"
        eventually(lambda: send_all(server) or server.clients == 0)


def receive(client: socket.socket):
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


def test_the_library_itself_reads_what_is_served(peer) -> None:
    program = peer("Receiver/ReceiveClient")
    with closing(IgtlServer(0)) as server:
        process = subprocess.Popen(
            [program, "127.0.0.1", str(server.port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        eventually(lambda: server.clients == 1)
        send_all(server)
    said, _ = process.communicate(timeout=20)
    assert "IMAGE" in said
    assert "64" in said
    assert "STRING" in said
    assert "no ventricle" in said


def test_a_client_that_takes_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.outputs.igtl.SEND_S", 0.05)
    with closing(IgtlServer(0)) as server, socket.create_connection(("127.0.0.1", server.port)):
        eventually(lambda: server.clients == 1)
        engine = StandInEngine()
        big = follow(frames(400, size=(600, 800)), engine, Monitor(engine.spec))
        for frame, reading in big:
            server.write(frame, reading)
            if not server.clients:
                break
        assert server.clients == 0


def test_a_port_that_is_taken_or_none_is_refused() -> None:
    with closing(IgtlServer(0)) as server, pytest.raises(OutputError, match="choose another port"):
        IgtlServer(server.port)
    with pytest.raises(ParameterError, match="65535"):
        IgtlServer(70000)


@pytest.mark.parametrize("uri", ["igtl://", "igtl://host:port", "igtl://:18944"])
def test_an_address_without_host_or_port_is_refused(uri: str) -> None:
    with pytest.raises(ParameterError, match="igtl://host:port"):
        open_source(uri)


def test_nobody_there_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match=r"refused.*doctor"):
        read(f"igtl://127.0.0.1:{port}", 1)
