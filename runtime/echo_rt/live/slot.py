"""Where threads hand over to one another: one place for the newest frame, and a queue with a bound for each
consumer."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from echo_rt.errors import EchoRtError
from echo_rt.frame import Frame

Item = TypeVar("Item")

END_S = 5.0
"""A consumer that has not finished after that long when the program ends is left behind."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame and when it came, in seconds by `time.perf_counter`."""

    frame: Frame
    arrived_s: float


class Slot:
    """One place. What is put there takes the place of what nobody took.

    Args:
        every_frame: what is put there waits for the one before to be taken instead.
    """

    def __init__(self, every_frame: bool = False) -> None:
        self.every_frame = every_frame
        self._held: Arrival | None = None
        self._changed = threading.Condition()

    def put(self, arrival: Arrival, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Hand over a frame.

        Args:
            arrival: the frame.
            wanted: asked before it is put, and while that waits; where it says no, it is not put.

        Returns:
            Whether a frame was lost by it.
        """
        with self._changed:
            while self.every_frame and self._held is not None and wanted():
                self._changed.wait(0.1)
            if not wanted():  # asked in here, so that after a `clear` nothing comes of a source that was left
                return False
            lost, self._held = self._held is not None, arrival
            self._changed.notify_all()
            return lost

    def take(self, timeout_s: float) -> Arrival | None:
        """The newest frame that was not taken yet, or None where none came in that time."""
        with self._changed:
            if self._held is None:
                self._changed.wait(timeout_s)
            taken, self._held = self._held, None
            self._changed.notify_all()
            return taken

    def clear(self) -> bool:
        """Drop what is held; whether there was anything."""
        with self._changed:
            held, self._held = self._held is not None, None
            self._changed.notify_all()
            return held


class Mailbox(Generic[Item]):
    """A consumer in a thread of its own. When it is slow it loses the oldest of what waits for it, and nobody waits for
    it.

    A consumer that fails is asked again with the next item: a disk that was full may have room again. Its error is kept
    for whoever looks on.

    Args:
        name: of the consumer, for people.
        deliver: called with each item.
        close: called at the end, in the same thread.
        depth: how many items may wait. 1: always the newest.
        patient: let whoever puts wait for room instead, so that nothing is lost.
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
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001
            self._fail(f"{self.name}: {type(error).__name__}: {error}")
        else:
            self.error = None

    def _fail(self, why: str) -> None:
        with self._changed:
            self.error = why
            self.lost += 1


def losses(mailboxes: list[Mailbox[Any]]) -> dict[str, int]:
    """What each consumer lost, by its name; those that lost nothing are left out."""
    return dict(+Counter({box.name: box.lost for box in mailboxes}))
