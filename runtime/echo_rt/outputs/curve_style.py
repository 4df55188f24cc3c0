"""How the figure of curve.png looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from echo_rt.outputs.fonts import BASE
from echo_rt.reading import Beat

MAX_ANNOTATED = 24
"""With more beats than that the marks shrink to dots and the words go: at 1200 pixels they would touch."""

INK, BLUE, RED, AMBER, VIOLET, GREY, SHADE = "#222222", "#1f5a92", "#c44e3b", "#e0a030", "#6a4c93", "#8a8a8a", "#ececec"

SEGMENT_COLOURS = ("#123f66", "#3f7fb5", "#93bcdc", "#e8b07a", "#c97a33", "#8a4a12")
"""The septum in blue, the lateral wall in orange, both dark at the base."""

STYLE: Any = {
    "font.family": BASE,
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "legend.fontsize": 10,
}

LEFT, RIGHT = 0.075, 0.975
"""Of the panels and the words above them, as shares of the width."""

LEGEND: Any = {"handletextpad": 0.5, "columnspacing": 1.4, "borderaxespad": 0.2}


def dense(beats: Sequence[Beat]) -> bool:
    """Whether there are so many that only lines and dots are drawn."""
    return len(beats) > MAX_ANNOTATED
