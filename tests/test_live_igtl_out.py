"""OpenIGTLink out: mask and EF for those that dial in, and for a receiver that is dialed."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.commands.live_options import IgtlOptions
from echo_rt.errors import OutputError, ParameterError
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.outputs.igtl import IgtlClient, IgtlServer
from echo_rt.outputs.igtl_messages import EF, MASK, PICTURE, STATE
from support.igtl import free_port, receive
from support.live_parts import Given, Running, StandInEngine, eventually, frames


def send_all(server: IgtlServer | IgtlClient) -> None:
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


def test_a_client_that_talks_is_heard_out_and_one_that_hangs_up_is_forgotten() -> None:
    engine = StandInEngine()
    ((*known,),) = follow(frames(1), engine, Monitor(engine.spec))
    with closing(IgtlServer(0)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            eventually(lambda: server.clients == 1)
            client.settimeout(5)
            for _ in range(300):  # 20 MB: more than any system keeps for whoever does not read
                client.sendall(bytes(2**16))
                server.write(*known)
                assert [receive(client).device_name for _ in range(3)] == [MASK, EF, STATE]
        send_all(server)
        assert server.clients == 0


def test_the_picture_goes_along_where_it_is_asked_for() -> None:
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    engine = StandInEngine()
    ((frame, reading),) = follow([Frame(image, 0.0, 0, (0.3, 0.4))], engine, Monitor(engine.spec))
    with (
        closing(IgtlServer(0, picture=True)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        eventually(lambda: server.clients == 1)
        server.write(frame, reading)
        picture, mask = receive(client), receive(client)
    assert (picture.device_name, mask.device_name) == (PICTURE, MASK)
    assert np.array_equal(picture.image[0], image[..., ::-1]), "RGB"
    assert np.array_equal(picture.ijk_to_world_matrix, mask.ijk_to_world_matrix)
    assert np.diag(picture.ijk_to_world_matrix)[:2] == pytest.approx((-0.4, -0.3)), "upright in an axial view"
    assert (picture.world_coordinate_system, mask.world_coordinate_system) == ("ras", "ras")


def test_a_receiver_is_dialed_and_dialed_again_after_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.outputs.igtl.AGAIN_S", (0.0, 0.0))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with closing(IgtlClient(f"127.0.0.1:{port}")) as sender:
            for _ in range(2):
                send_all(sender)
                receiver, _ = listening.accept()
                with receiver:
                    assert [receive(receiver).device_name for _ in range(3 * 5)] == 5 * [MASK, EF, STATE]
                    sender.idle("source lost")
                    assert [receive(receiver).string, json.loads(receive(receiver).string)["idle"]] == [
                        "",
                        "source lost",
                    ]
                with pytest.raises(OutputError, match="hung up"):
                    eventually(lambda: send_all(sender))


def test_a_receiver_that_is_away_holds_nobody_up_and_what_it_misses_is_counted() -> None:
    port, added = free_port(), threading.Event()

    def once_added() -> Iterator[Frame]:
        assert added.wait(20)
        yield from frames(50)

    with Running(lambda: Given(once_added(), 0.002), lasting=False) as running:
        running.feed.outputs.add_taker(IgtlClient(f"igtl://127.0.0.1:{port}"), "OpenIGTLink receiver", depth=1)
        added.set()
        status = running.wait()
    assert status.counts.frames + status.counts.dropped_frames == 50
    assert status.counts.lost["OpenIGTLink receiver"] == status.counts.frames
    said = f"--igtl-to 127.0.0.1:{port}: expected an OpenIGTLink receiver"
    assert any(said in update.status.message for update in running.looker.updates)


def test_a_receiver_that_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.outputs.igtl.SEND_S", 0.05)
    engine = StandInEngine()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with closing(IgtlClient(f"127.0.0.1:{port}")) as sender, pytest.raises(OutputError, match="timed out"):
            for frame, reading in follow(frames(400, size=(600, 800)), engine, Monitor(engine.spec)):
                sender.write(frame, reading)


@pytest.mark.parametrize("address", ["", ":1", "host:port", "host:0", "http://host", "host/Name", "::1", "host:1?a=b"])
def test_an_address_of_no_receiver_is_refused(address: str) -> None:
    with pytest.raises(ParameterError, match="--igtl-to: expected host:port"):
        IgtlClient(address)


def test_a_picture_for_nobody_is_refused() -> None:
    with pytest.raises(ParameterError, match="--igtl-out or --igtl-to"):
        IgtlOptions(picture=True)
