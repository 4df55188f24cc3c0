"""What the node knows of every instance, on the disk: how far it is, and which reports were sent.

SQLite in WAL mode with every commit flushed: what a method has returned from outlives a kill and a power cut.

    received -> processing -> done      with a row for each report: waiting -> sent, or given up
        ^           |-------> failed
        |___________|  the node ended in between, or it is tried once more
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from echo_rt.errors import OutputError

FILE = "journal.sqlite"
"""Its name in the node's folder."""

VERSION = 1
"""Of the tables."""

MOST_TRIES = 2
"""Of processing an instance: one may fail by a machine that is short of memory, two fail by the instance."""

SHOWN = 1000
"""Failures that are listed, at most."""

INSTANCE_STATES = ("received", "processing", "done", "failed")
REPORT_STATES = ("waiting", "sent", "given up")

_TABLES = """
CREATE TABLE instances(
    number INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, study TEXT NOT NULL, title TEXT NOT NULL,
    address TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, due_s REAL NOT NULL, why TEXT,
    received_s REAL NOT NULL);
CREATE INDEX by_state ON instances(state);
CREATE INDEX by_time ON instances(received_s);
CREATE TABLE reports(
    number INTEGER NOT NULL REFERENCES instances, kind TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
    due_s REAL NOT NULL, why TEXT, PRIMARY KEY(number, kind));
CREATE INDEX by_due ON reports(state, due_s);
"""


class Cine(NamedTuple):
    """An instance as it came: its UIDs, and the AE title and the address that sent it."""

    uid: str
    study: str
    title: str
    address: str


class Due(NamedTuple):
    """A report that waits to be sent: the number and the UID of its instance, and who sent that."""

    number: int
    kind: str
    uid: str
    title: str
    address: str
    tries: int


class Failure(NamedTuple):
    """An instance that has no result, or a report that did not arrive; `what` is `instance`, or the report's kind."""

    number: int
    uid: str
    what: str
    why: str


class Journal:
    """The journal in a folder. Its methods may be called from any thread.

    Args:
        folder: of the node.
        read_only: another process writes it.

    Raises:
        OutputError: it cannot be opened, or is of another release.
    """

    def __init__(self, folder: Path, read_only: bool = False) -> None:
        path = folder / FILE
        if read_only and not path.is_file():
            raise OutputError(f"{folder}: expected the folder of a node, found no {FILE} in it; see `echo-rt node -h`")
        self._lock = threading.RLock()
        try:
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, check_same_thread=False)
            if not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._make()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise OutputError(f"{path}: expected a journal that can be opened, found: {error}") from None
        if version != VERSION:
            self._db.close()
            raise OutputError(f"{path}: expected a journal of version {VERSION}, found {version}; use another folder")

    def _make(self) -> None:
        if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        with self._lock:
            self._db.close()

    def restart(self) -> None:
        """Take up what the last run left: what it was at is received again, and no report is given up any more."""
        with self._lock, self._db:
            self._db.execute("UPDATE instances SET state = 'received' WHERE state = 'processing'")
            self._db.execute("UPDATE instances SET due_s = 0 WHERE state = 'received'")
            self._db.execute("UPDATE reports SET state = 'waiting', tries = 0, due_s = 0 WHERE state != 'sent'")

    def uids(self) -> set[str]:
        """Of all instances."""
        with self._lock:
            return {uid for (uid,) in self._db.execute("SELECT uid FROM instances")}

    def receive(self, cine: Cine, placed: AbstractContextManager[object], there: Path, now_s: float) -> bool:
        """Enter an instance; returns whether it is new.

        One that is known is not entered twice: what failed of it is tried once more. One whose file was taken away
        begins anew.

        Args:
            cine: the instance.
            placed: entered to put its file in place, which is taken away again where it cannot be entered here.
            there: that file.
            now_s: the time.

        Raises:
            OSError, sqlite3.Error: the disk refuses.
        """
        with self._lock:
            row = self._db.execute("SELECT number FROM instances WHERE uid = ?", (cine.uid,)).fetchone()
            if row is not None and there.exists():
                self._again(row[0])
                return False
            with placed, self._db:
                self._db.execute("DELETE FROM reports WHERE number = ?", (row and row[0],))
                self._db.execute(
                    "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, 'received', 0, 0, NULL, ?)",
                    (row and row[0], *cine, now_s),
                )
            return row is None

    def _again(self, number: int) -> None:
        with self._db:
            again = "state = 'received', tries = 0, due_s = 0, why = NULL"
            self._db.execute(f"UPDATE instances SET {again} WHERE number = ? AND state = 'failed'", (number,))
            again = "state = 'waiting', tries = 0, due_s = 0"
            self._db.execute(f"UPDATE reports SET {again} WHERE number = ? AND state = 'given up'", (number,))

    def begin(self, quiet_s: float, now_s: float) -> list[tuple[int, str]]:
        """Numbers and UIDs of what is to be processed now: the instances of studies that nothing came of for `quiet_s`.

        They count as being processed from now on.
        """
        with self._lock, self._db:
            rows = self._db.execute(
                "SELECT number, uid FROM instances WHERE state = 'received' AND due_s <= :now AND study NOT IN"
                " (SELECT study FROM instances WHERE received_s > :now - :quiet AND received_s < :now + :quiet)"
                " ORDER BY number",
                {"now": now_s, "quiet": quiet_s},
            ).fetchall()
            for number, _ in rows:
                self._db.execute("UPDATE instances SET state = 'processing' WHERE number = ?", (number,))
        return rows

    def sender(self, number: int) -> tuple[str, str, str]:
        """The UID of an instance, and the AE title and the address that sent it."""
        with self._lock:
            rows = self._db.execute("SELECT uid, title, address FROM instances WHERE number = ?", (number,))
            uid, title, address = rows.fetchone()
        return uid, title, address

    def done(self, number: int, kinds: Iterable[str]) -> None:
        """An instance has its result on the disk, and reports of these kinds wait to be sent: both, or neither."""
        with self._lock, self._db:
            self._db.execute("UPDATE instances SET state = 'done', why = NULL WHERE number = ?", (number,))
            self._db.executemany(
                "INSERT OR IGNORE INTO reports VALUES (?, ?, 'waiting', 0, 0, NULL)",
                [(number, kind) for kind in kinds],
            )

    def failed(self, number: int, why: str) -> bool:
        """An instance has no result; returns whether it is tried once more."""
        with self._lock, self._db:
            self._db.execute(
                "UPDATE instances SET tries = tries + 1, why = ?,"
                " state = CASE WHEN tries + 1 < ? THEN 'received' ELSE 'failed' END WHERE number = ?",
                (why, MOST_TRIES, number),
            )
            (state,) = self._db.execute("SELECT state FROM instances WHERE number = ?", (number,)).fetchone()
        return bool(state == "received")

    def put_off(self, number: int, why: str, due_s: float) -> None:
        """An instance has no result for no fault of its own: it is tried again at `due_s`."""
        with self._lock, self._db:
            self._db.execute(
                "UPDATE instances SET state = 'received', why = ?, due_s = ? WHERE number = ?", (why, due_s, number)
            )

    def due(self, now_s: float, most: int) -> list[Due]:
        """Reports that are to be sent now, those that waited longest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT number, kind, uid, title, address, reports.tries FROM reports JOIN instances USING (number)"
                " WHERE reports.state = 'waiting' AND reports.due_s <= ? ORDER BY reports.due_s, number LIMIT ?",
                (now_s, most),
            ).fetchall()
        return [Due(*row) for row in rows]

    def sent(self, due: Due) -> None:
        """A report has arrived."""
        self._report(due, "state = 'sent', why = NULL")

    def unsent(self, due: Due, why: str, due_s: float | None) -> None:
        """A report has not arrived, and is tried again at `due_s`; None gives it up."""
        state = "given up" if due_s is None else "waiting"
        self._report(due, "state = ?, tries = tries + 1, why = ?, due_s = ?", state, why, due_s or 0)

    def _report(self, due: Due, change: str, *values: object) -> None:
        with self._lock, self._db:
            self._db.execute(
                f"UPDATE reports SET {change} WHERE number = ? AND kind = ?", (*values, due.number, due.kind)
            )

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many instances and how many reports there are, by their states."""
        with self._lock:
            found = [dict(self._db.execute(f"SELECT state, count(*) FROM {of} GROUP BY state")) for of in _OF]
        instances, reports = found
        return {state: instances.get(state, 0) for state in INSTANCE_STATES}, {
            state: reports.get(state, 0) for state in REPORT_STATES
        }

    def failures(self) -> list[Failure]:
        """The newest ones first, `SHOWN` at most: what failed, and what waits to be tried again."""
        with self._lock:
            rows = self._db.execute(
                "SELECT number, uid, 'instance' AS what, why FROM instances WHERE why IS NOT NULL UNION ALL"
                " SELECT number, uid, kind, reports.why FROM reports JOIN instances USING (number)"
                " WHERE reports.why IS NOT NULL ORDER BY number DESC, what LIMIT ?",
                (SHOWN,),
            ).fetchall()
        return [Failure(*row) for row in rows]


_OF = ("instances", "reports")
