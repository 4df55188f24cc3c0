"""The figure of curve.png, drawn with matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from echo_rt.arrays import Array
from echo_rt.curves import Curves
from echo_rt.outputs.curve_chambers import draw_atrium, draw_strain, has_atrium, has_strain
from echo_rt.outputs.curve_style import (
    AMBER,
    BLUE,
    GREY,
    INK,
    LEFT,
    LEGEND,
    RED,
    RIGHT,
    SEGMENT_COLOURS,
    SHADE,
    STYLE,
    dense,
)
from echo_rt.outputs.curve_words import figure_lines, headline
from echo_rt.outputs.drawn import PNG, Drawn
from echo_rt.outputs.fonts import drawable
from echo_rt.reading import SEGMENTS, Beat
from echo_rt.result import ClipExtremes, RecordingResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from numpy.typing import NDArray

WIDE, HIGH = 12.0, 7.0
"""Of the figure, in inches of 100 pixels: so high with volume and EF alone."""

TITLE_Y, HEADLINE_Y, LINE, ABOVE, BELOW, GAP = 0.315, 0.595, 0.25, 0.98, 0.6, 0.44
"""In inches: of the title and the headline from the top, of each further line of words, of all that stands above the
first panel without those, of what stands below the last, and between two panels."""

WORDS = (10, 9.5, 9, 8.5, 8)
"""Sizes of the letters of those lines: the first with which one is not too long."""

ROOM = (RIGHT - LEFT) * WIDE * 100
"""For a line of words, in pixels."""


class Panel(NamedTuple):
    """A panel below that of the volume.

    Attributes:
        draw: draws it.
        inches: how high it is.
        adds: by how much the figure grows with it, in inches; the volume gives way for the rest.
    """

    draw: Callable[[Axes, Curves, RecordingResult], None]
    inches: float
    adds: float


def save_figure(path: Path, title: str, curves: Curves, result: RecordingResult) -> None:
    """Draw the figure of a recording and write it as a PNG."""
    with matplotlib.rc_context(STYLE):
        make_figure(title, curves, result).savefig(path, **PNG)


def make_figure(title: str, curves: Curves, result: RecordingResult) -> Drawn:
    """Draw the figure of a recording."""
    panels = [
        *([Panel(draw_ejection, 1.45, 0.0)] if result.beats else []),
        *([Panel(draw_strain, 1.4, 1.6)] if has_strain(curves, result) else []),
        *([Panel(draw_atrium, 1.1, 1.3)] if has_atrium(result) else []),
        *([Panel(_wall, 1.6, 2.0)] if curves.displacement_unit else []),
    ]
    words = figure_lines(result)
    # Not pyplot: it keeps every figure and asks for a display.
    with matplotlib.rc_context(STYLE):
        high = HIGH + sum(panel.adds for panel in panels) + LINE * len(words)
        figure = Drawn(figsize=(WIDE, round(high, 2)), dpi=100)
        FigureCanvasAgg(figure)
        _draw(figure, title, words, panels, curves, result)
    return figure


def _draw(
    figure: Figure, title: str, words: list[str], panels: list[Panel], curves: Curves, result: RecordingResult
) -> None:
    high = figure.get_figheight()
    top = high - ABOVE - LINE * len(words)
    bottom = BELOW + sum(panel.inches + GAP for panel in panels)
    upper = _axes(figure, bottom, top - bottom)
    draw_volumes(upper, curves, result)
    if result.beats:
        mark_beats(upper, result.beats)
    elif result.extremes is not None:
        mark_extremes(upper, result.extremes, volume_unit(result))
    for panel in panels:
        bottom -= GAP + panel.inches
        panel.draw(_axes(figure, bottom, panel.inches, upper), curves, result)
    for axes in figure.axes[:-1]:
        axes.tick_params(labelbottom=False)
    figure.axes[-1].set_xlabel("Time (s)")
    _title(figure, title, 1 - TITLE_Y / high)
    grey: Any = {"fontsize": 11, "color": "#555555", "va": "center"}
    figure.text(LEFT, 1 - HEADLINE_Y / high, headline(result), **grey)
    for number, line in enumerate(words, 1):
        text = figure.text(LEFT, 1 - (HEADLINE_Y + LINE * number) / high, line, **grey)
        for size in WORDS:
            text.set_fontsize(size)
            if text.get_window_extent().width <= ROOM:
                break
        _shorten(text)
    if upper.get_legend_handles_labels()[0]:
        upper.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=5,
            markerscale=4 if dense(result.beats) else 1,
            **LEGEND,
        )


def _axes(figure: Figure, bottom: float, inches: float, share: Axes | None = None) -> Axes:
    """Of a panel, from so many inches above the figure's lower edge on."""
    high = figure.get_figheight()
    return figure.add_axes((LEFT, bottom / high, RIGHT - LEFT, inches / high), sharex=share)


def _title(figure: Figure, title: str, y: float) -> None:
    """The recording's name, whatever its script and its length; without its middle where it is too long."""
    shown, fonts = drawable(title)
    style: Any = {"fontsize": 14, "fontweight": "bold", "va": "center", "fontfamily": fonts, "parse_math": False}
    _shorten(figure.text(LEFT, y, shown, **style))


def _shorten(text: Text) -> None:
    """Leave out the middle of what is too long for the figure."""
    shown = text.get_text()
    while (width := text.get_window_extent().width) > ROOM and len(shown) > 3:
        keep = max(1, min(len(shown) - 2, int(len(shown) * ROOM / width) - 1)) // 2
        shown = f"{shown[:keep]}…{shown[-keep:]}" if keep else "…"
        text.set_text(shown)


def volume_unit(result: RecordingResult) -> str:
    """Of the curve, for people."""
    return "mL" if result.frames.scale.calibrated else "px³"


def draw_volumes(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    """The volume of each frame, and where frames could not be used."""
    t_s, volume, ok = np.array(curves.t_s), np.array(curves.volume), np.array(curves.ok, bool)
    many = dense(result.beats)
    if runs := bad_runs(t_s, ok):
        axes.broken_barh(
            runs, (0, 1), transform=axes.get_xaxis_transform(), color=SHADE, lw=0, zorder=0, label="frames not used"
        )
    width = 0.5 if many else 1.6
    axes.plot(t_s, np.where(ok, np.nan, volume), color="#b5b5b5", lw=width, zorder=1)
    axes.plot(t_s, np.where(ok, volume, np.nan), color="#9db4cc" if many else BLUE, lw=width, zorder=2)
    calibrated = result.frames.scale.calibrated
    axes.set_ylabel(f"LV volume ({volume_unit(result)}{'' if calibrated else ', uncalibrated'})")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5), useMathText=True)
    axes.margins(x=0.01, y=0.08)


def mark_beats(axes: Axes, beats: Sequence[Beat]) -> None:
    """ED and ES of each beat, with its EF or why it does not count."""
    many = dense(beats)
    for accepted in (True, False):
        some = [beat for beat in beats if beat.accepted == accepted]
        ed, es = [(b.t_ed_s, b.edv) for b in some], [(b.t_es_s, b.esv) for b in some]
        for name, colour, mark, points in (("ED", BLUE, "v", ed), ("ES", RED, "^", es)):
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    ls="none",
                    marker="." if many else mark,
                    ms=3 if many else 8,
                    mfc=colour if accepted else "white",
                    mec=colour if accepted else GREY,
                    mew=0 if many and accepted else 1.1,
                    label=name if accepted else f"{name}, rejected ({len(some)})",
                    zorder=4,
                )
    if many:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.17 * (high - low), high)  # room for the words under the lowest mark
    for beat in beats:
        words = f"{beat.ef_percent:.0f} %" if beat.accepted else "\n".join(textwrap.wrap(beat.reason or "rejected", 9))
        size, colour = (10, RED) if beat.accepted else (8, GREY)
        place: Any = {"textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate(words, (beat.t_es_s, beat.esv), (0, -9), fontsize=size, color=colour, **place)


def draw_ejection(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    """The rolling EF with its interval, and that of each beat."""
    many = dense(result.beats)
    if any(ef.percent is not None for _, ef in result.rolling):
        # A step holds until the next one, the last one until the end; a figure that was withdrawn leaves a gap.
        t_s = [t for t, _ in result.rolling] + [curves.t_s[-1]]
        steps = [ef for _, ef in result.rolling] + [result.rolling[-1][1]]
        percent, low, high = (
            np.array([getattr(ef, name) for ef in steps], float) for name in ("percent", "low", "high")
        )
        stale = np.array([ef.stale for ef in steps])
        axes.fill_between(t_s, low, high, step="post", color=BLUE, alpha=0.15, lw=0, label="95 % interval", zorder=1)
        axes.step(t_s, percent, where="post", color=INK, lw=1.0 if many else 1.6, label="rolling EF", zorder=3)
        if stale.any():
            held = np.where(stale, percent, np.nan)
            axes.step(t_s, held, where="post", color=AMBER, lw=2.4, label="stale", zorder=4)
    for accepted in (True, False):
        beats = [beat for beat in result.beats if beat.accepted == accepted]
        if beats:
            axes.plot(
                [b.t_es_s for b in beats],
                [b.ef_percent for b in beats],
                ls="none",
                marker="o",
                ms=2.5 if many else 5,
                mfc=BLUE if accepted else "white",
                mec=BLUE if accepted else GREY,
                mew=0.6,
                label="one beat" if accepted else "rejected",
                zorder=2,
            )
    axes.set_ylabel("EF (%)")
    axes.margins(x=0.01, y=0.15)
    low_end, high_end = axes.get_ylim()
    middle, half = (low_end + high_end) / 2, max(10.0, (high_end - low_end) / 2)  # a steady EF shall look steady
    axes.set_ylim(max(0.0, middle - half), min(100.0, middle + half))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=5, **LEGEND)


def _wall(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    """How far each segment has come inwards since the last ED; akinetic ones stand out and are named."""
    still = [segment.akinetic for segment in result.wall.segments] or [False] * len(SEGMENTS)
    displacement = np.array(curves.displacement).reshape(-1, len(SEGMENTS))
    width = 0.5 if dense(result.beats) else 1.1
    for n, segment in enumerate(SEGMENTS):
        axes.plot(
            curves.t_s,
            displacement[:, n],
            color=RED if still[n] else SEGMENT_COLOURS[n],
            lw=2 * width if still[n] else width,
            ls=("-", "--", ":")[sum(still[:n]) % 3] if still[n] else "-",
            label=segment.replace("_", " ") + (", akinetic" if still[n] else ""),
            zorder=3 if still[n] else 2,
        )
    axes.axhline(0, color="#b5b5b5", lw=0.6, zorder=0)
    axes.set_ylabel(f"inwards ({curves.displacement_unit})")
    axes.margins(x=0.01, y=0.08)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=6, handlelength=1.2, **LEGEND)
    if any(still):
        # A network draws a wall that is hardly seen as moving: a red curve may rise.
        note = "drawn: the contour; akinetic by contour and speckle together"
        axes.text(1.0, -0.19, note, transform=axes.transAxes, ha="right", va="top", fontsize=9, color=GREY)


def mark_extremes(axes: Axes, extremes: ClipExtremes, unit: str) -> None:
    """The clip's largest and smallest volume."""
    for name, colour, mark, t_s, volume in (
        ("largest", BLUE, "v", extremes.t_ed_s, extremes.edv),
        ("smallest", RED, "^", extremes.t_es_s, extremes.esv),
    ):
        # The figures stand in the legend: beside the marks the curve would run through them.
        label = f"{name}: {volume:,.0f} {unit}"
        axes.plot([t_s], [volume], ls="none", marker=mark, ms=9, color=colour, label=label, zorder=4)


def bad_runs(t_s: Array, ok: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(start, duration) in seconds of each run of frames that are not ok, each from and to half way to its neighbour.

    Args:
        t_s: (N,) strictly increasing.
        ok: (N,).
    """
    if len(t_s) < 2:
        return []
    edges = np.concatenate([t_s[:1], (t_s[1:] + t_s[:-1]) / 2, t_s[-1:]])
    change = np.flatnonzero(np.diff(np.concatenate([[True], ok, [True]]).astype(np.int8)))
    return [
        (float(edges[first]), float(edges[last] - edges[first]))
        for first, last in zip(change[::2], change[1::2], strict=True)
    ]
