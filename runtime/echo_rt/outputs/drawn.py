"""A figure of matplotlib's that a notebook shows."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

PNG: Any = {"format": "png", "metadata": {"Software": "echo-rt"}}
"""How a figure is saved."""


class Drawn(Figure):
    """Shown by a notebook as it is, also where nothing imported pyplot."""

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, **PNG)
        return png.getvalue()
