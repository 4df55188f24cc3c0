"""Outputs in a thread of their own, a few frames behind whoever writes.

Measuring goes on while they draw and encode.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

DEPTH = 4
"""Frames that may wait: enough to even out those that take longer, and little memory."""

TURN_S = 0.1
"""How long whoever waits for the thread goes without looking whether it has failed."""


class Lane:
    """Hands frames to outputs in the order of time.

    Args:
        name: of the thread.
        outputs: open ones, which the thread alone uses until it has ended.
        depth: how many frames may wait.
    """

    def __init__(self, name: str, outputs: Sequence[FileOutput], depth: int = DEPTH) -> None:
        self._outputs = outputs
        self._waiting: queue.Queue[Callable[[FileOutput], None] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"echo-rt {name}", daemon=True)
        self._thread.start()

    def write(self, frame: Frame, reading: Reading) -> None:
        """Leave a frame for the outputs; waits where too many wait already.

        Raises:
            OutputError: of an output, for this frame or one before.
        """
        self._put(lambda output: output.write(frame, reading))

    def finish(self, result: RecordingResult) -> None:
        """Have the outputs completed after the frames that wait, and return at once; `wait` tells how it went."""
        self._put(lambda output: output.finish(result))
        self._put(None)

    def wait(self) -> None:
        """Until all that was left here is done.

        Raises:
            OutputError: of an output.
        """
        while self._thread.is_alive():
            self._thread.join(TURN_S)
        if self._error is not None:
            raise self._error

    def discard(self) -> None:
        """Forget what waits; the thread has ended when this returns, in the middle of its frames. Raises nothing."""
        self._left.set()
        with suppress(queue.Full):  # it will look whether anybody still wants what waits
            self._waiting.put_nowait(None)
        self._thread.join()

    def _put(self, task: Callable[[FileOutput], None] | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._waiting.put(task, timeout=TURN_S)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        try:
            while (task := self._waiting.get()) is not None and not self._left.is_set():
                for output in self._outputs:
                    if not self._left.is_set():  # the last task completes files, which takes some a second
                        task(output)
        except BaseException as error:  # noqa: BLE001 - raised where the next frame is left
            self._error = error
