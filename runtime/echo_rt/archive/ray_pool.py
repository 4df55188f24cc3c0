"""A pool of Ray's actors. Each hosts a pool of one worker, so that limits, outcomes and files are those of processes.

An actor that is lost with its machine loses its task, which goes to another one. That is no fault of the recording.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from echo_rt import __version__
from echo_rt.archive.cluster import connect, gpu_share, room
from echo_rt.archive.host import Host, Lost, Unfit, environment
from echo_rt.archive.pools import OutcomeT, Pool, TaskT
from echo_rt.errors import DeviceError, NoDeviceError, first_line, printable
from echo_rt.refused import Died, Refused

if TYPE_CHECKING:
    from typing_extensions import Self

LOOK_S = 0.5
"""How long outcomes are waited for at a time, so that a signal is heeded."""

COUNT_S = 10.0
"""Between two looks at how large the cluster is."""

LOST = 5
"""How often a task is lost with its actor before it counts as what ends actors."""

FAILED = 20
"""Actors in a row that end without an outcome of any, more than one for each that is wanted."""

NONE_S = 300.0
"""Without any actor for so long, the run ends. A cluster that grows on demand takes minutes."""

END_S = 10.0
"""How long actors may take to end their workers."""


@dataclass(eq=False)
class _Actor(Generic[TaskT]):
    """An actor, what it is waited for, and its task; before it is ready it has none."""

    handle: Any
    answer: Any
    ready: bool = False
    task: TaskT | None = None


def last_line(error: BaseException) -> str:
    """The last line of an error's text, where Ray puts what was raised on another machine."""
    return str(error).rstrip().rpartition("\n")[2].strip()


def _begin(make: Callable[[], Pool[Any, Any]], gpus: float) -> _Actor[Any]:
    """A new actor, as soon as the cluster has room for it."""
    import ray

    # Ray itself restarts none and repeats nothing: who is lost is seen by the pool, and counted.
    kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(Host)
    handle = kind.remote(make, environment(), __version__)
    return _Actor(handle, handle.ready.remote())


class RayPool(Generic[TaskT, OutcomeT]):
    """A `Pool` on a Ray cluster, or on Ray on this machine.

    Every actor takes one processor. Where the cluster has GPUs and `gpus` is set, each also takes a share of one, see
    `gpu_share`: all recordings are followed on the same kind of device then.

    Args:
        address: ``local`` starts Ray on this machine, ``auto`` finds the cluster that this machine is part of. Else a
            cluster's address.
        jobs: actors at most; None: as many as the cluster has processors, or shares of GPUs, at any time.
        make: makes a pool of one worker in each actor; it is pickled.
        gpus: whether workers can use them.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: there is no such cluster.
    """

    def __init__(
        self, address: str, jobs: int | None, make: Callable[[], Pool[TaskT, OutcomeT]], gpus: bool = False
    ) -> None:
        self._disconnect = connect(address, jobs)
        share = gpu_share() if gpus else 0.0
        self._begin = partial(_begin, make, share)
        # What was asked for stands, for a cluster that grows on demand hears of it.
        self._wanted: Callable[[], int] = partial(int, jobs) if jobs is not None else partial(room, share)
        self._actors: list[_Actor[TaskT]] = []
        self._waiting: deque[TaskT] = deque()
        self._lost: Counter[int] = Counter()
        self._failed: int = 0
        self._proven = self._stopped = False
        self._looked_s = self._had_s = time.monotonic()
        self.workers = self._wanted()

    def stop(self) -> None:
        """Let `outcomes` end soon, whatever is under way; a signal handler may call it."""
        self._stopped = True

    def submit(self, job: TaskT, /) -> None:
        """Take a task, also while outcomes come."""
        self._waiting.append(job)

    def outcomes(self) -> Iterator[tuple[TaskT, OutcomeT | Refused]]:
        """See `Pool`.

        Raises:
            DeviceError: the engine cannot be opened, or there is no actor any more.
        """
        import ray

        while not self._stopped and self._hand_out():
            answers = {actor.answer: actor for actor in self._actors if actor.answer is not None}
            for answer in ray.wait(list(answers), num_returns=1, timeout=LOOK_S)[0]:
                actor = answers[answer]
                task, actor.task, actor.answer = actor.task, None, None
                outcome = self._hear(actor, answer, task)
                if task is not None and outcome is not None:
                    self._lost.pop(task.number, None)
                    self._hand_out()  # whoever takes the outcome may need some time
                    yield task, outcome

    def _hear(self, actor: _Actor[TaskT], answer: Any, task: TaskT | None) -> OutcomeT | Refused | None:
        """What an actor answers; None where it was not the outcome of a task, which waits again then."""
        import ray
        from ray.exceptions import RayActorError, RayError, RayTaskError

        try:
            told = ray.get(answer)
        except RayTaskError:
            raise  # by the host itself: a defect
        except RayActorError as error:
            # What was raised while it began is no loss of a machine, and stands in the last line.
            told = Unfit(last_line(error)) if error.actor_init_failed else Lost(first_line(error))
        except RayError as error:
            told = Lost(first_line(error))
        if isinstance(told, Unfit) and not self._proven:  # it is so everywhere, or the user wants to know where
            raise NoDeviceError(told.text) if told.no_device else DeviceError(told.text)
        if isinstance(told, (Unfit, Lost)):
            return self._gone(actor, task, printable(told.text))
        actor.ready = True
        if task is None:
            return None
        self._failed, self._proven = 0, True
        outcome: OutcomeT | Refused = told
        return outcome

    def _gone(self, actor: _Actor[TaskT], task: TaskT | None, why: str) -> Died | None:
        """Part with an actor. Its task goes to another one, unless it was lost too often."""
        import ray

        self._actors.remove(actor)
        with suppress(Exception):
            ray.kill(actor.handle)  # it may be out of reach for a moment only, and would do the task twice
        self._failed += 1
        if self._failed > FAILED + self.workers:
            raise DeviceError(
                f"expected Ray's actors to last, found that {self._failed} ended one after the other ({why}); "
                "see Ray's logs"
            )
        if task is None:
            return None
        self._lost[task.number] += 1
        if self._lost[task.number] < LOST:
            self._waiting.appendleft(task)
            return None
        return Died(
            f"{task.recording}: expected a result, found that {LOST} actors of Ray ended one after the other while "
            f"they had it ({why}); the file is damaged, or memory was short"
        )

    def _hand_out(self) -> bool:
        """Give what waits to those that are free, of whom there are enough then; whether anybody is at work."""
        now_s = time.monotonic()
        if now_s - self._looked_s > COUNT_S:
            self._looked_s, self.workers = now_s, self._wanted()
        busy = sum(actor.task is not None for actor in self._actors)
        while len(self._actors) < min(self.workers, busy + len(self._waiting)):
            self._actors.append(self._begin())
        for actor in self._actors:
            if actor.ready and actor.task is None and self._waiting:
                actor.task = self._waiting.popleft()
                actor.answer = actor.handle.do.remote(actor.task)
        if any(actor.ready for actor in self._actors):
            self._had_s = now_s
        elif self._waiting and now_s - self._had_s > NONE_S:
            raise DeviceError(
                f"expected a machine of the Ray cluster to take on work, found none for {NONE_S:.0f} s; "
                "see `ray status`"
            )
        return bool(self._waiting) or any(actor.task is not None for actor in self._actors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        try:
            idle = [actor.handle.leave.remote() for actor in self._actors if actor.ready and actor.task is None]
            if idle and kind is None:
                ray.wait(idle, num_returns=len(idle), timeout=END_S)
            for actor in self._actors:
                with suppress(Exception):
                    ray.kill(actor.handle)
        finally:
            self._actors.clear()
            self._disconnect()
