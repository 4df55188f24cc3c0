"""What ends a worker, a run or the disk costs `echo-rt archive` nothing that is whole."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from echo_rt.archive.keys import Document, Settings
from echo_rt.archive.ledger import Ledger, Row
from support.archive_runs import MODEL, begin, copied, documents, table_of, write_study
from support.program import echo_rt

pytest.importorskip("pyarrow", reason="needs the extra archive")
pytest.importorskip("fsspec", reason="needs the extra archive")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("export"))


def test_what_kills_or_hangs_a_worker_is_named_and_costs_no_other(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips", ("IM00000", "IM00001")), tmp_path / "results"
    for name in ("kills", "hangs"):
        (folder / name).write_bytes((folder / "IM00000").read_bytes())
    run = begin(folder, "--out", out, *MODEL, "--seconds-each", "8")
    _, errors = run.communicate()
    assert run.returncode == 2, errors
    found = {name: (row["status"], row["kind"], row["attempts"]) for name, row in table_of(out).items()}
    assert found == {
        "IM00000": ("ok", None, 1), "IM00001": ("ok", None, 1), "kills": ("failed", "killed", 2),
        "hangs": ("failed", "too long", 2),
    }  # fmt: skip


def test_what_swallows_memory_is_named(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips", ("IM00000",)), tmp_path / "results"
    (folder / "swallows").write_bytes((folder / "IM00000").read_bytes())
    run = begin(folder, "--out", out, *MODEL, "--memory-gb", "1")
    _, errors = run.communicate()
    assert run.returncode == 2, errors
    found = {name: (row["status"], row["kind"]) for name, row in table_of(out).items()}
    assert found == {"IM00000": ("ok", None), "swallows": ("failed", "too much memory")}


def test_a_killed_run_goes_on_where_it_was(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips", ("IM00000",)), tmp_path / "results"
    for number in range(1, 8):
        (folder / f"COPY{number}").write_bytes((folder / "IM00000").read_bytes())
    run = begin(folder, "--out", out, *MODEL)
    until = time.monotonic() + 120
    while len(documents(out)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    whole = documents(out)
    assert 3 <= len(whole) < 8
    assert not list(out.glob("table/*")), "the table was not written yet"
    run = begin(folder, "--out", out, *MODEL)
    run.communicate()
    assert run.returncode == 0
    after = documents(out)
    assert len(after) == len(table_of(out)) == 8
    assert whole.items() <= after.items(), "what was whole was not made again"


def test_a_full_disk_ends_the_run_in_one_line_and_keeps_what_is_whole(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips"), tmp_path / "results"
    run = begin("--full-after", "1", folder, "--out", out, *MODEL)
    _, errors = run.communicate()
    assert run.returncode == 2
    assert errors.decode().strip().splitlines()[-1].startswith(f"echo-rt: {out}")
    assert b"free some space" in errors
    whole = documents(out)
    assert echo_rt("archive", folder, "--out", out, *MODEL).returncode == 2
    assert whole.items() <= documents(out).items()
    assert len(table_of(out)) == 3


SETTINGS = Settings("abc", "0.1", {"fps": None})


def test_a_key_depends_on_each_of_its_parts() -> None:
    keys = {
        SETTINGS.key("a.dcm", "1"),
        SETTINGS.key("b.dcm", "1"),
        SETTINGS.key("a.dcm", "2"),
        Settings("abd", "0.1", {"fps": None}).key("a.dcm", "1"),
        Settings("abc", "0.2", {"fps": None}).key("a.dcm", "1"),
        Settings("abc", "0.1", {"fps": 30}).key("a.dcm", "1"),
    }
    assert len(keys) == 6
    document = Document.of("a.dcm", SETTINGS.key("a.dcm", "1"))
    assert Document.named(document.name) == document
    assert Document.named("recordings/ab/running.json") is None


def test_the_ledger_knows_what_waits_what_lacks_a_row_and_which_documents_are_old() -> None:
    with Ledger() as ledger:
        keys = {name: SETTINGS.key(name, "1") for name in "abcd"}
        there = [Document.of(name, keys[name]).name for name in "abc"]
        old = Document.of("a", SETTINGS.key("a", "0"))
        ledger.add_documents([*there, old.name, "recordings/xx/odd.txt"])
        failed = Row("b", keys["b"], "failed", "killed", None, None, 2)
        ledger.add_rows([Row("a", keys["a"], "ok", None, "s", "A4C", 1), failed])
        assert set(ledger.without_row()) == {Document.of("c", keys["c"]), old}
        assert [set(documents) for documents in ledger.doubles()] == [{old, Document.of("a", keys["a"])}]
        for name in "abcd":
            assert ledger.enter(name, name, keys[name], 10, again=False)
        assert not ledger.enter("d", "d", keys["d"], 10, again=False), "listed twice"
        assert [task.recording for task in ledger.waiting()] == ["d"]
        assert ledger.sizes() == (4, 1, 10)
        assert ledger.older(Document.of("a", keys["a"])) == [old]
    with Ledger() as ledger:
        ledger.add_documents(there)
        ledger.add_rows([failed])
        ledger.enter("b", "b", keys["b"], 10, again=True)
        assert [(task.recording, task.attempts) for task in ledger.waiting()] == [("b", 2)]


def test_memory_is_flat_from_a_thousand_to_a_hundred_thousand_recordings() -> None:
    import tracemalloc

    peaks = []
    for count in (1_000, 100_000):
        tracemalloc.start()
        with Ledger() as ledger:
            for number in range(count):
                ledger.enter(
                    f"s3://bucket/{number:09}.dcm", f"s3://bucket/{number:09}.dcm", f"{number:032x}", 1, again=False
                )
            assert sum(1 for _ in ledger.waiting()) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000, peaks
