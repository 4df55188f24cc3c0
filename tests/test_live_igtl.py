"""OpenIGTLink in: servers that are dialed, senders that are waited for, and peers that are not what they should be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

import numpy as np
import pytest

import echo_rt.sources.igtl as igtl_module
from echo_rt.doctor.feed import examine_source
from echo_rt.errors import ParameterError, SourceError, SourceFormatError
from echo_rt.live.status import Phase
from echo_rt.sources import open_source
from echo_rt.sources.igtl_address import IgtlAddress
from support.igtl import Sender, forged, free_port, image, pyigtl
from support.live_parts import Running, eventually


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


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("igtl://", "neither a host nor a port"),
        ("igtl://host:port", "no valid host"),
        ("igtl://host:0", "port 0"),
        ("igtl://host?devise=A", "'devise'"),
        ("igtl://host?device", "options"),
        ("igtl://host/A?device=B", "'A' and 'B'"),
        ("igtl://host/" + 21 * "A", "found 21"),
        ("igtl://host?listen=0.0.0.0", "a host to dial"),
        ("igtl://:18944?listen=", "nothing"),
    ],
)
def test_an_address_that_is_none_is_refused(uri: str, found: str) -> None:
    with pytest.raises(ParameterError, match=found):
        open_source(uri)


def test_what_an_address_says() -> None:
    assert IgtlAddress.of("igtl://scanner") == IgtlAddress("scanner", 18944)
    assert IgtlAddress.of("igtl://scanner:1/Image%20A") == IgtlAddress("scanner", 1, device="Image A")
    assert IgtlAddress.of("igtl://:18944?device=A") == IgtlAddress("", 18944, "127.0.0.1", "A")
    assert IgtlAddress.of("igtl://:0/A?listen=::") == IgtlAddress("", 0, "::", "A")


def test_nobody_there_says_so() -> None:
    with pytest.raises(SourceError, match=r"refused.*doctor"):
        read(f"igtl://127.0.0.1:{free_port()}", 1)


@contextmanager
def waiting(uri: str = "igtl://:0") -> Iterator[Any]:
    """A source that waits for a sender."""
    with open_source(uri) as source:
        yield source


@contextmanager
def dialed(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 5) as sender:
        yield sender


def test_a_sender_is_waited_for_and_a_second_one_is_refused_until_it_has_gone() -> None:
    port = free_port()
    with waiting(f"igtl://:{port}") as source:
        assert source.note == f"waits for a sender on 127.0.0.1 port {port}"
        with dialed(port) as sender:
            sender.sendall(image(GREY) + image(GREY + 1))
            assert np.array_equal(next(source).image, GREY)
            assert source.note is None
            with pytest.raises(ConnectionRefusedError), dialed(port):
                pass
            assert np.array_equal(next(source).image, GREY + 1)
        with pytest.raises(StopIteration):
            next(source)
    with waiting(f"igtl://:{port}") as source, dialed(port) as sender:
        sender.sendall(image(GREY + 2))
        assert np.array_equal(next(source).image, GREY + 2)


def test_a_feed_waits_as_long_as_it_takes_and_goes_on_with_the_next_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.live.capture.OPEN_S", 0.1)
    port = free_port()
    with Running(lambda: open_source(f"igtl://:{port}")) as running:
        update = running.until(lambda update: "waits for a sender" in update.status.message)
        assert update.status.phase is Phase.OPENING
        threading.Event().wait(0.3)  # longer than a feed may take that dials
        for history in range(2):
            sender = eventually(lambda: _dialed(port))
            with sender:
                sender.sendall(image(GREY, stamp=100.0 + history))
                running.until(lambda update: update.status.phase is Phase.RUNNING)
            running.until(lambda update: update.status.phase is Phase.LOST and "waits" in update.status.message)
        status = running.end()
    assert status.counts.frames == 2
    assert status.counts.reopened == 1, "that it waited before the first is no loss"


def _dialed(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), 5)
    except OSError:
        return None


def test_a_wait_ends_when_nobody_wants_the_sender_any_more() -> None:
    with waiting() as source:
        threading.Timer(0.05, source.interrupt).start()
        assert list(source) == []


def test_a_port_that_is_taken_is_named() -> None:
    with waiting() as source, pytest.raises(SourceError, match="choose another"):
        read(f"igtl://:{source.port}", 1)


def test_the_doctor_has_nobody_to_reach_where_a_sender_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.doctor.feed.PICTURE_S", 0.1)
    (finding,) = examine_source("igtl://:0")
    assert "no picture came" in finding.text


TRANSFORM = pyigtl.TransformMessage(np.eye(4), device_name="ProbeToReference").pack()
OTHERS = [
    TRANSFORM,
    forged(bytes(30), kind=b"STATUS"),
    pyigtl.StringMessage("not an image", device_name="Note").pack(),
    forged(bytes(70 * 3), kind=b"TDATA"),
    forged(bytes(1000), kind=b"TRACKEDFRAME"),
    forged(b"", kind=b"GET_CAPABIL"),
]
"""Messages beside images, as a tracker and PLUS send them."""


def test_other_messages_are_passed_over() -> None:
    with waiting() as source, dialed(source.port) as sender:
        sender.sendall(b"".join(part for other in OTHERS for part in (other, image(GREY))))
        assert all(np.array_equal(frame.image, GREY) for frame in islice(source, len(OTHERS)))
        assert source.note is None


def test_images_of_two_devices_are_never_mixed() -> None:
    both = image(GREY, device="Probe") + image(np.zeros((90, 80), np.uint8), device="Screen\x07")
    with waiting() as source, dialed(source.port) as sender:
        sender.sendall(both * 3)
        assert [next(source).image.shape for _ in range(3)] == 3 * [GREY.shape]
        assert source.note == r"images of 'Probe' are taken, not of 'Screen\\x07'; ?device=NAME takes another"
    with waiting("igtl://:0?device=Probe") as source, dialed(source.port) as sender:
        sender.sendall(both * 2)
        assert np.array_equal(next(source).image, GREY)
        next(source)
        assert source.note is None, "nothing is left out that was asked for"


def test_a_viewer_hears_of_the_devices_that_are_left_out() -> None:
    both = image(GREY, device="Probe") + image(GREY, device="Screen")
    with (
        closing(Sender(*[both] * 200, hold_s=1)) as sender,
        Running(lambda: open_source(sender.uri)) as running,
    ):
        running.until(lambda update: "not of 'Screen'" in update.status.message)


def test_a_device_that_never_sends_is_named_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igtl_module, "IMAGE_S", 0.1)
    with (
        closing(Sender(*[image(GREY, device="Probe")] * 100)) as sender,
        pytest.raises(SourceError, match="image of 'Prob', found those of 'Probe' alone"),
    ):
        read(f"{sender.uri}/Prob", 1)


def test_notes_of_a_sender_in_any_encoding_harm_no_image() -> None:
    message = pyigtl.ImageMessage(GREY[np.newaxis], np.diag([0.4, 0.3, 1, 1]), timestamp=1.0, device_name="Image")
    message.header_version, message.metadata = 2, {"Probe": "S5-1"}
    packed = bytearray(message.pack())
    at = packed.index(b"Probe") - 6  # the encoding of its value: Latin-1, which pyigtl does not know
    packed[at : at + 2] = (4).to_bytes(2, "big")
    packed[50:58] = bytes(8)
    with waiting() as source, dialed(source.port) as sender:
        sender.sendall(packed)
        frame = next(source)
    assert np.array_equal(frame.image, GREY)
    assert frame.spacing_mm == pytest.approx((0.3, 0.4))
