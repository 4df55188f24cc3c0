"""JSON of somebody else: typed values, or one line that says what was expected and found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.checked import AtMost, Between, ManyLines, MismatchError, UnknownFieldError, Verbatim, parse_json, record
from echo_rt.errors import ModelError, SourceError, first_line, printable


@dataclass(frozen=True)
class Place:
    x: Annotated[int, Between(0, 100)]
    y: Annotated[int, Between(0, 100)] = 7


@dataclass(frozen=True)
class Thing:
    name: str
    size: Annotated[float, Between(0, 10)] = 1.0
    kind: Literal["a", "b"] = "a"
    ready: bool = False
    place: Place = Place(1, 2)
    limits: tuple[float, float] | None = None
    tags: Annotated[tuple[str, ...], AtMost(3)] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    more: Any = None
    text: Verbatim | None = None
    licence: Annotated[str, ManyLines()] = ""


FULL: dict[str, Any] = {
    "name": "Zürich 患者", "size": 2, "kind": "b", "ready": True, "place": {"x": 3, "y": 4}, "limits": [1, 2.5],
    "tags": ["u", "v"], "shares": {"w": 0.5}, "more": [{"k": None}], "text": "\x1b[2J",
    "licence": "a line\nand another",
}  # fmt: skip


def test_what_fits_its_schema_comes_back_typed() -> None:
    found = record(Thing, parse_json(json.dumps(FULL)))
    assert found.place == Place(3, 4)
    assert (found.size, found.limits, found.tags) == (2.0, (1.0, 2.5), ("u", "v"))
    assert record(Thing, parse_json(json.dumps(asdict(found)))) == found
    assert record(Thing, {"name": "n"}) == Thing("n")


def test_a_part_that_is_not_there_has_the_value_of_its_default() -> None:
    assert record(Thing, {"name": "n", "place": {"x": 9}}).place == Place(9, 2), "that of the thing's own place"
    assert record(Place, {"x": 9}) == Place(9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 1}, "expected text as name, found 1"),
        ({"name": "a\x07"}, r"expected printable text of at most 20000 characters as name, found 'a\x07'"),
        ({"name": "x" * 50_000}, "expected printable text of at most 20000 characters as name"),
        ({"size": "2"}, "expected a finite number as size, found '2'"),
        ({"size": True}, "expected a finite number as size, found True"),
        ({"size": 11}, "expected 0 to 10 as size, found 11"),
        ({"kind": "c"}, "expected one of a, b as kind, found 'c'"),
        ({"ready": 1}, "expected true or false as ready, found 1"),
        ({"place": [3, 4]}, "expected names and values as place, found [3, 4]"),
        ({"place": {"x": 1.5}}, "expected a whole number as place.x, found 1.5"),
        ({"limits": [1]}, "expected 2 values in a list as limits, found [1]"),
        ({"tags": ["u", "u"]}, "expected at most 3 different values as tags"),
        ({"shares": {"w": []}}, "expected a finite number as shares.w, found []"),
        ({"licence": "a\rb"}, "expected printable text of at most 20000 characters as licence"),
        ({"more": {"k": "\ud800"}}, r"as more.k, found '\ud800'"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected_and_found(change: dict[str, Any], said: str) -> None:
    with pytest.raises(MismatchError) as refused:
        record(Thing, {**FULL, **change})
    assert said in str(refused.value)


def test_unknown_fields_are_refused_or_left_out_and_missing_ones_are_named() -> None:
    with pytest.raises(UnknownFieldError, match="place has unknown fields z"):
        record(Thing, {**FULL, "place": {"x": 1, "z": 2}})
    assert record(Thing, {**FULL, "place": {"x": 1, "z": 2}, "q": 1}, more=True).place == Place(1, 2)
    with pytest.raises(MismatchError, match="expected a value as name, found none"):
        record(Thing, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "levels"),
        ("[" * 17 + "]" * 17, "levels"),
        ('{"a": ' * 30 + "1" + "}" * 30, "levels"),
        ("9" * 5000, "a whole number of at most 20 digits, found one of 5000"),
        ("1e400", "a finite number"),
        ("NaN", "a finite number, found NaN"),
        ("-Infinity", "a finite number, found -Infinity"),
        ("", "expected JSON, found Expecting value at character 0"),
        (b"\xff\xfe{\x00}\x00", "expected JSON in UTF-8, found byte 0xff"),
        ('"\x07"', "expected JSON, found Invalid control character"),
    ],
)
def test_what_no_writer_of_ours_writes_is_no_json(text: str | bytes, said: str) -> None:
    with pytest.raises(MismatchError) as refused:
        parse_json(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(deadline=None)
@given(st.sampled_from(sorted(FULL)), VALUES)
def test_any_value_in_any_place_is_taken_or_refused_in_one_printable_line(name: str, found: object) -> None:
    said = ""
    try:
        record(Thing, {**FULL, name: found})
    except MismatchError as error:
        said = str(error)
    assert said == printable(said)
    assert len(said) < 1000


def test_whatever_an_error_quotes_of_a_file_is_escaped_once() -> None:
    said = str(ModelError("m\x1b[31m.onnx: found\nthis [bold]é\u202e"))
    assert said == r"m\x1b[31m.onnx: found\nthis [bold]é\u202e"
    assert str(SourceError(said)) == said
    assert printable("non\u00a0breaking") == "non\u00a0breaking"
    long = str(SourceError("x" * 10**6 + "; copy it again"))
    assert long.endswith("; copy it again")
    assert len(long) < 2000
    assert len(first_line(ValueError("x" * 10**6))) < 1000
