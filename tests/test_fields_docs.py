"""The JSON Schemas in docs/, of which the site makes its tables, say what summary.json and readings.csv hold."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from echo_rt import process
from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.chambers import Scale
from echo_rt.phantom import open_phantom, write
from support.hearts import A2C, A4C, Traced

field_page = pytest.importorskip("field_page")
jsonschema = pytest.importorskip("jsonschema")


def wrong(name: str, found: Any) -> list[str]:
    """What a schema has against a value."""
    validator = jsonschema.Draft202012Validator(field_page.schema(name))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(found)]


@pytest.fixture(scope="module")
def both() -> dict[str, Any]:
    """The summary of two views."""
    return process(A4C, Traced(A4C, A2C), a2c=A2C).to_dict()


@pytest.mark.parametrize("name", ["summary", "readings"])
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(field_page.schema(name))


def test_the_schema_takes_the_summary_of_two_views_and_of_each(both: dict[str, Any]) -> None:
    assert both["beats"]
    assert both["biplane"]["beats"]
    assert both["measures"]
    assert both["wall"]
    assert not wrong("summary", both)


def test_the_schema_takes_a_summary_without_a_figure() -> None:
    short = "phantom:?seconds=0.2&height=160&width=200&fps=30"
    found = process(short, Traced(short)).to_dict()
    assert found["ef_percent"] is None
    assert not wrong("summary", found)


def test_the_schema_refuses_a_field_that_is_missing_or_unknown_or_of_another_type(both: dict[str, Any]) -> None:
    assert all(wrong("summary", {key: value for key, value in both.items() if key != name}) for name in both)
    assert wrong("summary", {**both, "new": 1})
    assert wrong("summary", {**both, "ef_percent": "55"})


def row_by_row(scale: Scale, folder: Path) -> list[dict[str, Any]]:
    """readings.csv of a heart, and of the same one from a video, which has no scale."""
    recording = A4C
    if scale is Scale.PX:
        recording = str(write(open_phantom(A4C), folder / "heart.avi")[0])
    process(recording, Traced(A4C), out=folder, name="results", overlay=False, read_screen=False)
    with (folder / "results" / "readings.csv").open(encoding="utf-8", newline="") as file:
        return [{name: value_of(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("scale", Scale)
def test_the_schema_takes_every_row_and_leaves_measures_alone_to_their_own_page(scale: Scale, tmp_path: Path) -> None:
    rows = row_by_row(scale, tmp_path)
    assert any(row["beat"] == "accepted" for row in rows)
    assert f"area_{scale.area}" in rows[0]
    assert not [line for row in rows for line in wrong("readings", row)]
    schema = field_page.schema("readings")
    named = {*schema["properties"], *(n for n in rows[0] if any(re.match(p, n) for p in schema["patternProperties"]))}
    assert rows[0].keys() - named == {measure.column(scale) for measure in MEASURES}


def value_of(cell: str) -> Any:
    """A cell as JSON has it: a number, a text, or null where it is empty."""
    try:
        number = float(cell)
    except ValueError:
        return cell or None
    return int(number) if number.is_integer() else number
