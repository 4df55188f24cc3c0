"""The driver of an archive: it lists, hands out, hears what came of it, and keeps the table."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from echo_rt.archive.keys import Document, Settings, parsed
from echo_rt.archive.lease import Lease
from echo_rt.archive.ledger import Ledger, Row, Task
from echo_rt.archive.listing import listed
from echo_rt.archive.pairs import paired
from echo_rt.archive.pools import Pool
from echo_rt.archive.progress import Progress
from echo_rt.archive.rows import row_of
from echo_rt.archive.table import Table
from echo_rt.archive.work import DEFECT, FAILED, Finished, Work, document_of
from echo_rt.errors import DataError, OutputError
from echo_rt.refused import Died, Refused

if TYPE_CHECKING:
    from echo_rt.model import ModelSpec

TaskPool = Pool[Task, Finished]
MakePool = Callable[[], AbstractContextManager[TaskPool]]

MOST_TRIES = 2
"""Of a recording that ends its worker: one may do so where memory is short, two by the recording."""

RETRYING = "retrying"
"""A file in RESULTS while failures are tried again."""

AHEAD = 3
"""Recordings a worker that are handed out: the next one is there when one is done."""

FLUSH_S, FLUSH_ROWS = 60.0, 1000
"""After so long, or so many rows, the table is written."""


@dataclass
class Run:
    """One run over an archive.

    Attributes:
        work: what a worker does with a recording.
        settings: of what is in RESULTS.
        spec: of the model.
        retry_failed: follow those again that failed in an earlier run.
        begun: called when all are listed, with what shows how far the run is.
        warn: gets a line for what was found damaged in RESULTS, and is made anew.
    """

    work: Work
    settings: Settings
    spec: ModelSpec
    retry_failed: bool = False
    begun: Callable[[Progress], object] = lambda progress: None
    warn: Callable[[str], object] = lambda line: None

    def __call__(
        self, sources: Sequence[str], ledger: Ledger, make_pool: Callable[[], AbstractContextManager[TaskPool]]
    ) -> Progress:
        """Follow all that is not finished yet.

        Args:
            sources: see `listed`.
            ledger: empty; it knows afterwards what failed.
            make_pool: of the workers, asked only where there is work.

        Raises:
            EchoRtError: a source, the engine or RESULTS is not as it should be. What is finished stays.
        """
        with Lease(self.work.place, uuid4().hex[:8]) as lease, Table(self.work.place, self.warn) as table:
            self.work.place.tidy()
            kept = _Kept(self, ledger, table, lease)
            kept.take_up()
            self.enter(sources, ledger)
            progress = Progress.of(ledger)
            self.begun(progress)
            try:
                if ledger.sizes()[1]:
                    with kept.retrying(self.retry_failed), make_pool() as pool:
                        self._follow(pool, ledger, kept, progress)
            finally:
                kept.flush()
        return progress

    def enter(self, sources: Sequence[str], ledger: Ledger) -> None:
        """Enter all recordings in the ledger."""
        for found in listed(sources, self.work.place):
            shown = found.address if self.work.pseudonyms is None else self.work.pseudonyms.of(found.address)
            key = self.settings.key(shown, found.version)
            ledger.enter(found.address, shown, key, found.size, again=self.retry_failed)

    def _follow(self, pool: TaskPool, ledger: Ledger, kept: _Kept, progress: Progress) -> None:
        tasks = _Tasks(ledger.waiting())
        under_way = 0

        def hand_out() -> None:
            nonlocal under_way
            for task in tasks.take(AHEAD * max(1, pool.workers) - under_way):
                pool.submit(task)
                under_way += 1

        hand_out()
        for task, outcome in pool.outcomes():
            under_way -= 1
            if not (isinstance(outcome, Died) and tasks.again(task)):
                kept.done(task, self._finished(task, outcome), progress)
            hand_out()

    def _finished(self, task: Task, outcome: Finished | Refused) -> Finished:
        """What came of a recording; a document is left for one that ended its worker.

        Raises:
            OutputError: RESULTS could not be written.
        """
        if isinstance(outcome, Finished):
            return outcome
        if outcome.output:
            raise OutputError(outcome.text)
        kind = outcome.kind if isinstance(outcome, Died) else DEFECT
        document = document_of(task, {"status": FAILED, "kind": kind, "reason": outcome.text}, None)
        return Finished(self.work.write(task, document))


class _Tasks:
    """The recordings in the order in which they are handed out: those that ended a worker come again at the end."""

    def __init__(self, waiting: Iterator[Task]) -> None:
        self._waiting, self._again = waiting, deque[Task]()
        self._tries: dict[int, int] = {}  # of those that ended a worker

    def take(self, most: int) -> Iterator[Task]:
        """The next ones."""
        for _ in range(most):
            task = next(self._waiting, None)
            if task is None and self._again:
                task = self._again.popleft()
            if task is None:
                return
            yield task

    def again(self, task: Task) -> bool:
        """Hand out a recording once more that ended its worker; returns whether that is so, or it was tried enough."""
        tries = self._tries[task.number] = self._tries.get(task.number, 0) + 1
        if tries < MOST_TRIES:
            self._again.append(task._replace(attempts=task.attempts + 1))
        return tries < MOST_TRIES


class _Kept:
    """What is in RESULTS, and the ledger that knows of it."""

    def __init__(self, run: Run, ledger: Ledger, table: Table, lease: Lease) -> None:
        self._place, self._spec = run.work.place, run.spec
        self._ledger, self._table, self._lease = ledger, table, lease
        self._studies: set[str] = set()  # of which a recording is new
        self._rows, self._flushed_s = 0, time.monotonic()

    def take_up(self) -> None:
        """Learn what earlier runs left, and write the rows that they could not."""
        self._ledger.add_documents(self._place.names("recordings"))
        self._ledger.add_rows(_known(self._table.load()))
        for recording in self._ledger.doubles():
            *older, newest = sorted(recording, key=lambda document: self._read(document)["finished_at"])
            self._drop(older)
            self._ledger.replaced(newest)
        for document in (*self._retried(), *self._ledger.without_row()):
            self._add(self._read(document))
            if self._rows >= FLUSH_ROWS:
                self.flush()
        self.flush()

    def _retried(self) -> list[Document]:
        """The documents of failures that a run which was killed may have replaced: their rows look as before."""
        try:
            self._place.read(RETRYING)
        except FileNotFoundError:
            return []
        return self._ledger.failures()

    @contextmanager
    def retrying(self, wanted: bool) -> Iterator[None]:
        """Mark RESULTS while failures are tried again."""
        if wanted:
            self._place.write(RETRYING, b"")
        yield
        self.flush()
        self._place.delete(RETRYING)

    def done(self, task: Task, finished: Finished, progress: Progress) -> None:
        """A recording is done with."""
        document = finished.document
        self._add(document)
        self._ledger.done(task.number, _row(document))
        if finished.kept:
            new = Document.of(task.shown, task.key)
            self._drop(self._ledger.older(new))
            self._ledger.replaced(new)
        progress.add(document["status"], document["kind"])
        if self._rows >= FLUSH_ROWS or time.monotonic() - self._flushed_s > FLUSH_S:
            self.flush()

    def _add(self, document: dict[str, Any]) -> None:
        self._table.put(row_of(document, None))
        self._ledger.add_rows([_row(document)])
        self._rows += 1
        if document["study"] is not None:
            self._studies.add(document["study"])

    def flush(self) -> None:
        """Join the views of studies, and write the table."""
        self._lease.check()
        for study in sorted(self._studies):
            documents = [self._read(document) for document in self._ledger.study(study)]
            pairs = paired(documents, self._spec)
            for document in documents:
                self._table.put(row_of(document, pairs.get(str(document["recording"]))))
        self._table.flush()
        self._studies.clear()
        self._rows, self._flushed_s = 0, time.monotonic()

    def _read(self, document: Document) -> dict[str, Any]:
        try:
            return parsed(self._place.read(document.name))
        except DataError as error:
            raise DataError(f"{self._place.address}/{document.name}: {error}") from None

    def _drop(self, documents: Iterable[Document]) -> None:
        """Remove documents that a newer one of the recording has replaced, and their files."""
        for document in documents:
            for name in (*map(str, self._read(document)["files"]), document.name):
                self._place.delete(name)


_COLUMNS = ("recording", "key", "status", "kind", "study", "view", "attempts")


def _row(document: dict[str, Any]) -> Row:
    summary = document["summary"] or {}
    view = summary.get("view")
    return Row(
        document["recording"],
        document["key"],
        document["status"],
        document["kind"],
        document["study"],
        view,
        document["attempts"],
    )


def _known(rows: Iterable[dict[str, Any]]) -> Iterator[Row]:
    return (Row(*(row[name] for name in _COLUMNS)) for row in rows)
