"""`echo-rt node` in a process of its own, with a report that every release has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.dicom_peers import associate, free_port

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 200


class NodeProcess:
    """Attributes are its port, the process, and what it has said."""

    def __init__(self, folder: Path, words: list[str], log: Path, port: int, limit: Callable[[], None] | None) -> None:
        self.port, self._log = port, log
        path = os.pathsep.join([str(TESTS), str(TESTS / "support" / "stand_in_reports")])
        command = [sys.executable, "-m", "echo_rt", "node", "--out", str(folder), "--port", str(port), *words]

        def begin() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job would ignore it
            if limit is not None:
                limit()

        with log.open("w") as said:
            self.process = subprocess.Popen(
                command, env={**os.environ, "PYTHONPATH": path}, stdout=said, stderr=said, preexec_fn=begin
            )
        assert self.wait(lambda: "listening on" in self.said), self.said

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait(self, until: Callable[[], bool]) -> bool:
        """Wait until that is so, or the process has ended."""
        until_s = time.monotonic() + PATIENCE_S
        while not (found := until()) and self.process.poll() is None and time.monotonic() < until_s:
            time.sleep(0.1)
        return found

    def echo(self) -> int:
        association = associate(self.port)
        status = int(association.send_c_echo().Status)
        association.release()
        return status


@contextmanager
def node_process(
    folder: Path, *words: str, port: int | None = None, limit: Callable[[], None] | None = None
) -> Iterator[NodeProcess]:
    """One with these options; `limit` is called in it before it begins."""
    made = NodeProcess(folder, list(words), folder.with_name("node.log"), port or free_port(), limit)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
