"""Folders of results, here and on a server."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from echo_rt.archive.places import Place, open_place
from echo_rt.errors import OutputError, ParameterError
from support.s3_server import files, s3_server

pytest.importorskip("fsspec", reason="needs the archive extra")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=["here", "s3", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty folder: on this machine, on a server, in a file system of fsspec."""
    if request.param == "here":
        return open_place(tmp_path / "results")
    if request.param == "memory":
        return open_place(f"memory://{tmp_path.name}")
    return open_place(f"{request.getfixturevalue('bucket')}/{tmp_path.name}/results/")


def test_what_was_written_is_read_and_listed_in_order_and_deleted(place: Place) -> None:
    assert list(place.names()) == []
    for name in ("b/2.json", "a.json", "b/1.json", "b/c/3.json"):
        place.write(name, name.encode())
    assert list(place.names()) == ["a.json", "b/1.json", "b/2.json", "b/c/3.json"]
    assert list(place.names("b")) == ["b/1.json", "b/2.json", "b/c/3.json"]
    assert list(place.names("b/c/")) == ["b/c/3.json"]
    assert list(place.names("none")) == list(place.names("a.json/x")) == []
    place.write("a.json", b"anew")
    assert place.read("a.json") == b"anew"
    with pytest.raises(FileNotFoundError):
        place.read("none")
    for _ in range(2):
        place.delete("b/1.json")
    assert list(place.names("b")) == ["b/2.json", "b/c/3.json"]
    with pytest.raises(FileNotFoundError):
        place.read("b/1.json")


def test_a_new_file_takes_the_place_of_no_other(place: Place) -> None:
    place.write("a.json", b"first", new=True)
    with pytest.raises(FileExistsError):
        place.write("a.json", b"second", new=True)
    assert place.read("a.json") == b"first"


def test_files_and_folders_are_copied_there(place: Place, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "masks.npz").write_bytes(b"masks")
    (made / "overlay.mp4").write_bytes(bytes(range(256)) * 5000)
    place.put(made, "files/ab/clip")
    place.put(made / "masks.npz", "files/one.npz")
    assert list(place.names()) == ["files/ab/clip/masks.npz", "files/ab/clip/overlay.mp4", "files/one.npz"]
    assert place.read("files/ab/clip/overlay.mp4") == (made / "overlay.mp4").read_bytes()
    with pytest.raises(OSError, match="none"):
        place.put(made / "none", "files/none")
    assert "files/none" not in list(place.names())


def test_a_large_file_is_sent_in_parts(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, asked = files(), []
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: 5 * 2**20)
    inner = type(store)._call_s3

    async def watched(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(method)
        return await inner(self, method, *args, **kwargs)

    monkeypatch.setattr(type(store), "_call_s3", watched)
    (tmp_path / "large").write_bytes(os.urandom(2**20) * 11)
    place = open_place(f"{bucket}/large")
    place.put(tmp_path / "large", "large")
    assert asked.count("upload_part") == 3
    assert place.read("large") == (tmp_path / "large").read_bytes()


def in_another_process(place: Place, name: str) -> list[str]:
    place.write(name, b"from there")
    return [place.read("here").decode(), *place.names()]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_place_works_in_other_processes_which_see_what_the_others_write(
    bucket: str, tmp_path: Path, method: str
) -> None:
    for place in (open_place(tmp_path), open_place(f"{bucket}/{tmp_path.name}")):
        assert pickle.loads(pickle.dumps(place)) == place
        place.write("here", b"from here")
        assert list(place.names()) == ["here"]
        with ProcessPoolExecutor(1, get_context(method)) as pool:
            assert pool.submit(in_another_process, place, "there").result() == ["from here", "here", "there"]
        assert list(place.names()) == ["here", "there"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_place_works_after_a_fork(bucket: str, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from echo_rt.archive.places import open_place\n"
        "place = open_place(sys.argv[1]); place.write('here', b'x'); child = os.fork()\n"
        "if child == 0: place.write('there', b'x'); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0; print(*place.names())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, f"{bucket}/{tmp_path.name}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["here", "there"], done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_files_here_are_for_their_owner_alone_unless_they_are_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o022)
    try:
        open_place(tmp_path / "mine").write("a/b.json", b"x")
        monkeypatch.setenv("ECHO_RT_SHARED", "1")
        open_place(tmp_path / "ours").write("a/b.json", b"x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("mine", "mine/a/b.json", "ours/a/b.json")]
    assert modes == [0o700, 0o600, 0o644]


def test_a_link_at_a_files_place_is_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("untouched")
    (tmp_path / "a.json").symlink_to(tmp_path / "other")
    open_place(tmp_path).write("a.json", b"mine")
    assert (tmp_path / "other").read_text() == "untouched"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_full_disk_leaves_what_was_there_and_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = open_place(tmp_path)
    place.write("a.json", b"before")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="free some space") as caught:
        place.write("a.json", b"after")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert place.read("a.json") == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_what_killed_processes_have_half_written_is_no_result_and_is_tidied_away(tmp_path: Path) -> None:
    place = open_place(tmp_path)
    place.write("a/b.json", b"x")
    for name, age_s in ((".b.json.1234.part", 7200), (".c.json.1234.part", 0)):
        (tmp_path / "a" / name).write_bytes(b"half")
        os.utime(tmp_path / "a" / name, (time.time() - age_s,) * 2)
    assert list(place.names()) == ["a/b.json"]
    place.tidy()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".c.json.1234.part", "b.json"]


def test_a_store_that_refuses_is_an_output_error_of_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="s3://nobody/x/a: expected to write there") as caught:
        open_place("s3://nobody/x").write("a", b"x")
    assert isinstance(caught.value.__cause__, OSError)
    assert "\n" not in str(caught.value)
    assert list(open_place("s3://nobody/x").names()) == []

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("of a library")

    monkeypatch.setattr(files(), "pipe_file", broken)
    with pytest.raises(OutputError, match="of a library"):
        open_place(bucket).write("a", b"x")


def test_where_files_are_written_in_steps_half_a_file_is_never_at_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.archive.places.OBJECT_STORES", frozenset())
    place = open_place("memory://steps")
    place.write("a/b.json", b"before")
    from fsspec.implementations.memory import MemoryFileSystem

    inner = MemoryFileSystem.pipe_file

    def cut(self: Any, path: str, value: bytes, **kwargs: Any) -> None:
        inner(self, path, value[:3], **kwargs)
        raise ConnectionError("lost")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", cut)
    with pytest.raises(OutputError, match="lost"):
        place.write("a/b.json", b"after")
    assert place.read("a/b.json") == b"before"
    assert [path for path in MemoryFileSystem.store if path.startswith("/steps")] == ["/steps/a/b.json"]


def test_a_place_is_named_by_a_path_or_by_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "results")
    assert open_place("results").address == open_place("./results/").address == here
    assert open_place(f"file://{here}").address == open_place(Path("results")).address == here
    assert open_place("results").local == tmp_path / "results"
    assert open_place("S3://bucket/results/").address == "s3://bucket/results"
    assert open_place("s3://bucket/results").local is None
    Path("file").write_text("")
    for wrong, why in {
        "": "an empty name", "file": "found a file", "s3://": "found none", "gopher://x/y": "check its spelling",
        "http://x/y": "check its spelling", "s3://key:secret@bucket/x": "found a password or key",
        "sftp://me:secret@host/x": "found a password or key",
    }.items():  # fmt: skip
        with pytest.raises(ParameterError, match=why) as caught:
            open_place(wrong)
        assert "secret@" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ParameterError, match="run  pip install gcsfs"):
        open_place("gs://bucket/results")
