"""`echo-rt archive`, from recordings to the table: a row each, nothing twice, the same wherever it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.archive_runs import MODEL, copied, documents, table_of, write_study
from support.program import echo_rt

pytest.importorskip("pyarrow", reason="needs the extra archive")
pytest.importorskip("fsspec", reason="needs the extra archive")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("export"))


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
    assert both["biplane"]["ef_percent"] is not None
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


def test_recordings_as_people_have_them_are_read_as_by_the_reader_alone(field: Path, tmp_path: Path) -> None:
    """A count of frames that the header lacks or has wrong, and a sequence without a clock."""
    folders = field / "frame-count-dicom", field / "medical-containers"
    run = echo_rt("archive", *folders, "--out", tmp_path / "out", "--device", "cpu", "--jobs", "2")
    rows = table_of(tmp_path / "out")
    assert {rows[f"{name}.dcm"]["status"] for name in ("missing", "one", "two_too_many")} == {"ok"}, run.stderr
    clockless = rows["patient0001_4CH_half_sequence.nii.gz"]
    assert (clockless["status"], clockless["kind"]) == ("failed", "needs an option")
    assert "--fps" in clockless["reason"]
