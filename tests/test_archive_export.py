"""The table of an archive as one file: whole, by recording, and without formulas."""

from __future__ import annotations

import csv
import stat
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from echo_rt.archive import export as exporting
from echo_rt.archive import table as tables
from echo_rt.archive.export import export
from echo_rt.archive.places import Place
from echo_rt.archive.rows import schema
from echo_rt.errors import DataError, OutputError, ParameterError
from support.archives import add, document, rows
from support.hearts import A4C

pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "results"))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of three rows."""
    monkeypatch.setattr(tables, "ROWS", 3)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("kind", [".parquet", ".csv", ".xlsx"])
def test_the_file_has_every_row_by_recording(place: Place, kind: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    add(place, rows(*"gcebafd"))
    target = tmp_path / "new folder" / f"ef{kind.upper()}"
    assert export(place, target) == 7
    found = rows_of(target)
    assert [each["recording"] for each in found] == list("abcdefg")
    ef = document(A4C)["summary"]["ef_percent"]
    assert {float(each["ef_percent"]) for each in found} == {ef}
    assert list(found[0]) == schema().names
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def rows_of(path: Path) -> list[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        return pq.read_table(path).to_pylist()
    if kind == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(path, read_only=True)
    names, *found = book.active.iter_rows(values_only=True)
    book.close()
    return [dict(zip_longest(names, values)) for values in found]  # Excel leaves out empty cells at the end


FORMULAS = ["=1+1", "+cmd|'/C calc'!A0", "-2", "@SUM(A1)", "\t=1"]


def test_a_text_that_looks_like_a_formula_stays_text(place: Place, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    add(place, rows(*FORMULAS))
    export(place, tmp_path / "ef.xlsx")
    book = openpyxl.load_workbook(tmp_path / "ef.xlsx")
    cells = [column[0] for column in book.active.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.value for cell in cells} == {text.replace("\t", "\\t") for text in FORMULAS}
    export(place, tmp_path / "ef.csv")
    assert {each["recording"] for each in rows_of(tmp_path / "ef.csv")} == {f"'{text}" for text in FORMULAS}
    export(place, tmp_path / "ef.parquet")
    assert {each["recording"] for each in rows_of(tmp_path / "ef.parquet")} == set(FORMULAS)


def test_a_sheet_that_excel_cannot_hold_is_refused_and_nothing_is_left(
    place: Place, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(exporting, "SHEET_ROWS", 2)
    add(place, rows(*"abc"))
    (tmp_path / "ef.xlsx").write_text("before")
    with pytest.raises(OutputError, match="expected at most 2 rows for Excel, found more"):
        export(place, tmp_path / "ef.xlsx")
    assert (tmp_path / "ef.xlsx").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"results", "ef.xlsx"}


def test_another_ending_and_a_missing_table_are_one_line(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"expected a file that ends in .parquet, .csv, .xlsx, found .json"):
        export(place, tmp_path / "ef.json")
    with pytest.raises(DataError, match=r"expected the results of echo-rt archive, found no table"):
        export(place, tmp_path / "ef.csv")
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_rows_that_are_exported(place: Place, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 100)
    most = []
    for count in (300, 1200):
        add(place, rows(*(f"{n:06d}" for n in range(count))))
        sizes: list[int] = []
        whole = exporting.sorted_rows

        def watched(*args: Any, sizes: list[int] = sizes, whole: Any = whole) -> Any:
            for table in whole(*args):
                sizes.append(table.num_rows)
                yield table

        with monkeypatch.context() as patched:
            patched.setattr(exporting, "sorted_rows", watched)
            assert export(place, tmp_path / "ef.csv") == count
        most.append(max(sizes))
    assert most == [100, 100]
