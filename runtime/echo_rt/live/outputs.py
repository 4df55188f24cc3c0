"""Those who look on, and those who take every reading: each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from echo_rt.errors import EchoRtError, OutputError
from echo_rt.frame import Frame
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.reading import Reading

Item = TypeVar("Item")

END_S = 5.0
"""A consumer that has not finished after that long when the program ends is left behind."""

IDLE_S = 0.5
"""Between two updates while no frames come."""


class Viewer(Protocol):
    """Shows a feed. All calls come from one thread of its own, with the newest update; those that come while it draws
    are left out."""

    def show(self, update: LiveUpdate) -> None: ...

    def close(self) -> None: ...


class Taker(Protocol):
    """What takes every reading, such as a recorder. All calls come from one thread of its own, in the order of time."""

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """Take the next frame and what is known after it.

        Args:
            frame, reading: these.
            source: address that the frame came from.
            history: number of the history that the reading stands on; readings of another owe nothing to those before.
        """

    def idle(self, why: str) -> None:
        """No frames come; what was said last is not current."""

    def close(self) -> None:
        """Complete the output."""


@runtime_checkable
class Recording(Taker, Protocol):
    """A taker that keeps what it is given."""

    def unkept(self) -> list[str]:
        """Why some of it is not kept, a line each; whole after `close`."""


class Mailbox(Generic[Item]):
    """A consumer in a thread of its own. A slow one loses the oldest of what waits for it, and nobody waits for it.

    A consumer that fails is asked again with the next item: a disk that was full may have room again. Its error is kept
    for whoever looks on.

    Args:
        name: of the consumer, for people.
        deliver: called with each item.
        close: called at the end, in the same thread.
        depth: how many items may wait. 1: always the newest.
        patient: let whoever puts wait for room instead, so that nothing is lost.

    Attributes:
        error: why the consumer failed the last time that it was asked; None where it did not.
        lost: items that it could not take in time, or failed to take.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Item], None],
        close: Callable[[], None],
        *,
        depth: int = 1,
        patient: bool = False,
    ) -> None:
        self.name = name
        self.error: str | None = None
        self.lost = 0
        self._deliver, self._close = deliver, close
        self._waiting: deque[Item] = deque()
        self._depth, self._patient = depth, patient
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"echo-rt {name}", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Leave an item; returns at once, unless it is `patient`."""
        with self._changed:
            while self._patient and len(self._waiting) >= self._depth and self._thread.is_alive():
                self._changed.wait(0.1)
            if len(self._waiting) >= self._depth:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(item)
            self._changed.notify_all()

    def close(self, timeout_s: float = END_S) -> bool:
        """Let it finish what waits; whether it did so in time. One that hangs is left behind: its thread ends with the
        process."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            self._try(self._deliver, item)
            del item  # nobody keeps a frame while nothing comes
        self._try(self._close)

    def _try(self, step: Callable[..., None], *items: Item) -> None:
        # Whatever a consumer raises is its own misfortune: the engine goes on, and the user is told.
        try:
            step(*items)
        except EchoRtError as error:
            self._fail(str(error), error.lost if isinstance(error, OutputError) else 1)
        except Exception as error:  # noqa: BLE001
            self._fail(f"{self.name}: {type(error).__name__}: {error}", 1)
        else:
            self.error = None

    def _fail(self, why: str, lost: int) -> None:
        with self._changed:
            self.error = why
            self.lost += lost


class Outputs:
    """All consumers of a feed.

    Args:
        patient: wait for the takers, so that none of them loses a reading.
    """

    def __init__(self, patient: bool = False) -> None:
        self._patient = patient
        self._viewers: list[Mailbox[LiveUpdate]] = []
        self._takers: list[Mailbox[Callable[[Taker], None]]] = []
        self._told: tuple[Phase | None, str] = (None, "")
        self._told_s = 0.0
        self._unfinished = ""

    def add_viewer(self, viewer: Viewer, name: str = "viewer") -> None:
        """Show every newest update there. `Viewer.close` is called at the end."""
        self._viewers.append(Mailbox(name, viewer.show, viewer.close))

    def add_taker(self, taker: Taker, name: str, depth: int = 120) -> None:
        """Give it every reading; one that is `depth` readings behind loses the oldest."""
        box = Mailbox[Callable[[Taker], None]]
        self._takers.append(box(name, lambda call: call(taker), taker.close, depth=depth, patient=self._patient))

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """Give a reading to every taker, see `Taker.write`."""
        self._give(lambda taker: taker.write(frame, reading, source, history))

    def tell(self, update: LiveUpdate, force: bool = False) -> None:
        """Show an update to every viewer: where `force` is set, where phase or message changed, and now and then.

        Takers are told once when no frames come any more.
        """
        status, now_s = update.status, time.perf_counter()
        told = (status.phase, status.message)
        if not (force or told != self._told or now_s - self._told_s >= IDLE_S):
            return
        for box in self._viewers:
            box.put(update)
        if status.phase not in (Phase.RUNNING, self._told[0]):
            self._give(lambda taker: taker.idle(status.message or status.phase.value))
        self._told, self._told_s = told, now_s

    def close(self) -> None:
        """Let each finish in its time. A second call does nothing."""
        for box in self._boxes():
            if not box.close():
                self._unfinished = f"{box.name} did not finish in time and was left behind"

    @property
    def problems(self) -> list[str]:
        """What went wrong with them, a line each."""
        return [problem for problem in (self._unfinished, *(box.error for box in self._boxes())) if problem]

    @property
    def lost(self) -> dict[str, int]:
        """What each lost, by its name; those that lost nothing are left out."""
        return dict(+Counter({box.name: box.lost for box in self._boxes()}))

    def _give(self, call: Callable[[Taker], None]) -> None:
        for box in self._takers:
            box.put(call)

    def _boxes(self) -> list[Mailbox[Any]]:
        return [*self._takers, *self._viewers]
