"""What runs in an actor of Ray: a pool of one worker, and one task at a time."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from echo_rt import __version__, private
from echo_rt.archive.pools import Pool
from echo_rt.errors import EchoRtError
from echo_rt.refused import Refused

OURS = "ECHO_RT_"


@dataclass(frozen=True)
class Unfit(Refused):
    """Why this actor can do no task at all."""


@dataclass(frozen=True)
class Lost(Refused):
    """How an actor was lost, with its process or its machine."""


def environment() -> dict[str, str]:
    """What an actor is told of this process: the limits, and who may read what is written."""
    return {name: value for name, value in os.environ.items() if name.startswith(OURS)}


class Host:
    """An actor.

    Args:
        make: makes the pool.
        told: variables of the driver's environment.
        version: the driver's, of echo-rt.
    """

    def __init__(self, make: Callable[[], Pool[Any, Any]], told: Mapping[str, str], version: str) -> None:
        for name in environment():
            del os.environ[name]
        os.environ.update(told)
        private.close_to_others()
        self._version = version
        self._pool = make().__enter__()

    def ready(self) -> Unfit | None:
        """Whether it can begin; its engine opens with the first task."""
        if __version__ == self._version:
            return None
        return Unfit(
            f"expected echo-rt {self._version} on every machine, as the driver has it, found {__version__} on "
            f"{platform.node()}; install the same version"
        )

    def do(self, task: Any) -> Any:
        """The outcome of a task, or why there can be none here."""
        self._pool.submit(task)
        try:
            ((_, outcome),) = self._pool.outcomes()
        except EchoRtError as error:  # no engine
            refused = Refused.by(error)
            return Unfit(f"{platform.node()}: {refused.text}", no_device=refused.no_device)
        return outcome

    def leave(self) -> None:
        """End the worker in its own time."""
        self._pool.__exit__(None, None, None)
