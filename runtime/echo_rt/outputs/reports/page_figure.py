"""The drawing of a page over time: volume and beats, the rolling EF, and which frames could be used."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from echo_rt.outputs.curve_figure import (
    bad_runs,
    draw_ejection,
    draw_volumes,
    mark_beats,
    mark_extremes,
    volume_unit,
)
from echo_rt.outputs.curve_style import INK, LEGEND, STYLE, dense
from echo_rt.outputs.reports.parts import Parts
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, LEFT, RIGHT = 9.6, 0.145, 0.985
"""Of the figure in inches, and of its panels as shares of that. On the page it is 7.3 inches wide."""

VOLUME, EJECTION, ROW, ABOVE, BELOW, GAP = 1.9, 1.0, 0.17, 0.28, 0.5, 0.33
"""In inches: the panels, a row of the strip, what stands above the first panel, below the last and between two."""

MANY = 4000
"""Frames from which on the lines are drawn as pixels: as paths they would be larger than all the rest of the page."""

ROWS = 6
"""Reasons that have a row of their own, the most frequent ones."""

PIXELS_PER_INCH = 200


def draw_figure(parts: Parts, result: RecordingResult) -> str:
    """The figure as SVG; without an EF it is the strip alone, which has no figure to be read."""
    known = result.ef.percent is not None
    panels = [VOLUME, EJECTION] if known and result.beats else [VOLUME] if known else []
    rows = 1 + min(ROWS, len(result.single_plane.frames.rejected))
    inches = [*panels, ROW * rows]
    high = ABOVE * bool(panels) + sum(inches) + GAP * (len(inches) - 1) + BELOW + 0.05
    look = {**STYLE, "svg.hashsalt": "echo-rt", "svg.fonttype": "path", "font.size": 10.5}
    with matplotlib.rc_context(look):
        figure = Figure(figsize=(WIDE, high), dpi=PIXELS_PER_INCH)
        FigureCanvasSVG(figure)
        top, shared = high - ABOVE * bool(panels), None
        for panel in inches:
            place = (LEFT, (top - panel) / high, RIGHT - LEFT, panel / high)
            shared = figure.add_axes(place, sharex=shared)
            top -= panel + GAP
        if panels:
            _draw_curves(figure.axes, parts, result.single_plane)
        _draw_strip(figure.axes[-1], parts, result.single_plane)
        for axes in figure.axes[:-1]:
            axes.tick_params(labelbottom=False)
        written = BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue().decode()


def _draw_curves(panels: list[Axes], parts: Parts, result: RecordingResult) -> None:
    volume = panels[0]
    draw_volumes(volume, parts.curves, result)
    if result.beats:
        mark_beats(volume, result.beats)
        draw_ejection(panels[1], parts.curves, result)
    elif result.extremes is not None:
        mark_extremes(volume, result.extremes, volume_unit(result))
    if len(parts.curves.t_s) > MANY:
        for axes in panels[:2]:
            for drawn in (*axes.lines, *axes.collections):
                drawn.set_rasterized(True)
    scale = 4 if dense(result.beats) else 1
    volume.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=5, markerscale=scale, **LEGEND)


def _draw_strip(axes: Axes, parts: Parts, result: RecordingResult) -> None:
    """A row for the frames that were used, and one for each reason why others were not, filled where that holds."""
    t_s, why = np.array(parts.curves.t_s), np.array(parts.unusable, int)
    ranked = list(result.frames.rejected)[:ROWS]
    rows = [("used", 0), *((reason, 1 + parts.reasons.index(reason)) for reason in ranked)]
    for row, (_, number) in enumerate(rows):
        if runs := bad_runs(t_s, why != number):
            colour = INK if number else "#7d9cb8"
            axes.broken_barh(runs, (row + 0.15, 0.7), color=colour, lw=0.4, rasterized=len(t_s) > MANY)
    axes.set_ylim(len(rows), 0)
    axes.set_yticks(np.arange(len(rows)) + 0.5, [name for name, _ in rows], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.01)
    axes.set_xlabel("Time (s)")
