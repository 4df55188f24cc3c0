"""The pages of summary.json and readings.csv, from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

DOCS = Path(__file__).resolve().parents[1]


def schema(name: str) -> Schema:
    """The JSON Schema of ``summary`` or ``readings``."""
    found: Schema = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return found


def markdown(name: str, title: str) -> str:
    """The page of a schema: its fields, and a section for each kind of object inside it."""
    return "\n".join(_page(name, title))


def _page(name: str, title: str) -> Iterator[str]:
    found = schema(name)
    file = f"{name}.schema.json"
    yield f"# {title}\n\n{found['description']}\n"
    yield f"Programs can check it by its JSON Schema: [{file}]({file}).\n"
    yield from _table(found)
    for kind, inner in found.get("$defs", {}).items():
        yield f"\n## {kind.capitalize()}\n\n{inner['description']}\n"
        yield from _table(inner)


def _table(found: Schema) -> Iterator[str]:
    yield "| field | meaning | unit | type |\n|---|---|---|---|"
    for name, field in _fields(found):
        values = f" One of {_values(field)}." if "enum" in field and _kind(field) == "text" else ""
        null = " or null" if "null" in field.get("type", ()) else ""
        yield f"| `{name}` | {field['description']}{values} | {field.get('unit', '')} | {_kind(field)}{null} |"


def _fields(found: Schema, before: str = "") -> Iterator[tuple[str, Schema]]:
    """Each field with its name; those of an object inside are named behind its own."""
    for name, field in found.get("properties", {}).items():
        yield before + name, field
        if all("$ref" not in inner for inner in field.get("properties", {}).values()):
            yield from _fields(field, f"{before}{name}.")
    more = (*found.get("patternProperties", {}).values(), found.get("additionalProperties"))
    yield from ((before + field["title"], field) for field in more if field and "title" in field)


def _kind(field: Schema) -> str:
    """What a field holds, for people."""
    kinds = field.get("type", "object")
    first = kinds if isinstance(kinds, str) else kinds[0]
    inside = [field.get("items"), field.get("additionalProperties"), *field.get("properties", {}).values()]
    of: Any = next(filter(None, inside), None)
    if "$ref" in field:
        return "a summary"
    if isinstance(of, dict) and "$ref" in of:
        kind = of["$ref"].rpartition("/")[2]
        return f"[{kind}](#{kind})s" if first == "array" else f"object of [{kind}](#{kind})s"
    return {"string": "text", "array": "list", "boolean": "true or false", "integer": "whole number"}.get(first, first)


def _values(field: Schema) -> str:
    return ", ".join(f"`{value}`" for value in field["enum"] if value is not None)
