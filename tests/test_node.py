"""The DICOM node: the way of an instance, and what a kill leaves of it. The engine is a stand-in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from pydicom import dcmread

from echo_rt.errors import OutputError
from echo_rt.node.journal import Cine, Journal
from echo_rt.node.shelf import Shelf
from support.dicom_peers import associate, cine, free_port, send
from support.running_node import archive, running
from support.stand_in_report import source_of


def received(folder: Path) -> set[str]:
    return {path.name for path in (folder / "received").iterdir()}


# -- the way of an instance --------------------------------------------------------------------------------------------


def test_an_echo_is_answered(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        association = associate(node.port)
        assert association.send_c_echo().Status == 0x0000
        association.release()


def test_what_is_stored_is_followed_when_its_study_is_quiet_and_the_report_comes_back(tmp_path: Path) -> None:
    with archive() as there, running(tmp_path, f"SCANNER@127.0.0.1:{there.port}") as node:
        assert send(node.port, cine(1), cine(2)) == [0x0000, 0x0000]
        assert there.wait(lambda: len(there.stored) == 2)
        assert {source_of(report) for report in there.stored.values()} == {
            cine(1).SOPInstanceUID,
            cine(2).SOPInstanceUID,
        }
        assert {report.StudyInstanceUID for report in there.stored.values()} == {cine(1).StudyInstanceUID}
        assert node.wait(lambda: node.counts() == ({"done": 2}, {"sent": 2}))
        # The file is what was sent, in the syntax in which it was sent.
        kept = dcmread(tmp_path / "received" / f"{cine(1).SOPInstanceUID}.dcm")
        assert kept == cine(1)
        assert kept.file_meta.TransferSyntaxUID == cine(1).file_meta.TransferSyntaxUID


def test_a_study_waits_until_nothing_more_comes_of_it(tmp_path: Path) -> None:
    journal, quiet_s = Journal(tmp_path), 30.0

    def receive(number: int, study: str, at_s: float) -> None:
        file = tmp_path / f"{number}"
        file.touch()
        assert journal.receive(Cine(str(number), study, "A", "::1"), file.open(), file, at_s)

    receive(1, "first", 100)
    receive(2, "second", 100)
    receive(3, "first", 120)
    assert journal.begin(quiet_s, 129) == []
    assert journal.begin(quiet_s, 131) == [(2, "2")]
    assert journal.begin(quiet_s, 149) == []
    assert journal.begin(quiet_s, 151) == [(1, "1"), (3, "3")]
    assert journal.begin(quiet_s, 151) == [], "each once"
    # A clock that was set back by hours must not hold up a study for hours.
    receive(4, "third", 20_000)
    assert journal.begin(quiet_s, 160) == [(4, "4")]
    journal.close()


def test_the_same_instance_is_stored_and_followed_once(tmp_path: Path) -> None:
    with archive() as there, running(tmp_path, f"SCANNER@127.0.0.1:{there.port}") as node:
        assert send(node.port, cine(1), cine(1)) == [0x0000, 0x0000]
        assert there.wait(lambda: len(there.came) == 1)
        assert node.wait(lambda: node.counts() == ({"done": 1}, {"sent": 1}))
        assert send(node.port, cine(1)) == [0x0000]
        assert node.follower.followed == [1]
        assert received(tmp_path) == {f"{cine(1).SOPInstanceUID}.dcm"}


def test_without_a_host_nothing_is_sent_and_the_results_stay(tmp_path: Path) -> None:
    with running(tmp_path, "SCANNER") as node:
        assert send(node.port, cine(1)) == [0x0000]
        assert node.wait(lambda: node.counts() == ({"done": 1}, {}))
        assert (tmp_path / "results" / cine(1).SOPInstanceUID / "report.sr.dcm").is_file()


def test_a_report_is_sent_again_until_it_is_taken(tmp_path: Path) -> None:
    with archive(refuse=[0xA700, 0xC000]) as there, running(tmp_path, f"SCANNER@127.0.0.1:{there.port}") as node:
        send(node.port, cine(1))
        assert there.wait(lambda: len(there.stored) == 1)
        assert node.wait(lambda: node.counts() == ({"done": 1}, {"sent": 1}))
        assert there.refuse == []


def test_a_report_waits_for_a_peer_that_is_away(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, f"SCANNER@127.0.0.1:{port}") as node:
        send(node.port, cine(1))
        assert node.wait(lambda: any("cannot be reached" in each.why for each in node.shelf.journal.failures()))
        with archive(port=port) as there:
            assert there.wait(lambda: len(there.stored) == 1)
            assert node.wait(lambda: node.counts() == ({"done": 1}, {"sent": 1}))
            assert node.shelf.journal.failures() == []


def test_a_failure_is_tried_twice_and_what_is_sent_again_is_tried_again(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        node.follower.fails[1] = [("the process which followed it ended (SIGKILL)", False)] * 2
        send(node.port, cine(1))
        assert node.wait(lambda: node.counts() == ({"failed": 1}, {}))
        assert node.follower.followed == [1, 1]
        (failure,) = node.shelf.journal.failures()
        assert (failure.uid, failure.what) == (cine(1).SOPInstanceUID, "instance")
        assert "SIGKILL" in failure.why
        assert send(node.port, cine(1)) == [0x0000]
        assert node.wait(lambda: node.counts() == ({"done": 1}, {}))


def test_a_full_disk_for_results_costs_no_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.node.service.PUT_OFF_S", 0.1)
    with running(tmp_path) as node:
        node.follower.fails[1] = [("expected to write there, found: No space left on device", True)] * 3
        send(node.port, cine(1))
        assert node.wait(lambda: node.counts() == ({"done": 1}, {}))
        assert len(node.follower.followed) == 4


# -- what a kill leaves ------------------------------------------------------------------------------------------------


def test_what_was_not_acknowledged_is_swept_away_and_what_was_at_work_begins_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(Cine("1.2", "1", "SCANNER", "127.0.0.1"), [b"cine"])
    assert shelf.journal.begin(0, 1e12) == [(1, "1.2")]
    (tmp_path / "received" / "9.9.dcm").write_bytes(b"never entered")
    (tmp_path / "received" / ".8.8.abcd.part").write_bytes(b"half")
    shelf.close()
    again = Shelf(tmp_path)
    assert received(tmp_path) == {"1.2.dcm"}
    assert again.journal.begin(0, 1e12) == [(1, "1.2")]
    again.close()


def test_an_instance_whose_file_was_taken_away_begins_anew_when_it_is_sent_again(tmp_path: Path) -> None:
    shelf, one = Shelf(tmp_path), Cine("1.2", "1", "SCANNER", "127.0.0.1")
    assert shelf.keep(one, [b"cine"])
    shelf.journal.done(1, ["sr"])
    assert not shelf.keep(one, [b"cine"])
    assert shelf.journal.counts()[0]["done"] == 1
    shelf.cine("1.2").unlink()
    shelf.keep(one, [b"cine"])
    assert shelf.cine("1.2").read_bytes() == b"cine"
    assert shelf.journal.counts()[0]["received"] == 1
    assert shelf.journal.due(1e12, 10) == [], "its report is made anew first"
    shelf.close()


def test_one_node_works_in_a_folder(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(OutputError, match="another echo-rt node at work"):
        Shelf(tmp_path)
    shelf.close()
    Shelf(tmp_path).close()


def test_a_journal_of_another_release_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        db.execute("CREATE TABLE other(x)")
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutputError, match="of version 1, found 99"):
        Shelf(tmp_path)


def test_a_report_that_was_given_up_is_tried_again_after_a_start(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(Cine("1.2", "1", "SCANNER", "127.0.0.1"), [b"cine"])
    shelf.journal.done(1, ["sr"])
    (due,) = shelf.journal.due(1.0, 10)
    shelf.journal.unsent(due, "away", None)
    assert shelf.journal.due(1e12, 10) == []
    shelf.close()
    again = Shelf(tmp_path)
    assert [each.kind for each in again.journal.due(1.0, 10)] == ["sr"]
    again.close()
