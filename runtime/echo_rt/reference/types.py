"""What the kernels take and give."""

from __future__ import annotations

Pair = tuple[float, float]

LongAxis = tuple[float, float, tuple[float, float], tuple[float, ...]]
"""Length of the long axis, area inside the contour, apex, diameters of the disks; in the unit of the contour, the area
in its square."""
