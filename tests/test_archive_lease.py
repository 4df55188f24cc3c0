"""At most one run at a time writes to a folder of results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from echo_rt.archive import lease
from echo_rt.archive.lease import RUNNING, Holder, Lease
from echo_rt.archive.places import Place, open_place
from echo_rt.errors import OutputError
from echo_rt.sources.known import ARCHIVE
from support.s3_server import s3_server

pytest.importorskip("fsspec", reason="needs the archive extra")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=["here", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty folder, on this machine or on a server."""
    monkeypatch.setattr(lease, "SETTLE_S", 0.01)
    if request.param == "here":
        return open_place(tmp_path / "results")
    return open_place(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


def another(place: Place, **changes: object) -> None:
    """Leave what another run would have left."""
    said = {"run": "other", "host": "elsewhere", "pid": 1, "born": "", "since": "2026-01-01", "seen": time.time()}
    place.write(RUNNING, json.dumps({**said, **changes}).encode())


def test_one_run_has_the_folder_until_it_leaves_and_marks_it_as_one_of_results(place: Place) -> None:
    for run in ("first", "second"):
        with Lease(place, run) as held:
            assert (holder := Holder.of(place)) is not None
            assert (holder.run, holder.pid, holder.is_alive) == (run, os.getpid(), True)
            with pytest.raises(OutputError, match=f"process {os.getpid()} on .* since 20"), Lease(place, "other"):
                pass
            held.check()
        assert list(place.names()) == [ARCHIVE]


def test_a_run_on_another_machine_is_waited_for_until_it_is_silent(place: Place) -> None:
    another(place)
    with pytest.raises(OutputError, match="process 1 on elsewhere since 2026-01-01; wait for it"), Lease(place, "me"):
        pass
    assert (holder := Holder.of(place)) is not None
    assert holder.run == "other"
    another(place, seen=time.time() - lease.STALE_S - 1)
    with Lease(place, "me"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a process began in a file")
def test_another_process_that_got_the_number_of_a_dead_run_keeps_nobody_out(place: Place) -> None:
    import socket

    another(place, host=socket.gethostname(), pid=os.getpid(), born="before this one")
    with Lease(place, "me"):
        pass


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b"null", b'{"run": "x"}', b'{"run": {}, "pid": "x"}'])
def test_what_says_nothing_keeps_nobody_out(place: Place, said: bytes) -> None:
    place.write(RUNNING, said)
    with Lease(place, "me"):
        pass


def test_a_run_says_again_and_again_that_it_is_alive_and_notices_when_another_took_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "REFRESH_S", 0.02)
    with Lease(place, "me") as held:
        first = Holder.of(place)
        until = time.monotonic() + 30
        while (now := Holder.of(place)) == first and time.monotonic() < until:
            time.sleep(0.01)
        assert first is not None
        assert now is not None
        assert now.seen > first.seen
        held.check()
        while held._lost is None and time.monotonic() < until:  # it may write at this moment
            another(place)
            time.sleep(0.05)
        with pytest.raises(OutputError, match="on elsewhere"):
            held.check()
    assert (holder := Holder.of(place)) is not None
    assert holder.run == "other"


def test_of_two_runs_that_begin_at_the_same_moment_one_goes_on(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.01)
    place = open_place(f"{bucket}/{tmp_path.name}")
    inner = Lease._say

    def overtaken(self: Lease) -> None:
        inner(self)
        another(place)

    monkeypatch.setattr(Lease, "_say", overtaken)
    with pytest.raises(OutputError, match="on elsewhere"), Lease(place, "me"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows kills otherwise")
def test_a_run_that_was_killed_is_followed_by_the_next_one_at_once(place: Place) -> None:
    code = (
        "import sys\nfrom echo_rt.archive.lease import Lease\nfrom echo_rt.archive.places import open_place\n"
        "with Lease(open_place(sys.argv[1]), 'killed'): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, place.address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=f"process {process.pid} on"), Lease(place, "me"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Lease(place, "me"):
            assert (holder := Holder.of(place)) is not None
            assert holder.run == "me"
