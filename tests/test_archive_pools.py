"""Workers of an archive: what becomes of a job that ends its worker, hangs or takes too much, and of the others."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from echo_rt.commands import processes
from echo_rt.commands.worker import Bounds
from echo_rt.errors import DeviceError
from echo_rt.refused import Died, Refused
from support.light_work import Light, LightOpening, pool

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and sets limits of Linux")


def jobs(*names: str) -> list[Light]:
    return [Light(number, name) for number, name in enumerate(names)]


def outcomes(running, asked: list[Light]) -> dict[str, object]:
    """Those of jobs by their names; each has one."""
    for job in asked:
        running.submit(job)
    found = list(running.outcomes())
    assert sorted(job for job, _ in found) == sorted(asked)
    return {job.recording: outcome for job, outcome in found}


def is_over(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not (met := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    return met


@linux
def test_each_end_of_a_worker_is_said_by_its_kind_and_the_others_go_on(tmp_path: Path) -> None:
    good = [f"count {number}" for number in range(6)]
    bad = ["die", "sleep 600", "fill 4000", "ask 20000", "refuse", "err"]
    bounds = Bounds(seconds=2, memory_bytes=400_000_000)
    with pool(2, tmp_path, bounds) as running:
        found = outcomes(running, jobs(*good[:3], *bad, *good[3:]))
    assert {name: found[name] for name in good} == {name: f"{name}: done" for name in good}
    kinds = {name: getattr(found[name], "kind", None) for name in bad}
    assert kinds == {
        "die": "killed",
        "sleep 600": "too long",
        "fill 4000": "too much memory",
        "ask 20000": "too much memory",
        "refuse": None,
        "err": None,
    }
    said = {name: found[name].text for name in bad}
    assert "ended (SIGKILL)" in said["die"]
    assert "took longer than 2 s" in said["sleep 600"]
    assert "took more memory than 400 MB" in said["fill 4000"]
    assert said["ask 20000"].startswith("ask 20000: expected a result, found that it took more memory than 400 MB")
    assert found["refuse"] == Refused("this one is refused")
    assert "a defect of echo-rt (RuntimeError: nobody meant this, in light_work.py:" in said["err"]
    assert all("\n" not in text for text in said.values())


def test_without_bounds_a_worker_that_dies_is_replaced_and_nothing_is_done_twice(tmp_path: Path) -> None:
    asked = jobs("count a", "die", "count b", "die", "count c")
    with pool(1, tmp_path) as running:
        for job in asked:
            running.submit(job)
        found = dict(running.outcomes())
    assert [isinstance(found[job], Died) for job in asked] == [False, True, False, True, False]
    assert all(len(path.read_text().split()) == 1 for path in tmp_path.iterdir())
    had = [(tmp_path / f"{number}.txt").read_text() for number in range(5)]
    assert had[0] == had[1] != had[2] == had[3] != had[4]


@linux
def test_what_a_worker_began_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pool(1, tmp_path, Bounds(seconds=2)) as running:
        found = outcomes(running, jobs(f"begin {child}"))
    (outcome,) = found.values()
    assert isinstance(outcome, Died)
    assert is_over(lambda: is_no_more(int(child.read_text())))


def is_no_more(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked for its status has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_jobs_may_come_while_outcomes_do_and_a_pool_holds_only_what_it_has_not_answered(tmp_path: Path) -> None:
    count, most = 0, 0
    with pool(2, tmp_path) as running:
        for number in range(3):
            running.submit(Light(number, "count"))
        for job, outcome in running.outcomes():
            assert outcome == "count: done"
            count += 1
            most = max(most, len(running._waiting))
            if job.number + 3 < 40:
                running.submit(Light(job.number + 3, "count"))
    assert count == 40
    assert most <= 2


def test_a_worker_that_dies_idle_is_replaced(tmp_path: Path) -> None:
    with pool(1, tmp_path) as running:
        outcomes(running, jobs("count a"))
        running._running[0].process.kill()
        running._running[0].process.join()
        assert outcomes(running, [Light(7, "count b")]) == {"count b": "count b: done"}


@pytest.mark.parametrize(("deaths", "ends_well"), [(2, True), (100, False)])
def test_an_engine_that_takes_its_process_along_is_tried_a_few_times_and_no_more(
    deaths: int, ends_well: bool, tmp_path: Path
) -> None:
    seen, notes = tmp_path / "seen", tmp_path / "notes"
    seen.mkdir()
    notes.mkdir()
    with pool(1, notes, opening=LightOpening(seen, deaths)) as running:
        for job in jobs("die", "count"):
            running.submit(job)
        if ends_well:
            assert [type(outcome) for _, outcome in running.outcomes()] == [Died, str]
            assert len(list(seen.iterdir())) == 4
            return
        with pytest.raises(DeviceError, match=r"expected an engine in a process of its own, .* ended \(status 9\)"):
            list(running.outcomes())
    assert len(list(seen.iterdir())) == 6


@linux
def test_a_pinned_worker_has_one_processor_and_no_other_has_the_same(tmp_path: Path) -> None:
    from echo_rt.commands.workers import Workers

    usable = os.sched_getaffinity(0)
    count = min(2, len(usable))
    with Workers(count, LightOpening(), cores, pin=True) as running:
        for number in range(count):
            running.submit(Light(number, "cores"))
        found = [outcome for _, outcome in running.outcomes()]
    assert all(len(cores) == 1 for cores in found)
    assert len(set().union(*found)) == count
    assert set().union(*found) <= usable
    assert os.sched_getaffinity(0) == usable


def cores(job: Light, engine: None, tell: object) -> set[int]:
    time.sleep(1)  # so that each worker has one job
    return os.sched_getaffinity(0)


@linux
def test_a_job_over_its_time_is_ended_also_where_nobody_watches(tmp_path: Path) -> None:
    """The driver waits for a disk, or was killed."""
    with pool(1, tmp_path, Bounds(seconds=0.5)) as running:
        running._end_overdue = lambda: None
        assert [outcome.kind for outcome in outcomes(running, jobs("sleep 600")).values()] == ["too long"]


@linux
def test_a_family_is_a_process_and_all_below_it() -> None:
    import subprocess

    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as begun:
        assert is_over(lambda: len(processes.family(begun.pid)) == 2)
        found = processes.family(begun.pid)
        assert found[0].pid == begun.pid
        assert 1_000_000 < processes.memory_bytes(found[:1]) < processes.memory_bytes(found) < 500_000_000
        others = [process._replace(began=process.began + 1) for process in found]
        processes.end(others)  # what has the numbers now is somebody else's
        assert begun.poll() is None
        processes.end(found)
        assert begun.wait() != 0
    assert is_over(lambda: all(is_no_more(process.pid) for process in found))
    assert processes.family(2**22 + 5) == []


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    import multiprocessing

    assert multiprocessing.active_children() == []
