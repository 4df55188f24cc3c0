"""JSON that lies: values of other types, sizes and signs in place of those of a real one."""

from __future__ import annotations

import json
from random import Random
from typing import Any

DEEP = "@deep@"
HUGE = "@huge@"
RAW = {f'"{DEEP}"': "[" * 4000 + "]" * 4000, f'"{HUGE}"': "9" * 5000}
"""What json.dumps would not write, by what stands in its place until it has."""

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**19, 10**300, -0.0, 1e-320, 1e308, -1e308, 0.5, float("nan"),
    float("inf"), float("-inf"), "", "a", "\x1b[31mred\x07", "[bold]x[/bold]", "\ud800", "two\nlines", "\u202egnp.exe",
    "x" * 100_000, "../../etc/passwd", [], [1], [[]], [None] * 7, ["a", "a"], {}, {"": 1}, {"a": {"b": [1]}}, DEEP,
    HUGE, [1e308, 1e308], ["view"] * 3, [0, 0], [1, 2], {"min_confidence": "high"},
    {"4CH EF": {"bias": 1e200, "sd": 1e200}},
]  # fmt: skip


def shown(value: Any) -> str:
    """A value in a case's name."""
    return ascii(value)[:40]


def mutated(chance: Random, raw: Any) -> tuple[str, Any]:
    """One place of a JSON value changed, and what was done. Objects and lists are copied."""
    path, holder, key = "", [raw], 0
    whole: Any = holder
    while True:
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or (path and chance.random() < 0.4):
            break
        holder[key] = inner = dict(inner) if isinstance(inner, dict) else list(inner)
        holder = inner
        key = chance.choice(sorted(inner) if isinstance(inner, dict) else range(len(inner)))
        path += f".{key}"
    what = chance.choice(["value", "value", "value", "value", "drop", "more", "type"])
    if what == "drop" and isinstance(holder, (dict, list)) and path:
        del holder[key]
        return f"without {path}", whole[0]
    if what == "more" and isinstance(holder, dict):
        name = chance.choice(["", "colour", "\x1b[2J", "x" * 5000, "__class__"])
        holder[name] = chance.choice(VALUES)
        return f"more in {path}: {shown(name)}", whole[0]
    if what == "type" and not isinstance(holder[key], (dict, list)):
        holder[key] = chance.choice([[holder[key]], {"a": holder[key]}, str(holder[key]), [holder[key]] * 3])
    else:
        holder[key] = chance.choice(VALUES)
    return f"{path or 'all'}={shown(holder[key])}", whole[0]


def as_text(raw: Any) -> str:
    """JSON with what no writer would write."""
    text = json.dumps(raw)
    for mark, written in RAW.items():
        text = text.replace(mark, written)
    return text
