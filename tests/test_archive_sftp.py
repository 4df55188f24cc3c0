"""Archives and results on an SFTP server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from echo_rt.archive.fetch import fetched
from echo_rt.archive.lease import Lease
from echo_rt.archive.listing import listed
from echo_rt.archive.places import open_place
from echo_rt.errors import OutputError, SourceError, SourceNotFoundError
from support import clips

pytest.importorskip("fsspec", reason="needs the archive extra")
pytest.importorskip("paramiko", reason="needs an SFTP server and a client: pip install paramiko")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the server shows the paths of Linux and macOS")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from fsspec.implementations.sftp import SFTPFileSystem

    from support.sftp_server import sftp_server

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sftp_server(tmp_path / "home") as address:
        yield address
        for files in SFTPFileSystem._cache.values():
            files.client.close()
        SFTPFileSystem.clear_instance_cache()


def test_recordings_are_listed_and_copied_as_those_here(server: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    clips.write_images(archive / "frames", clips.grey_images(3))
    clips.write_dicom(archive / "IM_0001", clips.dicom_dataset(clips.grey_images(2)))
    (archive / "notes").write_text("none")
    (archive / "linked.dcm").symlink_to(archive / "IM_0001")
    here = [entry.address for entry in listed([str(archive)])]
    there = list(listed([f"{server}{archive}"]))
    assert [entry.address for entry in there] == [
        f"{server}{archive}/{name}" for name in ("IM_0001", "frames", "linked.dcm")
    ]
    assert set(here) == {str(archive / name) for name in ("IM_0001", "frames")}
    assert there[0].size == (archive / "IM_0001").stat().st_size
    assert list(listed([f"{server}{archive}/IM*"])) == list(listed([f"{server}{archive}/IM_0001"])) == there[:1]
    with fetched(there[0].address) as path:
        assert path.read_bytes() == (archive / "IM_0001").read_bytes()
    with pytest.raises(SourceNotFoundError), fetched(f"{server}{archive}/none"):
        pass


def test_results_are_written_there_in_steps_and_one_run_at_a_time(server: str, tmp_path: Path) -> None:
    place = open_place(f"{server}{tmp_path}/results")
    for content in (b"first", b"second"):
        place.write("a/b.json", content)
    (tmp_path / "masks.npz").write_bytes(b"masks")
    place.put(tmp_path / "masks.npz", "files/masks.npz")
    assert list(place.names()) == ["a/b.json", "files/masks.npz"]
    assert place.read("a/b.json") == (tmp_path / "results" / "a" / "b.json").read_bytes() == b"second"
    assert [path.name for path in (tmp_path / "results" / "a").iterdir()] == ["b.json"]
    with Lease(place, "first"), pytest.raises(OutputError, match="expected no other run"), Lease(place, "second"):
        pass
    place.delete("a/b.json")
    assert list(place.names("a")) == []


def test_a_server_whose_key_is_not_known_is_not_talked_to(server: str, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(SourceError, match=r"the key of \[127\.0\.0\.1\].*connect once with ssh"):
        list(listed([f"{server}{tmp_path}"]))
    with pytest.raises(OutputError, match="connect once with ssh"):
        open_place(f"{server}{tmp_path}/results").write("a", b"patient")
    assert not (tmp_path / "results").exists()
