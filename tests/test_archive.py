"""`echo-rt archive`, from recordings to the table: what is finished stays, what is not is made, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest

from echo_rt.archive.keys import Document, Settings
from echo_rt.archive.ledger import Ledger, Row
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.phantom.phantom import open_phantom
from support.program import echo_rt

pytest.importorskip("pyarrow", reason="needs the extra archive")
fsspec = pytest.importorskip("fsspec", reason="needs the extra archive")

CLIP = "seed=5&seconds=1&fps=25&height=120&width=160&hr=120&ef=50&overlay=0"
TESTS = Path(__file__).resolve().parent
MODEL = ("--device", "cpu", "--model", "lv-phantom", "--jobs", "2")


def table_of(out: Path | str) -> dict[str, dict[str, Any]]:
    """The rows by the recording's file name."""
    from pyarrow import parquet

    files = fsspec.open_files(f"{out}/table/*.parquet")
    rows = []
    for file in files:
        with file as stream:
            rows += parquet.read_table(stream).to_pylist()
    assert len({row["recording"] for row in rows}) == len(rows), "a recording is twice in the table"
    return {row["recording"].rpartition("/")[2]: row for row in rows}


def documents(out: Path) -> dict[str, float]:
    """When each document was written."""
    return {path.name: path.stat().st_mtime for path in out.glob("recordings/*/*.json")}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study as a PACS exports it: two views, a still, a report, a DICOMDIR, and a file that is cut off."""
    folder = tmp_path_factory.mktemp("export") / "DICOM" / "ST0001"
    folder.mkdir(parents=True)
    for number, view in enumerate(("A4C", "A2C")):
        path = folder / f"IM{number:05}"
        write_dicom(open_phantom(f"phantom:?{CLIP}&named={view}"), path)
        data = pydicom.dcmread(path)
        data.StudyInstanceUID, data.PatientID = "1.2.3.4", "Smith123"
        data.save_as(path, enforce_file_format=True)
    data.NumberOfFrames = 1
    data.save_as(folder / "IM00002", enforce_file_format=True)
    data.Modality = "SR"
    del data.PixelData, data.NumberOfFrames, data.Rows
    data.save_as(folder / "IM00003", enforce_file_format=True)
    (folder / "IM00004").write_bytes((folder / "IM00000").read_bytes()[:20000])
    (folder.parent / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
    (folder / "README.TXT").write_text("Viewer: run autorun.exe")
    return folder.parent


@pytest.fixture(scope="module")
def results(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of it."""
    out = tmp_path_factory.mktemp("results") / "results"
    run = echo_rt("archive", study, "--out", out, *MODEL)
    assert run.returncode == 2, run.stderr
    assert "5 recordings in " in run.stdout
    assert "1 of them failed" in run.stdout
    assert "IM00004: damaged" in run.stderr
    return out


def test_each_recording_has_one_row_with_its_status_and_reason(results: Path) -> None:
    rows = table_of(results)
    assert {name: row["status"] for name, row in rows.items()} == {
        "IM00000": "ok", "IM00001": "ok", "IM00002": "skipped", "IM00003": "skipped", "IM00004": "failed",
    }  # fmt: skip
    assert "still image" in rows["IM00002"]["reason"]
    assert "modality SR" in rows["IM00003"]["reason"]
    assert "IM00004: expected " in rows["IM00004"]["reason"]
    assert {row["attempts"] for row in rows.values()} == {1}


def test_figures_are_those_of_the_recording_alone(results: Path, study: Path) -> None:
    import echo_rt as package

    for name in ("IM00000", "IM00001"):
        row = table_of(results)[name]
        alone = package.process(study / "ST0001" / name, "lv-phantom", device="cpu").to_dict()
        for column in ("ef_percent", "ef_low", "ef_high", "view", "heart_rate_bpm", "fac_percent", "frames"):
            assert row[column] == alone[column], column
        assert row["edv_ml"] == alone["edv"]


def test_views_of_one_study_are_joined(results: Path, study: Path) -> None:
    import echo_rt as package

    rows = table_of(results)
    both = package.process(
        study / "ST0001" / "IM00000", "lv-phantom", device="cpu", a2c=study / "ST0001" / "IM00001"
    ).to_dict()
    for name, other in (("IM00000", "IM00001"), ("IM00001", "IM00000")):
        assert rows[name]["biplane_ef_percent"] == both["biplane"]["ef_percent"]
        assert rows[name]["biplane_with"].endswith(other)


def test_the_same_command_again_follows_nothing(results: Path, study: Path) -> None:
    before, rows = documents(results), table_of(results)
    run = echo_rt("archive", study, "--out", results, *MODEL)
    assert run.returncode == 2
    assert documents(results) == before
    assert table_of(results) == rows


def test_status_and_table_say_what_is_there(results: Path, tmp_path: Path) -> None:
    said = echo_rt("archive", "status", results)
    assert said.stdout.startswith("5 recordings: 2 ok, 0 no-ef, 2 skipped, 1 failed (1 damaged)\n")
    assert "IM00004" in said.stdout
    found = json.loads(echo_rt("archive", "status", results, "--json").stdout)
    assert found["recordings"] == {"ok": 2, "no-ef": 0, "skipped": 2, "failed": 1}
    assert [failure["kind"] for failure in found["failed"]] == ["damaged"]
    for suffix in ("parquet", "csv", "xlsx"):
        assert echo_rt("archive", "table", results, "-o", tmp_path / f"ef.{suffix}").returncode == 0
        assert (tmp_path / f"ef.{suffix}").stat().st_size > 1000
    lines = (tmp_path / "ef.csv").read_text().splitlines()
    assert len(lines) == 6
    nothing = echo_rt("archive", "status", tmp_path / "nothing")
    assert nothing.returncode == 2
    assert "expected the results of echo-rt archive" in nothing.stderr


def copied(study: Path, folder: Path, names: tuple[str, ...] = ("IM00000", "IM00001", "IM00004")) -> Path:
    """Some recordings of the study, in a folder of their own."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes((study / "ST0001" / name).read_bytes())
    return folder


SAME = ("attempts", "host", "seconds", "finished_at", "recording", "key", "biplane_with", "reason")


def figures(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows without what two runs may differ in, and without addresses."""
    return {name: {c: v for c, v in row.items() if c not in SAME} for name, row in rows.items()}


def test_a_file_that_changed_is_followed_again_and_replaces_its_row(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips"), tmp_path / "results"
    echo_rt("archive", folder, "--out", out, *MODEL)
    before, old = documents(out), table_of(out)
    (folder / "IM00004").write_bytes((study / "ST0001" / "IM00001").read_bytes())
    run = echo_rt("archive", folder, "--out", out, *MODEL)
    assert run.returncode == 0, run.stderr
    rows = table_of(out)
    assert (old["IM00004"]["status"], rows["IM00004"]["status"]) == ("failed", "ok")
    after = documents(out)
    assert len(after) == 3
    assert len(after.keys() & before.keys()) == 2, "two recordings stayed as they were"


def test_other_options_are_other_work_and_failed_ones_are_tried_again_on_demand(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips", ("IM00000", "IM00004")), tmp_path / "results"
    echo_rt("archive", folder, "--out", out, *MODEL)
    echo_rt("archive", folder, "--out", out, *MODEL, "--retry-failed")
    rows = table_of(out)
    assert {name: row["attempts"] for name, row in rows.items()} == {"IM00000": 1, "IM00004": 2}
    run = echo_rt("archive", folder, "--out", out, *MODEL, "--masks", "--overlay")
    assert run.returncode == 2
    rows = table_of(out)
    for kind in ("masks", "overlay"):
        assert (out / rows["IM00000"][kind]).stat().st_size > 1000
        assert rows["IM00004"][kind] is None
    assert len(documents(out)) == 2
    echo_rt("archive", folder, "--out", out, *MODEL)
    assert not list(out.glob("files/**/*.*")), "files of other options are gone with their document"


def test_server_ray_and_processes_come_to_the_same_rows(study: Path, results: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    from support.s3_server import files, s3_server

    with s3_server() as bucket:
        for path in sorted(study.rglob("*")):
            if path.is_file():
                files().pipe_file(f"{bucket}/in/{path.relative_to(study)}", path.read_bytes())
        run = echo_rt("archive", f"{bucket}/in", "--out", f"{bucket}/out", *MODEL)
        assert "5 recordings in s3://" in run.stdout, run.stderr
        again = echo_rt("archive", f"{bucket}/in", "--out", f"{bucket}/out", *MODEL)
        assert again.returncode == 2
        served = table_of(f"{bucket}/out")
        assert {row["attempts"] for row in served.values()} == {1}
    run = echo_rt("archive", study, "--out", tmp_path / "ray", *MODEL, "--ray", "local")
    assert run.returncode == 2, run.stderr
    here = figures(table_of(results))
    assert figures(served) == here
    assert figures(table_of(tmp_path / "ray")) == here


def test_results_name_nobody_where_pseudonyms_are_asked_for(study: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef")
    out = tmp_path / "results"
    run = echo_rt("archive", study, "--out", out, *MODEL, "--pseudonymise", key)
    assert run.returncode == 2, run.stderr
    assert "IM0000" not in run.stderr + run.stdout
    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in (b"IM0000", b"Smith123", b"ST0001", str(study).encode()) if word in content]
    again = echo_rt("archive", study, "--out", out, *MODEL, "--pseudonymise", key)
    assert '"ok": 2' in again.stderr
    assert len(table_of(out)) == 5


def begin(*arguments: object) -> subprocess.Popen[bytes]:
    """A run with poison in its work, in a process group of its own."""
    code = "import sys; from support.poison import drive; drive(sys.argv[1:])"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=-1, stderr=-1)


def test_what_kills_or_hangs_or_swallows_a_worker_is_named_and_costs_no_other(study: Path, tmp_path: Path) -> None:
    folder, out = copied(study, tmp_path / "clips", ("IM00000", "IM00001")), tmp_path / "results"
    for name in ("kills", "hangs", "swallows"):
        (folder / name).write_bytes((folder / "IM00000").read_bytes())
    run = begin(folder, "--out", out, *MODEL, "--seconds-each", "15", "--memory-gb", "1.5")
    _, errors = run.communicate()
    assert run.returncode == 2, errors
    rows = table_of(out)
    found = {name: (row["status"], row["kind"], row["attempts"]) for name, row in rows.items()}
    assert found == {
        "IM00000": ("ok", None, 1), "IM00001": ("ok", None, 1), "kills": ("failed", "killed", 2),
        "hangs": ("failed", "too long", 2), "swallows": ("failed", "too much memory", 2),
    }  # fmt: skip


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
