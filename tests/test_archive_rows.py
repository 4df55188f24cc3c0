"""The row of a recording: every figure is that of its document, and every column says what it is."""

from __future__ import annotations

import io
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from echo_rt.archive.pairs import figure_columns, paired
from echo_rt.archive.rows import columns, row_of, schema
from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.chambers import Scale
from echo_rt.reading import SEGMENTS
from support.archives import document
from support.hearts import A2C, A4C, SPEC

pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")
DOCS = Path(__file__).resolve().parents[1] / "docs/archive.md"


def test_the_row_has_the_figures_of_the_summary() -> None:
    found = document(A4C, "/heart/a.dcm")
    row, summary = row_of(found, None), found["summary"]
    same = summary.keys() & row.keys() - {"recording", "notes"}
    assert {name: row[name] for name in same} == {name: summary[name] for name in same}
    assert {"ef_percent", "ef_low", "ef_high", "fac_percent", "heart_rate_bpm", "frames", "fps", "rhythm"} <= same
    assert {name: row[name] for name in summary["measures"] if name in row} == {
        name: figure["value"] for name, figure in summary["measures"].items()
    }
    assert (row["edv_ml"], row["esv_ml"], row["edv_px3"]) == (summary["edv"], summary["esv"], None)
    assert [row["spacing_row_mm"], row["spacing_column_mm"]] == summary["spacing_mm"]
    assert row["accepted_beats"] + row["rejected_beats"] == len(summary["beats"])
    assert {row[f"akinetic_{segment}"] for segment in SEGMENTS} == {False}
    assert row["recording"] == "/heart/a.dcm"
    assert row["finished_at"] == datetime(2026, 5, 1, 12, 0, 0, 125_000, timezone.utc)


def test_no_figure_of_the_summary_is_without_a_column() -> None:
    names = {column.name for column in columns()}
    assert {measure.column(scale) for measure in MEASURES for scale in Scale} <= names
    assert set(figure_columns().values()) <= names
    assert {name for name in document(A4C)["summary"] if name.endswith(("_percent", "_bpm", "_m2"))} <= names
    assert len(names) == len(columns())


def test_volumes_without_a_scale_have_a_column_of_their_own_unit() -> None:
    found = document(A4C)
    found["summary"] |= {"volume_unit": "px3", "spacing_mm": None}
    row = row_of(found, None)
    assert (row["edv_ml"], row["edv_px3"]) == (None, found["summary"]["edv"])
    assert (row["spacing_row_mm"], row["volume_unit"]) == (None, "px3")


def test_the_share_of_usable_frames_and_the_main_reason_of_the_others() -> None:
    found = document(A4C)
    found["summary"] |= {"frames": 120, "rejected_frames": {"foreshortened": 3, "not apical": 27}}
    row = row_of(found, None)
    assert (row["usable_frames_percent"], row["rejected_frames_reason"]) == (75.0, "not apical")
    found["summary"] |= {"frames": 0, "rejected_frames": {}}
    assert row_of(found, None)["usable_frames_percent"] is None


def test_the_biplane_columns_are_those_of_the_pair() -> None:
    documents = [document(A4C, "a"), document(A2C, "b")]
    pairs = paired(documents, SPEC)
    row = row_of(documents[0], pairs["a"])
    assert pairs["a"].items() <= row.items()
    assert row["biplane_ef_percent"] != row["ef_percent"]
    assert row["ls_mean_percent"] == pairs["a"]["ls_mean_percent"] is not None
    assert pairs["a"].keys() <= set(schema().names)


def test_a_recording_that_failed_has_every_column_and_no_figure() -> None:
    row = row_of(document(None, "/heart/b.dcm", attempts=2), None)
    assert list(row) == schema().names
    assert {name for name, value in row.items() if value is not None} == {
        "recording", "key", "study", "status", "kind", "reason", "attempts", "host", "seconds", "finished_at",
    }  # fmt: skip


def test_files_are_named_where_they_are() -> None:
    row = row_of(document(A4C, files=["files/ab/1/masks.npz", "files/ab/1/overlay.mp4"]), None)
    assert (row["masks"], row["overlay"]) == ("files/ab/1/masks.npz", "files/ab/1/overlay.mp4")


def test_rows_fit_the_types_and_names_that_are_no_unicode_can_be_written() -> None:
    odd = document(A4C)
    odd["recording"] = "/heart/caf\udce9.dcm"
    odd["summary"]["measures"]["sv_ml"]["value"] = 71  # JSON has whole numbers
    table = pa.Table.from_pylist([row_of(odd, None), row_of(document(None, "b"), None)], schema())
    assert table["recording"].to_pylist() == [r"/heart/caf\udce9.dcm", "b"]
    assert table["sv_ml"].to_pylist() == [71.0, None]
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream)
    assert pa.parquet.read_table(io.BytesIO(stream.getvalue())).equals(table)


def test_every_column_says_what_it_holds_in_the_table_itself() -> None:
    for field, column in zip(schema(), columns(), strict=True):
        assert field.metadata == {b"about": column.about.encode()}
        assert column.about


@pytest.mark.skipif(not DOCS.exists(), reason="docs/archive.md is not there yet")
def test_the_page_names_the_columns() -> None:
    section = DOCS.read_text().partition("\n## Columns\n")[2].partition("\n## ")[0]
    listed: list[Any] = re.findall(r"^\| `(\w+)` \| ([^|]+?) \| ([^|]+?) \|$", section, re.MULTILINE)
    shown = [(column.name, column.kind, column.about) for column in columns() if not of_a_measure(column.name)]
    assert listed == shown


def of_a_measure(name: str) -> bool:
    return name in {measure.column(scale) for measure in MEASURES for scale in Scale}
