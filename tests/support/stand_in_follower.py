"""A `Follower` without an engine: a report that names the instance, in place of results."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from echo_rt.node.service import Followed
from echo_rt.outputs.folder import Folder
from support.stand_in_report import small_sr


class StandInFollower:
    """Writes a folder of results for each recording, at once moved to its place.

    Args:
        results: the folder of all results.
        wait_s: that each takes.

    Attributes:
        fails: by the number of an instance, why its next tries come to nothing, as `Followed` has it.
        followed: the numbers of all, in order.
    """

    def __init__(self, results: Path, wait_s: float = 0.0) -> None:
        self._results, self._wait_s = results, wait_s
        self._waiting: deque[tuple[int, str, str]] = deque()
        self._stopped = False
        self.fails: dict[int, list[tuple[str, bool]]] = {}
        self.followed: list[int] = []

    def submit(self, number: int, recording: str, folder: str) -> None:
        self._waiting.append((number, recording, folder))

    def outcomes(self) -> Iterator[Followed]:
        while self._waiting and not self._stopped:
            number, recording, folder = self._waiting.popleft()
            self.followed.append(number)
            if fails := self.fails.get(number):
                yield Followed(number, *fails.pop(0))
                continue
            time.sleep(self._wait_s)
            with Folder(self._results, folder, recording) as made:
                small_sr(recording).save_as(made.file("report.sr.dcm"), enforce_file_format=True)
                made.commit()
            yield Followed(number)

    def stop(self) -> None:
        self._stopped = True
