"""The pool of Ray's actors: the same outcomes as a pool of processes, and a run that outlives lost machines."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from echo_rt.archive import ray_pool
from echo_rt.archive.cluster import shares
from echo_rt.archive.host import Host, Unfit
from echo_rt.archive.ray_pool import RayPool
from echo_rt.commands.worker import Bounds
from echo_rt.errors import DeviceError, MissingExtraError
from echo_rt.refused import Died
from support.light_work import Light, maker, pool

ray: Any = pytest.importorskip("ray", reason="ray is not installed")
cluster_utils: Any = pytest.importorskip("ray.cluster_utils", reason="ray is not installed")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="two nodes on one machine: tried on Linux"),
    # Ray leaves sockets and files of its own to the collector.
    pytest.mark.filterwarnings("default::ResourceWarning", "default::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("default:.*:FutureWarning", "default:.*:DeprecationWarning"),
]

STORE = 80_000_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray's head with two processors, and this process connected to it."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for actors, which take the work from tests/support
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)  # else Ray leaves one in the user's home
        patch.setenv("RAY_AUTH_MODE", "")  # Ray sets it for good
        patch.delenv("RAY_AUTH_MODE")
        made = cluster_utils.Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "object_store_memory": STORE, "include_dashboard": False},
        )
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def address(cluster: Any) -> str:
    return str(cluster.address)


def outcomes(running: Any, asked: list[Light]) -> dict[str, object]:
    """Those of jobs by their names; each has one."""
    for job in asked:
        running.submit(job)
    found = list(running.outcomes())
    assert sorted(job for job, _ in found) == sorted(asked)
    return {job.recording: outcome for job, outcome in found}


def test_outcomes_are_those_of_a_pool_of_processes(address: str, tmp_path: Path) -> None:
    names = ["count a", "die", "sleep 600", "count b", "ask 20000", "refuse", "err", "count c"]
    asked = [Light(number, name) for number, name in enumerate(names)]
    bounds = Bounds(seconds=2, memory_bytes=400_000_000)
    with pool(2, tmp_path, bounds) as running:
        expected = outcomes(running, asked)
    with RayPool(address, None, maker(tmp_path, bounds)) as distributed:
        assert distributed.workers == 2
        assert outcomes(distributed, asked) == expected
    assert [getattr(expected[name], "kind", None) for name in names[1:5]] == [
        "killed",
        "too long",
        None,
        "too much memory",
    ]


def test_a_machine_that_is_lost_in_the_middle_costs_no_task_its_outcome(
    cluster: Any, address: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = cluster.add_node(num_cpus=2, object_store_memory=STORE)
    cluster.wait_for_nodes()
    asked = [Light(number, "sleep 0.3") for number in range(40)]
    found: list[tuple[Light, object]] = []
    with RayPool(address, None, maker(tmp_path)) as running:
        assert running.workers == 4
        for job in asked:
            running.submit(job)
        for pair in running.outcomes():
            found.append(pair)
            if len(found) == 12:
                assert len(running._actors) == 4
                cluster.remove_node(other, allow_graceful=False)
    assert sorted(job for job, _ in found) == asked
    assert capfd.readouterr().out == "", "results alone go to standard output"
    assert {outcome for _, outcome in found} == {"sleep 0.3: done"}
    begun = [len((tmp_path / f"{number}.txt").read_text().split()) for number in range(40)]
    assert max(begun) > 1, "no task was under way on the machine that was lost"


def test_a_task_that_is_lost_again_and_again_is_named_and_the_others_go_on(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RayPool(address, 1, maker(tmp_path)) as running:
        handed = running._hand_out

        def hand_out() -> bool:
            at_work = handed()
            for actor in running._actors:
                if actor.task is not None and actor.task.recording == "sleep 60":
                    ray.kill(actor.handle)
            return at_work

        monkeypatch.setattr(running, "_hand_out", hand_out)
        found = outcomes(running, [Light(0, "sleep 60"), Light(1, "count")])
    assert found["count"] == "count: done"
    died = found["sleep 60"]
    assert isinstance(died, Died)
    assert died.text.startswith("sleep 60: expected a result, found that 5 actors of Ray ended one after the other")
    assert "\n" not in died.text


def test_where_no_machine_takes_on_work_the_run_ends_with_a_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "NONE_S", 1.0)
    monkeypatch.setattr(ray_pool, "gpu_share", lambda: 1.0)  # of a GPU that the cluster does not have
    with RayPool(address, None, maker(tmp_path), gpus=True) as running:
        running.submit(Light(0, "count"))
        with pytest.raises(DeviceError, match=r"expected a machine of the Ray cluster to take on work, found none"):
            list(running.outcomes())


def test_an_engine_that_cannot_be_opened_is_an_error_of_the_run(address: str) -> None:
    from functools import partial

    with (
        RayPool(address, 1, partial(without_engine)) as running,
        pytest.raises(DeviceError, match=r"^\S+: expected a device, found none$"),
    ):
        running.submit(Light(0, "count"))
        list(running.outcomes())


def without_engine() -> Any:
    from echo_rt.commands.workers import Workers
    from support.light_work import NoOpening, Work

    return Workers(1, NoOpening(), Work(Path()))


def test_an_actor_with_another_version_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def __enter__(self) -> Nothing:
            return self

    monkeypatch.setattr("os.environ", os.environ.copy())  # a host takes over the driver's
    told = Host(Nothing, {}, "0.0.1").ready()
    assert isinstance(told, Unfit)
    assert told.text.startswith("expected echo-rt 0.0.1 on every machine, as the driver has it, found ")


def test_the_command_line_keeps_its_signals_and_ray_reports_nothing(address: str, tmp_path: Path) -> None:
    from ray._common.usage import usage_lib

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with RayPool(address, 1, maker(tmp_path)) as running:
        assert outcomes(running, [Light(0, "count")]) == {"count": "count: done"}
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert not usage_lib.usage_stats_enabled()


@pytest.mark.parametrize(
    ("cpus", "gpus", "memory_gb", "expected"),
    [(16, 1, 80, 8), (16, 8, 80, 2), (4, 4, 80, 1), (64, 1, 6, 3), (64, 1, 1, 1), (64, 4, None, 4), (9, 2, 16, 5)],
)
def test_a_gpu_is_shared_by_as_many_as_have_processors_and_memory(
    cpus: int, gpus: int, memory_gb: int | None, expected: int
) -> None:
    assert shares(cpus, gpus, None if memory_gb is None else memory_gb * 2**30) == expected


def test_without_ray_the_missing_part_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"^--ray needs a part that is not installed: .*echo-rt\[ray\]"):
        RayPool("local", 1, maker(tmp_path))
