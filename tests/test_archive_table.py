"""The table of an archive: a recording is in it once, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from echo_rt.archive import table as tables
from echo_rt.archive.places import Place
from echo_rt.archive.rows import schema
from echo_rt.archive.table import Table, read_rows
from echo_rt.errors import DataError, OutputError
from support.archives import add, document, row, rows
from support.hearts import A4C

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "results"))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of three rows."""
    monkeypatch.setattr(tables, "ROWS", 3)


def parts(place: Place) -> dict[str, list[str]]:
    return {name: pq.read_table(place.local / name)["recording"].to_pylist() for name in sorted(place.names("table"))}


def recordings(place: Place) -> list[str]:
    return sorted(found["recording"] for found in read_rows(place, ["recording"]))


def test_rows_are_read_back_as_they_were_put(place: Place) -> None:
    put = rows("/b", "/a", "/c", attempts=2)
    add(place, put)
    assert list(read_rows(place, schema().names)) == put
    with Table(place) as table:
        known = list(table.load())
    assert [found["recording"] for found in known] == ["/a", "/b", "/c"]
    assert known[0] == {
        "recording": "/a",
        "key": "0123456789abcdef" * 2,
        "status": "ok",
        "kind": None,
        "study": "fedcba9876543210",
        "view": "A4C",
        "attempts": 2,
    }


@pytest.mark.usefixtures("_small")
def test_parts_are_filled_by_one_run_and_left_as_they_are_by_the_next(place: Place) -> None:
    with Table(place) as table:
        table.load()
        for recording in "abcdefg":
            table.put(row(recording))
            table.flush()
    assert list(parts(place).values()) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    before = parts(place)
    add(place, rows("h", "i"))
    assert before.items() <= parts(place).items()
    assert list(parts(place).values())[3:] == [["h", "i"]]
    assert [name[:17] for name in parts(place)] == [f"table/part-{n:06d}" for n in (1, 2, 3, 4)]


@pytest.mark.usefixtures("_small")
def test_a_newer_row_replaces_the_older_one_in_its_part(place: Place) -> None:
    add(place, rows(*"abcdefg"))
    before = parts(place)
    add(place, [row("e", attempts=2, key="f" * 32), row("a", attempts=3), row("x")])
    found = {each["recording"]: each["attempts"] for each in read_rows(place, ["recording", "attempts"])}
    assert found == {**dict.fromkeys("bcdfgx", 1), "e": 2, "a": 3}
    assert recordings(place) == list("abcdefgx")
    assert all(sorted(parts(place)[name]) == names for name, names in before.items())


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("writes", range(5))
def test_killed_after_any_write_no_recording_is_there_twice_and_no_pair_is_forgotten(
    place: Place, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(place, rows(*"abcdef"))
    # Two recordings were followed anew, by another key or by the same, and one is new: each has another view.
    changed = [
        {**row("a", key="f" * 32), "biplane_with": "e"},
        {**row("c", finished_at="2026-06-01T12:00:00+00:00"), "biplane_with": "f"},
        {**row("z"), "biplane_with": "b"},
        *({**row(other), "biplane_with": newer} for newer, other in ("ae", "cf", "zb")),
    ]
    write, left = Place.write, iter(range(writes))

    def killed(self: Place, *args: Any, **options: Any) -> None:
        if next(left, None) is None:
            raise Killed
        write(self, *args, **options)

    monkeypatch.setattr(Place, "write", killed)
    try:
        add(place, changed)
        ended = True
    except Killed:
        ended = False
    monkeypatch.undo()
    there = {each["recording"]: each for each in read_rows(place, ["recording", "key", "biplane_with"])}
    assert len(there) == len(recordings(place))
    for newer, other in ("ae", "cf", "zb"):
        written = there.get(newer, {}).get("biplane_with") == other
        assert not written or there[other]["biplane_with"] == newer
    assert ended == (writes == 4)
    add(place, changed)
    assert recordings(place) == list("abcdefz")
    assert {each["biplane_with"] for each in read_rows(place, ["biplane_with"])} == {None, *"aecfzb"}


def test_what_could_not_be_written_is_written_the_next_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with Table(place) as table:
        table.load()
        table.put(row("a"))
        with monkeypatch.context() as full:
            full.setattr(Place, "write", lambda *_, **__: (_ for _ in ()).throw(OutputError("full")))
            with pytest.raises(OutputError):
                table.flush()
        table.put(row("b"))
        table.flush()
    assert recordings(place) == ["a", "b"]


def damage(content: bytes, how: str) -> bytes:
    if how == "cut":
        return content[: len(content) // 2]
    if how == "turned":
        middle = len(content) // 3
        return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    if how == "foreign":
        return b"PAR1 but not quite PAR1"
    if how == "empty":
        return b""
    stream = pa.BufferOutputStream()
    pq.write_table(pa.table({"recording": ["a"]}) if how == "other columns" else restamped(), stream)
    return bytes(stream.getvalue())


def restamped() -> Any:
    return pa.Table.from_pylist(rows("a"), schema().with_metadata({b"echo_rt.table": b"99"}))


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("how", ["cut", "turned", "foreign", "empty", "other columns", "other version"])
def test_a_damaged_part_is_named_and_its_rows_are_asked_for_again(place: Place, how: str) -> None:
    add(place, rows(*"abcdef"))
    first, _ = parts(place)
    place.write(first, damage(place.read(first), how))
    with pytest.raises(DataError, match=f"{first}: expected a part of the table"):
        list(read_rows(place, ["recording"]))
    said: list[str] = []
    with Table(place, said.append) as table:
        assert [found["recording"] for found in table.load()] == list("def")
        for each in rows(*"abc"):
            table.put(each)
        table.flush()
    (line,) = said
    assert line.startswith(f"{place.address}/{first}: expected a part of the table")
    assert line.endswith("its rows are made anew")
    assert recordings(place) == list("abcdef")


def test_a_byte_that_a_disk_turned_never_makes_another_figure(place: Place) -> None:
    put = rows(*"abc")
    add(place, put)
    (name,) = parts(place)
    content = place.read(name)
    named = 0
    for n in range(0, len(content), 97):
        place.write(name, content[:n] + bytes([content[n] ^ 0xFF]) + content[n + 1 :])
        try:
            assert list(read_rows(place, schema().names)) == put
        except DataError:
            named += 1
    assert named > 100


def test_of_two_parts_with_one_recording_one_keeps_it(place: Place) -> None:
    add(place, rows("a", "b"))
    (name,) = parts(place)
    place.write("table/part-000007-00000000.parquet", place.read(name))
    add(place, rows("c"))
    assert recordings(place) == ["a", "b", "c"]
    assert max(parts(place)).startswith("table/part-000008-")


def test_what_is_not_ours_stays(place: Place) -> None:
    place.write("table/notes.txt", b"mine")
    add(place, rows("a"))
    assert place.read("table/notes.txt") == b"mine"
    assert recordings(place) == ["a"]


def test_duckdb_reads_the_table_in_one_line(place: Place) -> None:
    duckdb = pytest.importorskip("duckdb")
    add(place, rows("/a", "/b"))
    found = duckdb.sql(f"SELECT recording, ef_percent FROM '{place.address}/table/*.parquet' WHERE status = 'ok'")
    ef = document(A4C)["summary"]["ef_percent"]
    assert sorted(found.fetchall()) == [("/a", ef), ("/b", ef)]


def test_pandas_reads_the_table_in_one_line(place: Place) -> None:
    pandas = pytest.importorskip("pandas")
    add(place, rows("/a", "/b"))
    found = pandas.read_parquet(f"{place.address}/table")
    assert list(found.columns) == schema().names
    assert found.set_index("recording").ef_percent["/b"] == document(A4C)["summary"]["ef_percent"]
