"""What is known of pixel sizes, whoever states them."""

from __future__ import annotations

import math

PLACEHOLDERS_MM = (1.0, 10.0)
"""A square pixel of one unit, mm or cm: what a sender writes that knows no scale. No scanner has exactly that."""

_EXACT = 1e-6
"""Of a number that went through single precision or a decimal string."""

MAX_ASPECT = 3.0
"""Of one side of a pixel to the other. Research files have 2; more is two units in one header."""


def is_placeholder(spacing_mm: tuple[float, float]) -> bool:
    """Whether a spacing (row, column) is exactly one unit square, and so says nothing."""
    return any(all(math.isclose(mm, unit, rel_tol=_EXACT) for mm in spacing_mm) for unit in PLACEHOLDERS_MM)


def is_oblong(spacing_mm: tuple[float, float]) -> bool:
    """Whether a pixel is longer one way than any scan converter makes it."""
    return max(spacing_mm) > MAX_ASPECT * min(spacing_mm)
