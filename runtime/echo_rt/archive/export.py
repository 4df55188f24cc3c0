"""The table of an archive as one file: Parquet, CSV, or a sheet for Excel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from echo_rt.archive.places import Place
from echo_rt.archive.rows import columns, schema
from echo_rt.archive.table import sorted_rows
from echo_rt.errors import MissingExtraError, OutputError, ParameterError, output_errors, printable
from echo_rt.private import check_links, file_mode, make_folder

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 10_000
"""Rows that are in memory at a time."""

SHEET_ROWS = 1_048_575
"""Of a sheet in Excel, without the headings."""

CELL_CHARACTERS = 32_767
"""Of a cell in Excel."""

FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that Excel takes for a formula, in a CSV file too. An apostrophe before it makes it text."""


def export(place: Place, path: str | os.PathLike[str]) -> int:
    """Write the table of an archive to a file, sorted by recording; returns how many rows it has.

    The file is written whole, or stays as it was. Parquet and CSV take the same memory for any number of rows.

    Args:
        place: RESULTS.
        path: of the file; what it ends in says of which kind it is: one of `KINDS`.

    Raises:
        ParameterError: it ends in something else.
        DataError: there is no table, or it is damaged.
        OSError: the table cannot be read.
        OutputError: the file cannot be written, or a sheet cannot hold so many rows.
    """
    target = Path(path)
    if (write := KINDS.get(target.suffix.lower())) is None:
        found = target.suffix or "no ending"
        raise ParameterError(f"{target}: expected a file that ends in {', '.join(KINDS)}, found {found}; name one")
    rows = 0

    def counted() -> Iterator[pa.Table]:
        nonlocal rows
        for table in sorted_rows(place, CHUNK):
            rows += table.num_rows
            yield table

    with _whole(target) as stream:
        write(counted(), stream)
    return rows


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` at the end, if there is no error."""
    with output_errors(path):
        make_folder(path.absolute().parent)
        check_links(path)
        part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
        try:
            with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, file_mode()), "w+b") as stream:
                yield stream
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def _parquet(tables: Iterable[pa.Table], stream: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, schema(), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _csv(tables: Iterable[pa.Table], stream: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.csv

    with pa.csv.CSVWriter(stream, schema()) as writer:
        for table in tables:
            arrays = [_no_formula(array) if array.type == pa.string() else array for array in table.columns]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema()))


def _no_formula(texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(pc.match_substring_regex(texts, FORMULA), pc.binary_join_element_wise("'", texts, ""), texts)


def _xlsx(tables: Iterable[pa.Table], stream: IO[bytes]) -> None:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ModuleNotFoundError:
        raise MissingExtraError("A sheet for Excel", "archive") from None
    book = Workbook(write_only=True)
    sheet = book.create_sheet("recordings")
    sheet.freeze_panes = "B2"

    def cell(value: object) -> object:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)  # Excel knows no time zones; it is UTC by the column's description
        if not isinstance(value, str):
            return value
        made = WriteOnlyCell(sheet, printable(value)[:CELL_CHARACTERS])
        made.data_type = "s"  # also where it looks like a formula
        return made

    rows = 0
    try:
        sheet.append([column.name for column in columns()])
        for table in tables:
            if (rows := rows + table.num_rows) > SHEET_ROWS:
                raise OutputError(f"expected at most {SHEET_ROWS} rows for Excel, found more; write .parquet or .csv")
            for row in table.to_pylist():
                sheet.append([cell(value) for value in row.values()])
    finally:
        sheet.close()
    book.save(stream)


KINDS: dict[str, Callable[[Iterable[pa.Table], IO[bytes]], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".xlsx": _xlsx,
}
"""What a table can be written as, by what the file's name ends in."""
