"""OpenIGTLink's own example programs as peers: their senders and receivers, dialed and waited for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice, pairwise
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import OutputError, SourceError
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.outputs.igtl import IgtlClient, IgtlServer
from echo_rt.sources import open_source
from support.igtl import free_port
from support.live_parts import StandInEngine, eventually, frames

EXAMPLES = Path("/usr/share/doc/openigtlink-examples/examples")
HEADERS = Path("/usr/include/openigtlink")


NAMES = ("Imager/ImagerServer", "Imager/ImagerClient", "Receiver/ReceiveServer", "Receiver/ReceiveClient")

IMAGES = EXAMPLES / "Imager" / "img"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The library's example programs, built, by their names."""
    if not (EXAMPLES.is_dir() and HEADERS.is_dir() and shutil.which("g++")):
        pytest.skip("no OpenIGTLink peers (Debian: apt install openigtlink-examples libopenigtlink-dev g++)")
    folder = tmp_path_factory.mktemp("igtl")
    built = {}
    for name in NAMES:
        program = built[Path(name).name] = folder / Path(name).name
        source = str(EXAMPLES / f"{name}.cxx")
        command = ["g++", "-w", f"-I{HEADERS}", source, "-o", str(program), "-lOpenIGTLink", "-lpthread"]
        subprocess.run(command, check=True)
    return built


@contextmanager
def running(*command: object) -> Iterator[Callable[[], str]]:
    """A program; gives a function that returns what it has said so far."""
    with NamedTemporaryFile() as said:
        process = subprocess.Popen([str(part) for part in command], stdout=said, stderr=said)
        try:
            yield lambda: Path(said.name).read_text()
        finally:
            process.kill()
            process.wait()


def written(number: int) -> np.ndarray:
    """The library's test image of that number, from 1."""
    return np.fromfile(IMAGES / f"igtlTestImage{number}.raw", np.uint8).reshape(256, 256)


def check(found: list[Frame]) -> None:
    """See that the frames are those that the library's senders send, in their order."""
    for number, frame in enumerate(found, 1):
        assert np.array_equal(frame.image, written(number))
        assert frame.spacing_mm is None, "it sends 1 mm, as one that knows no scale"
    assert all(later.t_s > one.t_s for one, later in pairwise(found))


def test_its_server_is_dialed(programs: dict[str, Path]) -> None:
    port = free_port()
    with running(programs["ImagerServer"], port, 100, IMAGES):
        check(eventually(lambda: _read(f"igtl://127.0.0.1:{port}"), 10))


def _read(uri: str) -> list[Frame] | None:
    try:
        with open_source(uri) as source:
            return list(islice(source, 4))
    except SourceError:
        return None


def test_its_sender_is_waited_for(programs: dict[str, Path]) -> None:
    with (
        open_source("igtl://:0?device=ImagerClient") as source,
        running(programs["ImagerClient"], "127.0.0.1", source.port, 500, IMAGES),
    ):
        check(list(islice(source, 4)))
        assert len(list(source)) == 96, "it sends a hundred, and the feed ends with it"


def send(output: IgtlServer | IgtlClient) -> bool:
    """Five readings; whether they were taken."""
    engine = StandInEngine()
    try:
        for frame, reading in follow(frames(5), engine, Monitor(engine.spec)):
            output.write(frame, reading)
    except OutputError:
        return False
    return True


def test_its_receiver_dials_in(programs: dict[str, Path]) -> None:
    with closing(IgtlServer(0)) as server, running(programs["ReceiveClient"], "127.0.0.1", server.port) as said:
        eventually(lambda: server.clients == 1)
        send(server)
        eventually(lambda: received_all(said()), 10)


def test_its_receiver_is_dialed(programs: dict[str, Path]) -> None:
    port = free_port()
    with running(programs["ReceiveServer"], port) as said, closing(IgtlClient(f"127.0.0.1:{port}")) as client:
        eventually(lambda: send(client), 10)
        eventually(lambda: received_all(said()), 10)


def received_all(said: str) -> bool:
    """Whether a receiver of the library says that five readings came: the mask's size and the state of each."""
    return said.count("(64, 48, 1)") >= 5 and said.count("no ventricle") == 5 and said.count("EjectionFraction") == 0
