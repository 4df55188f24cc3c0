"""Results are for their owner alone unless told otherwise, and nobody's link leads them elsewhere."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from echo_rt import private
from echo_rt.errors import OutputError
from echo_rt.outputs.folder import Folder
from echo_rt.outputs.recorder import Recorder
from echo_rt.outputs.snapshot import write_snapshot
from support.looking import readings
from support.program import echo_rt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners of Unix")
HEART = "phantom:?height=120&width=160&fps=20&seconds=1"


@pytest.fixture(autouse=True)
def umask(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(private.SHARED, raising=False)
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[str, int]]:
    """The kinds and modes of a folder and all in it."""
    found = [folder, *folder.rglob("*")]
    return {("folder" if path.is_dir() else "file", stat.S_IMODE(path.lstat().st_mode)) for path in found}


CLOSED, OPEN = {("folder", 0o700), ("file", 0o600)}, {("folder", 0o755), ("file", 0o644)}


def results(out: Path) -> None:
    with Folder(out, "clip") as folder:
        folder.file("summary.json").write_text("{}")
        folder.commit()


def take(out: Path) -> None:
    update = readings()[0]
    recorder = Recorder(out, {})
    recorder.write(update.frame, update.reading, "phantom:", 1)
    recorder.close()


def snapshot(out: Path) -> None:
    update = readings()[0]
    write_snapshot(out, update.frame, update.reading)


WRITERS = pytest.mark.parametrize("write", [results, take, snapshot])


@WRITERS
def test_nobody_else_reads_what_is_written_unless_told_otherwise(write, tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "new" / "out")
    assert modes(tmp_path / "new") == CLOSED
    monkeypatch.setenv(private.SHARED, "1")
    write(tmp_path / "other" / "out")
    assert modes(tmp_path / "other") == OPEN


def test_the_program_closes_all_that_it_writes_and_shares_it_on_demand(tmp_path: Path) -> None:
    assert echo_rt("file", HEART, "--out", tmp_path / "own").returncode in (0, 2)
    assert modes(tmp_path / "own") == CLOSED
    assert len(list((tmp_path / "own").rglob("*.mp4"))) == 1
    assert echo_rt("--shared", "file", HEART, "--out", tmp_path / "ours", "--no-overlay").returncode in (0, 2)
    assert modes(tmp_path / "ours") == OPEN


def of_another(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root makes links of other users")
    os.lchown(path, 54321, -1)


@WRITERS
@pytest.mark.parametrize("where", ["out", "above"])
def test_a_link_of_somebody_else_is_refused_and_ones_own_is_followed(write, where: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    out = tmp_path / "link" if where == "out" else tmp_path / "link" / "deep"
    write(out)
    assert list((tmp_path / "real").iterdir())
    of_another(tmp_path / "link")
    before = sorted((tmp_path / "real").rglob("*"))
    with pytest.raises(OutputError, match="expected a folder or a link of yours, found a link of user 54321"):
        write(out)
    assert sorted((tmp_path / "real").rglob("*")) == before


def test_a_hidden_folder_that_another_has_laid_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / ".clip.part").mkdir()
    of_another(tmp_path / ".clip.part")
    with pytest.raises(OutputError, match=r"\.clip\.part: expected a folder of yours, found one of user 54321"):
        results(tmp_path)


def test_a_file_that_was_laid_as_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "summary.json").symlink_to(tmp_path / "victim")
    results(tmp_path)
    assert (tmp_path / "victim").read_text() == "untouched"
    assert not (tmp_path / "clip" / "summary.json").is_symlink()
    (tmp_path / "a.png").symlink_to(tmp_path / "victim")
    private.write_new(tmp_path / "a.png", b"picture")
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "a.png").read_bytes() == b"picture"
