"""What is known of pixel sizes, whoever states them."""

from __future__ import annotations

import math

PLACEHOLDERS_MM = (1.0, 10.0)
"""A square pixel of one unit, mm or cm: what a sender writes that knows no scale. No scanner has exactly that."""

DOTS_PER_INCH = (72, 96, 100, 120, 150, 200, 300, 600)
"""Of screens and printers: a program that made a picture of a picture writes its own pixel."""

_ROUNDED = 1e-4
"""Of 25.4 mm over such a number, which is written with four digits or more."""

_EXACT = 1e-6
"""Of a number that went through single precision or a decimal string."""

MAX_ASPECT = 3.0
"""Of one side of a pixel to the other. Research files have 2; more is two units in one header."""


def is_placeholder(spacing_mm: tuple[float, float]) -> bool:
    """Whether a spacing (row, column) is exactly one unit square, or a dot of a screen, and so says nothing."""
    known = [(unit, _EXACT) for unit in PLACEHOLDERS_MM] + [(25.4 / dots, _ROUNDED) for dots in DOTS_PER_INCH]
    return any(all(math.isclose(mm, unit, rel_tol=near) for mm in spacing_mm) for unit, near in known)


def is_oblong(spacing_mm: tuple[float, float]) -> bool:
    """Whether a pixel is longer one way than any scan converter makes it."""
    return max(spacing_mm) > MAX_ASPECT * min(spacing_mm)
