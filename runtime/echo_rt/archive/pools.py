"""What the driver of an archive asks of its workers, whether they are processes here or Ray's actors anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from echo_rt.refused import Refused

if TYPE_CHECKING:
    from typing_extensions import Self


class Task(Protocol):
    """What a worker is given. It goes to other processes, as its outcome does: both can be pickled."""

    @property
    def number(self) -> int:
        """Of the task, among all that a pool has at the same time."""

    @property
    def recording(self) -> str:
        """How messages name it."""


TaskT = TypeVar("TaskT", bound=Task)
OutcomeT = TypeVar("OutcomeT")
OutcomeCo = TypeVar("OutcomeCo", covariant=True)


class Pool(Protocol[TaskT, OutcomeCo]):
    """Comes from tasks to their outcomes, exactly one for each. Leaving it ends what is under way.

    It holds what it was given and has not answered. A driver that submits a few tasks a worker, and one more for each
    outcome, needs no more memory for a million of them.
    """

    @property
    def workers(self) -> int:
        """Tasks that it takes on at the same time."""

    def submit(self, job: TaskT, /) -> None:
        """Take a task, also while outcomes come."""

    def outcomes(self) -> Iterator[tuple[TaskT, OutcomeCo | Refused]]:
        """Those of all tasks that were submitted, as they come.

        It is `Died` where the worker did, `Refused` where the work raised an error.

        Raises:
            DeviceError: the engine cannot be opened, or there is no worker any more.
        """

    def stop(self) -> None:
        """Let `outcomes` end soon, whatever is under way; a signal handler may call it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
