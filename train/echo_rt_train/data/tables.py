"""CSV files that describe data sets."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from echo_rt.checked import shown
from echo_rt.errors import DataError

Row = dict[str, str]


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file with at least those columns, by name; blanks around values are dropped.

    Raises:
        DataError: it cannot be read, a column is not there, or a row is too short for the columns.
    """
    try:
        if not is_file(path):  # a pipe would block
            raise FileNotFoundError(errno.ENOENT, "no such file")
        with path.open(newline="", encoding="utf-8-sig") as stream:  # Excel writes a byte-order mark
            reader = csv.DictReader(stream)
            if missing := [c for c in columns if c not in (reader.fieldnames or ())]:
                raise DataError(f"{path}: expected the columns {', '.join(columns)}; {', '.join(missing)} not found")
            rows = [
                {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)} for row in reader
            ]
    except OSError as error:
        raise DataError(f"{path}: expected a table, found none ({error.strerror}); check the folder") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: expected a CSV file in UTF-8, found something else ({error}); export it again"
        ) from None
    if not rows:
        raise DataError(f"{path}: expected a row for each image or recording, found the header alone")
    return rows


def is_file(path: Path) -> bool:
    """Whether there is a file: False, too, for a name that no file can have."""
    return os.path.isfile(path)


def whole(path: Path, line: int, name: str, text: str, least: int = 0, most: int = 10**7) -> int:
    """A whole number in a table.

    Raises:
        DataError: it is none, or out of its range.
    """
    found = number(path, line, name, text)
    if not least <= found <= most:  # also where it is none
        raise DataError(f"{path}: expected {least} to {most} for {name} in line {line}, found {shown(text)}")
    return int(found)


def number(path: Path, line: int, name: str, text: str) -> float:
    """A number in a table.

    Raises:
        DataError: it is none; says the line, counted from 1 with the header.
    """
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{path}: expected a number for {name} in line {line}, found {shown(text)}") from None
