"""The node: what arrives is stored, followed when its study is quiet, and its reports go back."""

from __future__ import annotations

import sqlite3
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from echo_rt.errors import message
from echo_rt.node.log import Log, told
from echo_rt.node.peers import Peers
from echo_rt.node.shelf import Shelf

SENT_BACK = ("sr", "seg")
"""Kinds of reports that are DICOM objects of their own."""

TURN_S = 0.2
"""Between two looks for what is to be processed."""

PUT_OFF_S = 60.0
"""Until an instance is tried again whose results could not be written."""

WHY = 300
"""Characters of a failure that are kept."""


class Followed(NamedTuple):
    """How following a recording went.

    Attributes:
        number: of the instance.
        why: there is no result; None where there is one.
        disk: that is for the disk, and not for the recording.
    """

    number: int
    why: str | None = None
    disk: bool = False


class Follower(Protocol):
    """Comes from recordings to results in the folder that it was given, in processes of its own."""

    def submit(self, number: int, recording: str, folder: str) -> None:
        """Take a recording, also while outcomes come."""

    def outcomes(self) -> Iterator[Followed]:
        """Those of all that was submitted, as they come."""

    def stop(self) -> None:
        """Let `outcomes` end soon; called in a signal handler."""


@dataclass(frozen=True)
class NodeOptions:
    """How the node is asked to be.

    Attributes:
        title, host, port: it listens as, and on.
        peers: who may send, and where reports go.
        reports: kinds that are made of each instance; those of `SENT_BACK` are sent.
        quiet_s: after which nothing more is expected of a study.
        retry_s: until a report is sent a second time.
        metrics_port: for Prometheus; None serves none.
    """

    title: str
    host: str
    port: int
    peers: Peers
    reports: tuple[str, ...]
    quiet_s: float
    retry_s: float
    metrics_port: int | None = None


class Node:
    """Runs until `stop` is called.

    Args:
        options: how.
        shelf: where it stores.
        follower: processes what arrived.
        started: called with the port when it listens.
    """

    def __init__(
        self, options: NodeOptions, shelf: Shelf, follower: Follower, started: Callable[[int], None] = lambda port: None
    ) -> None:
        self._options, self._shelf, self._follower, self._started = options, shelf, follower, started
        self._log = Log()
        self._told: deque[Followed] = deque()  # what the journal does not know yet
        self._ending = False

    def stop(self) -> None:
        """End soon; from any thread, and in a signal handler."""
        self._ending = True
        self._follower.stop()

    def run(self) -> None:
        """Do all that until it is stopped.

        Raises:
            OutputError: it cannot listen.
            DeviceError: the follower has no engine.
        """
        from echo_rt.node.scp import Scp
        from echo_rt.node.sender import Sender

        options, shelf = self._options, self._shelf
        # Scanners bend the standard in harmless ways, and pydicom warns of each.
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        with ExitStack() as opened:
            before, threading.excepthook = threading.excepthook, self._log.thread_failed
            opened.callback(setattr, threading, "excepthook", before)
            if options.metrics_port is not None:
                from echo_rt.node.metrics import serve_metrics

                opened.callback(serve_metrics(options.metrics_port, shelf.journal, self._log))
            sender = Sender(options.title, options.peers, shelf, self._log, options.retry_s)
            sender.start()
            opened.callback(sender.stop)
            scp = Scp(options.title, options.peers, shelf, self._log)
            scp.start(options.host, options.port)
            opened.callback(scp.stop)
            self._started(scp.port)
            while not self._ending:
                self._turn()
                time.sleep(TURN_S)

    def _turn(self) -> None:
        """Have followed what is quiet, and enter what came of it."""
        self._submit()
        self._enter()
        for followed in self._follower.outcomes():
            self._told.append(followed)
            self._enter()
            if self._ending:
                return
            self._submit()

    def _submit(self) -> None:
        try:
            quiet = self._shelf.journal.begin(self._options.quiet_s, time.time())
        except sqlite3.Error as error:
            self._log.say(f"the journal cannot be written, instances wait: {told(error)}")
            return
        for number, uid in quiet:
            self._follower.submit(number, str(self._shelf.cine(uid)), uid)

    def _enter(self) -> None:
        """Write down in the journal what came of instances; what the disk refuses waits."""
        while self._told:
            try:
                self._enter_one(self._told[0])
            except (OSError, sqlite3.Error) as error:
                self._log.say(f"the disk refuses, a result waits: {told(error)}")
                return
            self._told.popleft()

    def _enter_one(self, followed: Followed) -> None:
        journal, number, why = self._shelf.journal, followed.number, message(followed.why or "")[:WHY]
        if followed.why is None:
            uid, title, address = journal.sender(number)
            try:
                self._shelf.settle(uid)
            except FileNotFoundError:
                journal.put_off(number, "its results are not there any more", time.time() + PUT_OFF_S)
                return
            home = self._options.peers.home(title, address)
            journal.done(number, [kind for kind in self._options.reports if kind in SENT_BACK and home is not None])
        elif followed.disk:
            journal.put_off(number, why, time.time() + PUT_OFF_S)
            self._log.say(f"instance {number} waits: {why}")
        elif journal.failed(number, why):
            self._log.say(f"instance {number} is tried once more: {why}")
        else:
            self._shelf.forget(journal.sender(number)[0])
            self._log.say(f"instance {number} failed: {why}")
