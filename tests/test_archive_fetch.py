"""Recordings that lie elsewhere are copied here for as long as they are followed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from echo_rt.archive import fetch
from echo_rt.archive.fetch import fetched, named
from echo_rt.errors import SourceError, SourceNotFoundError
from echo_rt.sources import open_source
from support import clips
from support.s3_server import files, s3_server

pytest.importorskip("fsspec", reason="needs the archive extra")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies are made: an empty folder of the test's own."""
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    fetch._sweep.cache_clear()
    return folder


def upload(path: Path, address: str) -> str:
    for inside in [path] if path.is_file() else path.rglob("*"):
        if inside.is_file():
            more = "" if inside == path else f"/{inside.relative_to(path).as_posix()}"
            files().pipe_file(address + more, inside.read_bytes())
    return address


def test_what_is_here_is_given_as_it_is_and_stays(tmp_path: Path, copies: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    for address in (str(tmp_path / "a.dcm"), str(tmp_path), str(tmp_path / "missing"), "phantom:?ef=55"):
        with fetched(address) as path:
            assert str(path) == address
            assert list(copies.iterdir()) == []
    assert (tmp_path / "a.dcm").exists()


def test_a_recording_elsewhere_is_a_copy_under_its_own_name_for_its_owner_alone_and_goes(
    bucket: str, tmp_path: Path, copies: Path
) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4", clips.grey_images(3))
    address = upload(clip, f"{bucket}/a/clip 1 ä.mp4")
    with fetched(address) as path:
        assert path.name == "clip 1 ä.mp4"
        assert path.read_bytes() == clip.read_bytes()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert named(f"{path}: expected more", path, address) == f"{address}: expected more"
    with pytest.raises(ZeroDivisionError), fetched(address):
        raise ZeroDivisionError
    assert list(copies.iterdir()) == []


def test_a_folder_that_is_one_recording_is_copied_whole(bucket: str, tmp_path: Path, copies: Path) -> None:
    clips.write_images(tmp_path / "frames", clips.grey_images(12))
    (tmp_path / "frames" / ".hidden").write_text("left out")
    address = upload(tmp_path / "frames", f"{bucket}/b/frames")
    with fetched(address) as path:
        assert path.name == "frames"
        assert ".hidden" not in os.listdir(path)
        with open_source(path, fps=25) as source:
            assert len(list(source)) == 12
    assert list(copies.iterdir()) == []


def test_a_header_brings_the_file_of_its_samples_along(bucket: str, tmp_path: Path) -> None:
    pytest.importorskip("nrrd", reason="needs the volumes extra")
    from support import volumes

    (tmp_path / "volumes").mkdir()
    volumes.metaimage(tmp_path / "volumes" / "sweep.mhd", data="sweep.raw")
    volumes.nrrd_file(tmp_path / "volumes" / "scan.nhdr", volumes.along_x(volumes.IMAGES))
    upload(tmp_path / "volumes", f"{bucket}/volumes")
    for name in ("sweep.mhd", "scan.nhdr"):
        with fetched(f"{bucket}/volumes/{name}") as path, open_source(path, fps=25) as source:
            assert len(list(source)) == 12
    files().rm_file(f"{bucket}/volumes/sweep.raw")
    with (
        fetched(f"{bucket}/volumes/sweep.mhd") as path,
        pytest.raises(SourceError, match=r"sweep\.raw beside it"),
        open_source(path, fps=25) as source,
    ):
        list(source)


def test_what_is_missing_is_told_apart_from_a_network_that_fails(
    bucket: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in (f"{bucket}/none.dcm", "s3://nobody/none.dcm", "memory://none/at/all"):
        with pytest.raises(SourceNotFoundError, match="found nothing there"), fetched(missing):
            pass
    files().pipe_file(f"{bucket}/there.dcm", b"x" * 1000)

    def broken(path: str, target: str) -> None:
        Path(target).write_bytes(b"x")
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(files(), "get_file", broken)
    with pytest.raises(SourceError, match="reset by peer") as caught, fetched(f"{bucket}/there.dcm"):
        pass
    assert not isinstance(caught.value, FileNotFoundError)
    monkeypatch.setattr(files(), "get_file", lambda path, target: Path(target).write_bytes(b"x"))
    with pytest.raises(SourceError, match="expected 1,000 bytes, found 1"), fetched(f"{bucket}/there.dcm"):
        pass

    def refused(path: str) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(files(), "info", refused)
    with pytest.raises(SourceError, match=r"may not be read.*Forbidden"), fetched(f"{bucket}/there.dcm"):
        pass
    assert list(copies.iterdir()) == []


class Usage(NamedTuple):
    free: int


def test_a_disk_without_room_is_one_line_that_says_so(
    bucket: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files().pipe_file(f"{bucket}/large.dcm", b"x" * 3_000_000)
    line = rf"room for a copy in {copies}, found 1 MB for 3 MB; free some, or set TMPDIR to another folder\Z"
    with monkeypatch.context() as patched, pytest.raises(SourceError, match=line):
        patched.setattr(shutil, "disk_usage", lambda path: Usage(fetch.RESERVE_BYTES + 1_000_000))
        with fetched(f"{bucket}/large.dcm"):
            pass

    def full(path: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files(), "get_file", full)
    with pytest.raises(SourceError, match="set TMPDIR"), fetched(f"{bucket}/large.dcm"):
        pass


@pytest.mark.parametrize("name", ["x" * 300 + ".nii.gz", "ä" * 150 + ".dcm", "a\\b.dcm"])
def test_a_name_that_no_disk_takes_is_changed_but_for_its_suffix(name: str) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file(f"/named/{name}", b"content")
    with fetched(f"memory://named/{name}") as path:
        assert path.read_bytes() == b"content"
        assert len(os.fsencode(path.name)) <= fetch.NAME_BYTES
        assert path.suffixes == Path(name).suffixes


def path_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_the_copies_of_killed_processes_are_removed_and_those_of_others_stay(bucket: str, copies: Path) -> None:
    files().pipe_file(f"{bucket}/a.dcm", b"x")
    code = (
        "import sys\nfrom echo_rt.archive.fetch import fetched\n"
        "with fetched(sys.argv[1]) as path: print(path, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, f"{bucket}/a.dcm"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as at_work,
    ):
        left, kept = (Path(path_from(process)) for process in (killed, at_work))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.exists()
        with fetched(f"{bucket}/a.dcm"):
            assert (left.parent.exists(), kept.exists()) == (False, True)
        at_work.communicate("")
    assert list(copies.iterdir()) == []
