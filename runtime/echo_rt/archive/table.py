"""The table of an archive in RESULTS: ``table/part-000001-1f8e22c3.parquet`` and the like, some 1,000 rows each.

Whatever reads Parquet reads the folder. A recording is in one part only, and a part is written whole or not at all. So
the table is right at any moment, even if the run is killed; the next run adds what is missing, from the documents.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from echo_rt.archive.places import Place
from echo_rt.archive.rows import STAMP, VERSION, schema
from echo_rt.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Self

FOLDER = "table"

ROWS = 1000
"""Of a part."""

KNOWN = ("recording", "key", "status", "kind", "study", "view", "attempts")
"""The columns that `Table.load` gives."""

_PART = re.compile(rf"{FOLDER}/part-(\d{{6,}})-[0-9a-f]{{8}}\.parquet")

_INDEX = f"CREATE TABLE rows({', '.join(KNOWN)}, finished_at, part, PRIMARY KEY(recording)) WITHOUT ROWID"

Rows = list[dict[str, Any]]


class Table:
    """Adds and replaces rows. One run at a time may do so.

    Memory holds the rows since the last `flush` and one part. Which recording is in which part is in an SQLite file
    without a name, which is gone when the process is.

    Args:
        place: RESULTS.
        tell: gets a line for each part that was damaged.
    """

    def __init__(self, place: Place, tell: Callable[[str], object] = lambda line: None) -> None:
        self._place, self._tell = place, tell
        self._index = sqlite3.connect("", isolation_level=None)
        self._index.execute(_INDEX)
        self._new: dict[str, dict[str, Any]] = {}
        self._doubles: dict[str, set[str]] = defaultdict(set)  # recordings of a part that are in another one too
        self._run, self._number = uuid4().hex[:8], 0
        self._open: str | None = None  # the part of this run that is not full

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was not flushed is not written."""
        self._index.close()

    def load(self) -> Iterator[dict[str, Any]]:
        """Learn what is in the table; gives of each row the columns `KNOWN`, by recording.

        A part that is damaged, or of another version of the table, is named and removed: its rows are made anew from
        the documents.

        Raises:
            OSError: a part cannot be read.
            OutputError: a part cannot be removed.
        """
        for name, number in sorted(_parts(self._place)):
            self._number = max(self._number, number)
            try:
                found = _read(self._place, name)
            except DataError as error:
                self._tell(f"{error}; its rows are made anew")
                self._place.delete(name)
            else:
                self._enter(name, found)
        rows = self._index.execute(f"SELECT {', '.join(KNOWN)} FROM rows")
        return (dict(zip(KNOWN, row, strict=True)) for row in rows)

    def put(self, row: dict[str, Any]) -> None:
        """Add the row of a recording, in place of one that is there; it is written at the next `flush`."""
        self._new[row["recording"]] = row

    def flush(self) -> None:
        """Write what was put.

        First come the rows whose document is in the table already: those of the other views of a study. If the run is
        killed in between, the next one finds a document without its row, and joins the study again.

        Raises:
            OutputError: a part cannot be written. What was put is kept for the next time.
            DataError: a part was damaged meanwhile.
        """
        again, newer, new = self._sorted()
        for name in sorted(again.keys() | self._doubles.keys()):
            self._rewrite(name, again.get(name, []))
        for name in sorted(newer):
            self._rewrite(name, newer[name])
        self._append(new)
        self._new.clear()

    def _sorted(self) -> tuple[dict[str, Rows], dict[str, Rows], Rows]:
        """The new rows: by part those whose document is in the table, and those of a newer document; then the rest."""
        again: dict[str, Rows] = defaultdict(list)
        newer: dict[str, Rows] = defaultdict(list)
        new = []
        for recording, row in self._new.items():
            *known, part = self._one("key, finished_at, part", recording) or (None,)
            if part is None:
                new.append(row)
            else:
                (again if known == [row["key"], _stamp(row)] else newer)[part].append(row)
        return again, newer, new

    def _rewrite(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Put rows into a part in place of older ones, and leave out what is in another part too."""
        gone = {row["recording"] for row in rows} | self._doubles.get(name, set())
        self._write(name, rows, _without(_read(self._place, name), gone))
        self._doubles.pop(name, None)

    def _append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Fill the part that is not full, then new ones."""
        while rows:
            there = None
            if self._open is None:
                self._number += 1
                name = f"{FOLDER}/part-{self._number:06d}-{self._run}.parquet"
            else:
                name, there = self._open, _read(self._place, self._open)
            room = ROWS - (0 if there is None else there.num_rows)
            self._write(name, rows[:room], there)
            self._open = name if len(rows) < room else None
            rows = rows[room:]

    def _write(self, name: str, rows: Sequence[dict[str, Any]], there: pa.Table | None) -> None:
        pa, _ = _arrow()
        found = pa.Table.from_pylist(rows, schema())
        self._place.write(name, parquet(found if there is None else pa.concat_tables([there, found])))
        self._enter(name, found)

    def _enter(self, name: str, found: pa.Table) -> None:
        """Note which recordings are in a part."""
        self._index.execute("BEGIN")
        for row in found.select([*KNOWN, "finished_at"]).to_pylist():
            known = self._one("part", row["recording"])
            if known is not None and known[0] != name:  # as after two runs at a time
                self._doubles[name].add(row["recording"])
            else:
                values = (*(row[column] for column in KNOWN), _stamp(row), name)
                self._index.execute(f"INSERT OR REPLACE INTO rows VALUES ({', '.join('?' * len(values))})", values)
        self._index.execute("COMMIT")

    def _one(self, columns: str, recording: str) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None
        found = self._index.execute(f"SELECT {columns} FROM rows WHERE recording = ?", (recording,)).fetchone()
        return found


def _stamp(row: dict[str, Any]) -> str:
    return str(row["finished_at"])


def read_rows(place: Place, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of every row, in no order, a part at a time.

    Raises:
        DataError: a part is damaged.
        OSError: a part cannot be read.
    """
    for name, _ in sorted(_parts(place)):
        yield from _read(place, name, columns).to_pylist()


def sorted_rows(place: Place, rows: int) -> Iterator[pa.Table]:
    """The whole table by recording, so many rows at a time. Memory holds these and a part.

    Raises:
        DataError: a part is damaged, or there is no table.
        OSError: a part cannot be read.
    """
    pa, _ = _arrow()
    index = sqlite3.connect("", isolation_level=None)
    index.execute("CREATE TABLE rows(recording TEXT PRIMARY KEY, part TEXT NOT NULL) WITHOUT ROWID")
    names = sorted(name for name, _ in _parts(place))
    if not names:
        raise DataError(f"{place.address}: expected the results of echo-rt archive, found no table; run it first")
    for name in names:
        found = _read(place, name, ["recording"])["recording"].to_pylist()
        index.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?)", ((recording, name) for recording in found))
    ordered = index.execute("SELECT recording, part FROM rows ORDER BY recording")
    while chunk := ordered.fetchmany(rows):
        wanted = defaultdict(set)
        for recording, name in chunk:
            wanted[name].add(recording)
        found = [_only(_read(place, name), recordings) for name, recordings in sorted(wanted.items())]
        yield pa.concat_tables(found).sort_by("recording")
    index.close()


def parquet(table: pa.Table) -> bytes:
    """The bytes of a part."""
    pa, pq = _arrow()
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
    return bytes(stream.getvalue())


def _parts(place: Place) -> Iterator[tuple[str, int]]:
    """The names of the parts and their numbers. What else is there is not ours."""
    for name in place.names(FOLDER):
        if (found := _PART.fullmatch(name)) is not None:
            yield name, int(found[1])


def _read(place: Place, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A part, or some columns of it; DataError where it is none of this version."""
    pa, pq = _arrow()
    content = place.read(name)
    wrong = f"{place.address}/{name}: expected a part of the table"
    try:
        # The checksums find what a disk has turned.
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        metadata = file.schema_arrow.metadata or {}
        if metadata.get(STAMP) != VERSION.encode() or not file.schema_arrow.equals(schema()):
            raise DataError(f"{wrong} of this version, found another; run echo-rt archive again")
        return file.read(columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{wrong}, found it damaged; run echo-rt archive again") from None


def _without(table: pa.Table, recordings: Collection[str]) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.invert(_among(table, recordings)))


def _only(table: pa.Table, recordings: Collection[str]) -> pa.Table:
    return table.filter(_among(table, recordings))


def _among(table: pa.Table, recordings: Iterable[str]) -> Any:
    import pyarrow.compute as pc

    pa, _ = _arrow()
    return pc.is_in(table["recording"], value_set=pa.array(list(recordings), pa.string()))


def _arrow() -> tuple[Any, Any]:
    """The library of the table, and its part for Parquet."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError("echo-rt archive", "archive") from None
    return pyarrow, pyarrow.parquet
