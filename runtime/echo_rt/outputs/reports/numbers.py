"""The numbers of a page: each one of summary.json, and where it stands there."""

from __future__ import annotations

from typing import Any, NamedTuple

VOLUME_DIGITS = {"mL": 1, "px3": 0}

UNITS = {"px3": "px³", "px2": "px²", "mm2": "mm²"}
"""Of summary.json, as people write them."""


class Number(NamedTuple):
    """A number of a page.

    Attributes:
        key: where it stands in summary.json, with points between.
        value: as it stands there.
        text: as it is printed, without the unit. It has as many digits as the value, or fewer for a volume.
        unit: as it is printed; empty without one.
    """

    key: str
    value: float
    text: str
    unit: str


def number(told: dict[str, Any], key: str, digits: int, unit: str = "") -> Number | None:
    """The number of summary.json at that key, with so many digits behind the point; None where there is none.

    Args:
        told: what summary.json holds.
        key: with points between, such as ``measures.sv_ml.value`` or ``beats.0.edv``.
        digits: behind the point.
        unit: of summary.json.
    """
    found: Any = told
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else (found or {}).get(part)
    if found is None:
        return None
    return Number(key, found, written(found, digits), UNITS.get(unit, unit))


def written(value: float, digits: int) -> str:
    """A number for people, with the sign of minus."""
    return f"{value:,.{digits}f}".replace("-", "−")
