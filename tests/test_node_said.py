"""Who the peers of the DICOM node are, and what it says: log, metrics, status; and of whom it is silent."""

from __future__ import annotations

import json
import os
import stat
import urllib.request
from pathlib import Path

import pytest

from echo_rt.errors import ParameterError
from echo_rt.node.peers import Peer, Peers, parse_peer
from support.dicom_peers import Archive, associate, cine, free_port, send
from support.running_node import running


def received(folder: Path) -> set[str]:
    return {path.name for path in (folder / "received").iterdir()}


# -- who it is ---------------------------------------------------------------------------------------------------------


def test_a_peer_is_a_title_an_address_and_a_port() -> None:
    assert parse_peer("ARCHIVE") == Peer("ARCHIVE")
    assert parse_peer("ARCHIVE@10.0.0.5") == Peer("ARCHIVE", "10.0.0.5", 104)
    assert parse_peer("ARCHIVE@archive.local:4242") == Peer("ARCHIVE", "archive.local", 4242)
    assert parse_peer("MY ARCHIVE@[::1]:4242") == Peer("MY ARCHIVE", "::1", 4242)


@pytest.mark.parametrize(
    "text", ["", "@host", "A@", "A@host:0", "A@host:70000", "A@host:x", "A" * 17, "A\\B", "   ", "Ä"]
)
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="expected"):
        parse_peer(text)


def test_reports_go_to_the_address_that_sent_where_several_have_one_title() -> None:
    one, two = Peer("A", "127.0.0.1", 1), Peer("A", "127.0.0.2", 2)
    peers = Peers([Peer("B"), one, two])
    assert peers.home("A", "::ffff:127.0.0.2") == two
    assert peers.home("A", "127.0.0.1") == one
    assert peers.home("B", "127.0.0.1") is None
    assert Peers([Peer("A"), two]).home("A", "192.0.2.1") == two
    assert not peers.admits("A", "192.0.2.1")


# -- what it says ------------------------------------------------------------------------------------------------------


def test_neither_log_nor_names_hold_a_word_of_the_patient(tmp_path: Path, capfd) -> None:
    private = {"PatientName": "Quillfeather^Ada", "PatientID": "QX-4711", "AccessionNumber": "ACC-0815"}
    with running(tmp_path) as node:
        node.follower.fails[1] = [("the file is damaged", False)] * 2
        send(node.port, cine(1, **private), cine(2, **private, Modality="CT"), cine(3, **private, StudyInstanceUID="x"))
        assert node.wait(lambda: node.counts() == ({"failed": 1}, {}))
    said = "".join(capfd.readouterr())
    assert "instance 1 failed: the file is damaged" in said
    assert "refused an instance (0xA900)" in said
    assert not any(word in said for word in ("Quillfeather", "QX-4711", "ACC-0815", str(cine(1).SOPInstanceUID)))


def test_its_log_has_so_many_lines_and_no_more(tmp_path: Path, capfd) -> None:
    with running(tmp_path) as node:
        association = associate(node.port)
        bad = cine(1, Modality="CT")
        assert {association.send_c_store(bad).Status for _ in range(100)} == {0xA900}
        association.release()
    assert 1 < len(capfd.readouterr().err.splitlines()) <= 61


def test_results_and_what_arrived_are_for_their_owner_alone(tmp_path: Path) -> None:
    from echo_rt import private

    before = os.umask(0o022)
    try:
        private.close_to_others()
        with running(tmp_path / "node") as node:
            send(node.port, cine(1))
            assert node.wait(lambda: node.counts() == ({"done": 1}, {}))
            found = [tmp_path / "node", *(tmp_path / "node").rglob("*")]
            assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in found} == {0}
    finally:
        os.umask(before)


def test_prometheus_reads_counts_on_this_machine(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, metrics_port=port) as node:
        send(node.port, cine(1), cine(2, Modality="CT"))
        assert node.wait(lambda: node.counts() == ({"done": 1}, {}))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
    assert 'echo_rt_node_instances{state="done"} 1.0' in lines
    assert 'echo_rt_node_reports{state="sent"} 0.0' in lines
    assert 'echo_rt_node_refused_total{why="0xA900"} 1.0' in lines


def test_status_says_what_failed_while_the_node_runs(tmp_path: Path, capsys) -> None:
    from echo_rt.commands.node import status

    with running(tmp_path) as node:
        node.follower.fails[1] = [("the file is damaged", False)] * 2
        send(node.port, cine(1), cine(2))
        assert node.wait(lambda: node.counts() == ({"done": 1, "failed": 1}, {}))
        status(tmp_path, json=False)
        lines = capsys.readouterr().out.splitlines()
        status(tmp_path, json=True)
        found = json.loads(capsys.readouterr().out)
    assert lines[0] == ("instances 0 received, 0 processing, 1 done, 1 failed; reports 0 waiting, 0 sent, 0 given up")
    assert lines[1] == f"1  instance  {cine(1).SOPInstanceUID}: the file is damaged"
    assert found["instances"]["failed"] == 1
    assert found["failures"][0]["uid"] == cine(1).SOPInstanceUID


def test_the_archive_of_these_tests_takes_an_instance_once() -> None:
    made = Archive()
    try:
        assert send(made.port, cine(1), cine(1)) == [0, 0]
        assert len(made.stored) == 1 < len(made.came) == 2
    finally:
        made.close()
