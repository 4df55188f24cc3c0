"""What the driver knows of every recording, on its own disk for as long as it runs.

RESULTS alone says what is finished. The ledger is made of it at each start, so that memory stays flat and no question
needs a look at RESULTS.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from echo_rt.archive.keys import Document

if TYPE_CHECKING:
    from typing_extensions import Self

BATCH = 1000
"""Rows that are read or written at a time."""

_TABLES = """
CREATE TABLE documents(recording TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY(recording, key)) WITHOUT ROWID;
CREATE TABLE listed(
    number INTEGER PRIMARY KEY, address TEXT NOT NULL, shown TEXT NOT NULL UNIQUE, key TEXT NOT NULL,
    size INTEGER NOT NULL, done INTEGER NOT NULL, attempts INTEGER NOT NULL);
CREATE INDEX by_done ON listed(done, number);
CREATE TABLE rows(
    shown TEXT PRIMARY KEY, key TEXT NOT NULL, status TEXT NOT NULL, kind TEXT, study TEXT, view TEXT,
    attempts INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX by_study ON rows(study);
"""


class Task(NamedTuple):
    """A recording that is to be followed.

    Attributes:
        number: in the ledger.
        recording: its address.
        shown: the same, or its pseudonym: what documents and the table have.
        key: see `Settings.key`.
        attempts: that were made of it before.
    """

    number: int
    recording: str
    shown: str
    key: str
    attempts: int


class Row(NamedTuple):
    """What the ledger keeps of a row of the table."""

    shown: str
    key: str
    status: str
    kind: str | None
    study: str | None
    view: str | None
    attempts: int


class Ledger:
    """An SQLite file without a name: it is gone when the process is, also when that is killed."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add_documents(self, names: Iterable[str]) -> None:
        """Enter what is in RESULTS."""
        found = (document for name in names if (document := Document.named(name)) is not None)
        self._many("INSERT OR IGNORE INTO documents VALUES (?, ?)", found)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Enter what is in the table, or replace it."""
        self._many("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def doubles(self) -> list[list[Document]]:
        """The documents of recordings that have several: a run was killed before it removed the older ones."""
        rows = self._db.execute(
            "SELECT recording, key FROM documents WHERE recording IN"
            " (SELECT recording FROM documents GROUP BY recording HAVING count(*) > 1) ORDER BY recording"
        )
        return [[Document(*row) for row in group] for _, group in groupby(rows.fetchall(), key=lambda row: row[0])]

    def failures(self) -> list[Document]:
        """The documents of rows that say that a recording failed."""
        rows = self._db.execute("SELECT shown, key FROM rows WHERE status = 'failed' ORDER BY shown").fetchall()
        named = (Document.of(*row) for row in rows)
        return [
            document
            for document in named
            if self._one("SELECT 1 FROM documents WHERE recording = ? AND key = ?", *document)
        ]

    def without_row(self) -> Iterator[Document]:
        """The documents of which the table has no row: a run was killed before it wrote them."""
        self._db.create_function("digests", 2, lambda shown, key: "-".join(Document.of(shown, key)), deterministic=True)
        self._db.execute(
            "CREATE TEMP TABLE missing AS SELECT recording, key FROM documents WHERE recording || '-' || key NOT IN"
            " (SELECT digests(shown, key) FROM rows)"
        )
        for row in self._batches("recording, key", "missing WHERE TRUE"):
            yield Document(*row)
        self._db.execute("DROP TABLE missing")

    def enter(self, address: str, shown: str, key: str, size: int, *, again: bool) -> bool:
        """Enter a recording; returns whether it is new here.

        Args:
            address, shown, key: see `Task`.
            size: in bytes.
            again: follow it also where it failed before.
        """
        there = self._one("SELECT 1 FROM documents WHERE recording = ? AND key = ?", *Document.of(shown, key))
        row = self._one("SELECT status, attempts FROM rows WHERE shown = ? AND key = ?", shown, key)
        status, attempts = row or ("", 0)
        done = there is not None and not (again and status == "failed")
        entered = self._db.execute(
            "INSERT OR IGNORE INTO listed(address, shown, key, size, done, attempts) VALUES (?, ?, ?, ?, ?, ?)",
            (address, shown, key, size, done, 0 if done else attempts),
        )
        return entered.rowcount > 0

    def waiting(self) -> Iterator[Task]:
        """Those that are to be followed, in the order in which they were listed."""
        return (Task(*row) for row in self._batches("number, address, shown, key, attempts", "listed WHERE done = 0"))

    def done(self, number: int, row: Row) -> None:
        """A recording is done with, well or not."""
        self._db.execute("UPDATE listed SET done = 1 WHERE number = ?", (number,))
        self.add_rows([row])

    def older(self, new: Document) -> list[Document]:
        """The documents of a recording by other keys: of an older file, model, version or options."""
        found = self._db.execute("SELECT recording, key FROM documents WHERE recording = ? AND key != ?", new)
        return [Document(*row) for row in found]

    def replaced(self, new: Document) -> None:
        """The documents of `older` are gone, and this one is there."""
        self._db.execute("DELETE FROM documents WHERE recording = ?", (new.recording,))
        self._db.execute("INSERT INTO documents VALUES (?, ?)", new)

    def study(self, study: str) -> list[Document]:
        """The documents of a study whose views may be joined; empty unless both views are among them."""
        rows = self._db.execute(
            "SELECT shown, key, view FROM rows WHERE study = ? AND status IN ('ok', 'no-ef') ORDER BY shown", (study,)
        ).fetchall()
        both = {"A4C", "A2C"} <= {view for _, _, view in rows}
        return [Document.of(shown, key) for shown, key, _ in rows] if both else []

    def counts(self) -> dict[str, int]:
        """How many of the recordings that were listed are at which status; ``waiting`` are those without one."""
        found: dict[str, int] = dict(
            self._db.execute(
                "SELECT CASE WHEN done THEN coalesce(status, 'waiting') ELSE 'waiting' END AS at, count(*)"
                " FROM listed LEFT JOIN rows USING (shown) GROUP BY at"
            )
        )
        return found

    def kinds(self) -> dict[str, int]:
        """How many of the recordings that were listed failed, by kind, the most frequent first."""
        return dict(
            self._db.execute(
                "SELECT kind, count(*) FROM listed JOIN rows USING (shown) WHERE status = 'failed' AND done"
                " GROUP BY kind ORDER BY count(*) DESC, kind"
            )
        )

    def failed(self) -> Iterator[tuple[str, str]]:
        """Those of the listed recordings that failed, as they are shown, and the kind of the failure."""
        with closing(self._db.cursor()) as cursor:
            cursor.execute(
                "SELECT shown, kind FROM listed JOIN rows USING (shown) WHERE status = 'failed' AND done ORDER BY shown"
            )
            while found := cursor.fetchmany(BATCH):
                yield from found

    def sizes(self) -> tuple[int, int, int]:
        """How many recordings were listed, how many of them wait, and how many bytes those have."""
        query = "SELECT count(*), total(done = 0), total(CASE WHEN done THEN 0 ELSE size END) FROM listed"
        total, waiting, size = self._db.execute(query).fetchone()
        return total, int(waiting), int(size)

    def _batches(self, columns: str, table: str) -> Iterator[tuple[Any, ...]]:
        """Rows in the order in which they were entered. Others may be entered meanwhile."""
        query, last = f"SELECT {columns}, rowid FROM {table} AND rowid > ? ORDER BY rowid LIMIT ?", 0
        while found := self._db.execute(query, (last, BATCH)).fetchall():
            last = found[-1][-1]
            yield from (row[:-1] for row in found)

    def _one(self, query: str, *values: object) -> tuple[object, ...] | None:
        found: tuple[object, ...] | None = self._db.execute(query, values).fetchone()
        return found

    def _many(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(query, rows)
        self._db.execute("COMMIT")
