"""A node in this process, with a stand-in for the engine, and the archive that its reports go to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from echo_rt.node.peers import Peers, parse_peer
from echo_rt.node.service import Node, NodeOptions
from echo_rt.node.shelf import Shelf
from echo_rt.outputs.reports import REPORTS, Report
from support.dicom_peers import Archive
from support.stand_in_follower import StandInFollower
from support.stand_in_report import SmallSr


class RunningNode:
    """Attributes are those of the node, and the port that it listens on."""

    def __init__(self, folder: Path, peers: list[str], **options: Any) -> None:
        self.folder, self.shelf = folder, Shelf(folder)
        self.follower = StandInFollower(self.shelf.results)
        listening = threading.Event()

        def started(port: int) -> None:
            self.port = port
            listening.set()

        given = {"quiet_s": 0.1, "retry_s": 0.05, **options}
        asked = NodeOptions("ECHO-RT", "127.0.0.1", 0, Peers([parse_peer(peer) for peer in peers]), ("sr",), **given)
        self._node = Node(asked, self.shelf, self.follower, started)
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        while not listening.wait(0.05) and self._thread.is_alive():
            pass

    def _run(self) -> None:
        try:
            self._node.run()
        except BaseException as error:  # noqa: BLE001 - shown by the test that waits for it
            self.error = error

    def wait(self, until: Callable[[], bool], most_s: float = 60) -> bool:
        """Wait until that is so, or the node has ended."""
        for _ in range(int(most_s / 0.02)):
            if until():
                return True
            self._thread.join(0.02)
        return until()

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Instances and reports by state, those states alone of which there are some."""
        instances, reports = self.shelf.journal.counts()
        return {s: n for s, n in instances.items() if n}, {s: n for s, n in reports.items() if n}

    def close(self) -> None:
        self._node.stop()
        self._thread.join()
        self.shelf.close()
        assert self.error is None, self.error


@contextmanager
def running(folder: Path, *peers: str, **options: Any) -> Iterator[RunningNode]:
    """A node whose only peer is SCANNER without an address, unless others are given."""
    made = REPORTS.get("sr") or Report("report.sr.dcm", SmallSr, "stand-in")
    with patch.dict(REPORTS, sr=made):
        node = RunningNode(folder, list(peers) or ["SCANNER"], **options)
        try:
            yield node
        finally:
            node.close()


@contextmanager
def archive(**how: Any) -> Iterator[Archive]:
    made = Archive(**how)
    try:
        yield made
    finally:
        made.close()
