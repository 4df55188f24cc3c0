"""What the DICOM node refuses, each with the status of DICOM that fits; and nothing is lost."""

from __future__ import annotations

import errno
import os
import random
import socket
import sqlite3
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from echo_rt.node import scp
from echo_rt.node import shelf as shelves
from echo_rt.node.journal import Journal
from support.dicom_peers import MULTI_FRAME, associate, cine, send
from support.running_node import running


def received(folder: Path) -> set[str]:
    return {path.name for path in (folder / "received").iterdir()}


@pytest.mark.parametrize(
    ("how", "diagnostic"), [({"calling": "STRANGER"}, 3), ({"called": "OTHER"}, 7), ({"calling": "ELSEWHERE"}, 3)]
)
def test_an_unknown_peer_a_wrong_address_and_a_wrong_title_are_rejected(how, diagnostic: int, tmp_path: Path) -> None:
    with running(tmp_path, "SCANNER", "ELSEWHERE@192.0.2.1:104") as node:
        association = associate(node.port, **how)
        assert association.is_rejected
        answer = association.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, diagnostic)
        assert received(tmp_path) == set()


@pytest.mark.parametrize(
    "sop_class",
    ["1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.22"],
    ids=["ultrasound picture", "CT", "SR"],
)
def test_other_sop_classes_are_not_negotiated(sop_class: str, tmp_path: Path) -> None:
    with running(tmp_path) as node:
        association = associate(node.port, sop_class=sop_class)
        assert [str(context.abstract_syntax) for context in association.accepted_contexts] == ["1.2.840.10008.1.1"]
        assert {context.result for context in association.rejected_contexts} == {3}, "abstract syntax not supported"
        association.release()


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"Modality": "CT"}, 0xA900),
    ({"NumberOfFrames": 1}, 0xA900),
    ({"NumberOfFrames": None}, 0xA900),
    ({"StudyInstanceUID": "../../etc"}, 0xC000),
    ({"Rows": 0}, 0xC000),
    ({"Rows": 60_000, "Columns": 60_000}, 0xA700),
    ({"NumberOfFrames": 2_000_000}, 0xA700),
    ({"NumberOfFrames": 1_000_000, "Rows": 2000, "Columns": 2000}, 0xA700),
]


@pytest.mark.parametrize(("elements", "status"), REFUSED, ids=[str(elements) for elements, _ in REFUSED])
def test_what_is_no_cine_and_what_is_a_bomb_is_refused(elements: dict[str, Any], status: int, tmp_path: Path) -> None:
    with running(tmp_path) as node:
        assert send(node.port, cine(1, **elements), cine(2)) == [status, 0x0000]
        assert received(tmp_path) == {f"{cine(2).SOPInstanceUID}.dcm"}


def test_more_bytes_than_are_held_are_refused_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHO_RT_MAX_HELD_BYTES", "100000")
    large = cine(1)
    large.add_new(0x00290010, "LO", "echo-rt tests")
    large.add_new(0x00291001, "OB", bytes(1_000_000))
    with running(tmp_path) as node:
        assert send(node.port, large, cine(2)) == [0xA700, 0x0000]


def test_a_data_set_that_is_none_is_refused_and_the_association_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        association = associate(node.port)
        request = _request(cine(1).SOPInstanceUID, b"\xff" * 100)
        context = next(each for each in association.accepted_contexts if each.abstract_syntax == MULTI_FRAME)
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(request, context.context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert answer.Status == 0xC000
        assert association.send_c_store(cine(2)).Status == 0x0000
        association.release()


def _request(uid: str, data: bytes) -> Any:
    from io import BytesIO

    from pynetdicom.dimse_primitives import C_STORE

    request = C_STORE()
    request.MessageID, request.Priority = 1, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = MULTI_FRAME, uid
    request.DataSet = BytesIO(data)
    return request


def test_the_instance_must_be_the_one_that_was_announced(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        association = associate(node.port)
        data = cine(1)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        announced = _request("1.2.3.4", b"")
        from io import BytesIO

        from pydicom.filebase import DicomBytesIO
        from pydicom.filewriter import write_dataset

        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_dataset(buffer, data)
        announced.DataSet = BytesIO(buffer.getvalue())
        context = next(each for each in association.accepted_contexts if each.abstract_syntax == MULTI_FRAME)
        association._reactor_checkpoint.clear()
        association.dimse.send_msg(announced, context.context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert (answer.Status, answer.ErrorComment) == (0xA900, "the data set has another SOP class or instance UID")
        association.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_out_of_resources_and_leaves_nothing(number: int, tmp_path: Path, monkeypatch) -> None:
    with running(tmp_path) as node:

        def full(handle: int) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(shelves.os, "fsync", full)
            assert send(node.port, cine(1)) == [0xA700]
        assert received(tmp_path) == set()
        assert node.counts() == ({}, {})
        assert send(node.port, cine(1)) == [0x0000]


def test_a_journal_that_cannot_be_written_acknowledges_nothing(tmp_path: Path, monkeypatch) -> None:
    with running(tmp_path) as node:

        def full(journal: Journal, *given: Any) -> bool:
            with given[1]:
                raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "receive", full)
            assert send(node.port, cine(1)) == [0xA700]
        assert received(tmp_path) == set()
        assert send(node.port, cine(1)) == [0x0000]


def test_a_part_that_claims_gigabytes_ends_its_connection_alone(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        with socket.create_connection(("127.0.0.1", node.port)) as liar:
            liar.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1) + b"x" * 100)
            liar.settimeout(60)
            assert liar.recv(100) == b"", "it is closed"
        assert send(node.port, cine(1)) == [0x0000]


def test_noise_and_too_many_connections_cost_lines_and_no_instance(tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(scp, "CONNECTIONS", 4)
    monkeypatch.setattr(scp, "REQUEST_S", 0.5)
    chance = random.Random(5)
    with running(tmp_path) as node, ExitStack() as opened:
        for kind in range(9):
            with socket.create_connection(("127.0.0.1", node.port), 60) as noisy:
                noisy.sendall(struct.pack(">BBL", kind, 0, 60) + chance.randbytes(60))
        waiting = [opened.enter_context(socket.create_connection(("127.0.0.1", node.port), 60)) for _ in range(8)]
        assert {each.recv(1) for each in waiting[4:]} == {b""}, "those above the limit are closed"
        opened.close()
        assert node.wait(lambda: released(associate(node.port)))
        assert send(node.port, cine(1)) == [0x0000]
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "there are too many" in said


def released(association: Any) -> bool:
    """Whether there was an association."""
    if there := association.is_established:
        association.release()
    return bool(there)
