"""The figure of curve.png, drawn with matplotlib."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from echo_rt.arrays import Array
from echo_rt.outputs.curves import Curves
from echo_rt.outputs.fonts import BASE, drawable
from echo_rt.reading import AREA_EXTREMES, SEGMENTS, Beat
from echo_rt.result import ClipExtremes, RecordingResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MAX_ANNOTATED = 24
"""With more beats than that the marks shrink to dots and the words go: at 1200 pixels they would touch."""

INK, BLUE, RED, AMBER, GREY, SHADE = "#222222", "#1f5a92", "#c44e3b", "#e0a030", "#8a8a8a", "#ececec"

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


def save_figure(path: Path, title: str, curves: Curves, result: RecordingResult) -> None:
    """Draw the figure of a recording and write it as a PNG."""
    # Not pyplot: it keeps every figure and asks for a display.
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 9 if curves.displacement_unit else 7), dpi=100)
        FigureCanvasAgg(figure)
        _draw(figure, title, curves, result)
        figure.savefig(path, format="png", metadata={"Software": "echo-rt"})


def _draw(figure: Figure, title: str, curves: Curves, result: RecordingResult) -> None:
    heights = [2.4] + [1.0] * bool(result.beats) + [1.1] * bool(curves.displacement_unit)
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    top, high = (0.891, 9) if curves.displacement_unit else (0.86, 7)
    spacing = 0.12 if len(panels) < 3 else 0.2
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=top, bottom=0.6 / high, hspace=spacing)
    upper = panels.pop(0)
    _volumes(upper, curves, result)
    if result.beats:
        _mark_beats(upper, result.beats)
        _ejection(panels.pop(0), curves, result)
    elif result.extremes is not None:
        _mark_extremes(upper, result.extremes, _volume_unit(result))
    if panels:
        _wall(panels.pop(0), curves, result)
    figure.axes[-1].set_xlabel("Time (s)")
    _title(figure, title, 1 - 0.315 / high)
    figure.text(LEFT, 1 - 0.595 / high, _headline(result), fontsize=11, color="#555555", va="center")
    if upper.get_legend_handles_labels()[0]:
        upper.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=5,
            markerscale=4 if _dense(result.beats) else 1,
            **LEGEND,
        )


def _title(figure: Figure, title: str, y: float) -> None:
    """The recording's name, whatever its script and its length; without its middle where it is too long."""
    shown, fonts = drawable(title)
    text = figure.text(LEFT, y, shown, fontsize=14, fontweight="bold", va="center", fontfamily=fonts, parse_math=False)
    room = (RIGHT - LEFT) * figure.bbox.width
    while (width := text.get_window_extent().width) > room and len(shown) > 3:
        keep = max(1, min(len(shown) - 2, int(len(shown) * room / width) - 1)) // 2
        shown = f"{shown[:keep]}…{shown[-keep:]}" if keep else "…"
        text.set_text(shown)


def _dense(beats: Sequence[Beat]) -> bool:
    return len(beats) > MAX_ANNOTATED


def _volume_unit(result: RecordingResult) -> str:
    return "mL" if result.frames.scale.calibrated else "px³"


def _headline(result: RecordingResult) -> str:
    ef = result.ef
    if ef.percent is None:
        return f"no EF: {ef.reason or 'no frames'}"
    if result.extremes is not None:
        measure = "area" if ef.method == AREA_EXTREMES else "volume"
        why = "" if result.beats else ": no whole beat in it"
        return f"EF {ef.percent:.0f} % from the clip's largest and smallest {measure}{why}"
    interval = f" ({ef.low:.0f} to {ef.high:.0f})" if ef.low is not None and ef.high is not None else ""
    rate = "" if result.heart_rate_bpm is None else f"   ·   {result.heart_rate_bpm:.0f} bpm"
    stale = f"   ·   {ef.reason}" if ef.stale else ""
    return f"EF {ef.percent:.0f} %{interval}, last {ef.beats} beat{'s' * (ef.beats != 1)}, {ef.method}{rate}{stale}"


def _volumes(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    t_s, volume, ok = np.array(curves.t_s), np.array(curves.volume), np.array(curves.ok, bool)
    dense = _dense(result.beats)
    if runs := bad_runs(t_s, ok):
        axes.broken_barh(
            runs, (0, 1), transform=axes.get_xaxis_transform(), color=SHADE, lw=0, zorder=0, label="frames not used"
        )
    width = 0.5 if dense else 1.6
    axes.plot(t_s, np.where(ok, np.nan, volume), color="#b5b5b5", lw=width, zorder=1)
    axes.plot(t_s, np.where(ok, volume, np.nan), color="#9db4cc" if dense else BLUE, lw=width, zorder=2)
    calibrated = result.frames.scale.calibrated
    axes.set_ylabel(f"LV volume ({_volume_unit(result)}{'' if calibrated else ', uncalibrated'})")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5), useMathText=True)
    axes.margins(x=0.01, y=0.08)


def _mark_beats(axes: Axes, beats: Sequence[Beat]) -> None:
    dense = _dense(beats)
    for accepted in (True, False):
        some = [beat for beat in beats if beat.accepted == accepted]
        ed, es = [(b.t_ed_s, b.edv) for b in some], [(b.t_es_s, b.esv) for b in some]
        for name, colour, mark, points in (("ED", BLUE, "v", ed), ("ES", RED, "^", es)):
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    ls="none",
                    marker="." if dense else mark,
                    ms=3 if dense else 8,
                    mfc=colour if accepted else "white",
                    mec=colour if accepted else GREY,
                    mew=0 if dense and accepted else 1.1,
                    label=name if accepted else f"{name}, rejected ({len(some)})",
                    zorder=4,
                )
    if dense:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.17 * (high - low), high)  # room for the words under the lowest mark
    for beat in beats:
        words = f"{beat.ef_percent:.0f} %" if beat.accepted else "\n".join(textwrap.wrap(beat.reason or "rejected", 9))
        size, colour = (10, RED) if beat.accepted else (8, GREY)
        place: Any = {"textcoords": "offset points", "ha": "center", "va": "top"}
        axes.annotate(words, (beat.t_es_s, beat.esv), (0, -9), fontsize=size, color=colour, **place)


def _ejection(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    dense = _dense(result.beats)
    if any(ef.percent is not None for _, ef in result.rolling):
        # A step holds until the next one, the last one until the end; a figure that was withdrawn leaves a gap.
        t_s = [t for t, _ in result.rolling] + [curves.t_s[-1]]
        steps = [ef for _, ef in result.rolling] + [result.rolling[-1][1]]
        percent, low, high = (
            np.array([getattr(ef, name) for ef in steps], float) for name in ("percent", "low", "high")
        )
        stale = np.array([ef.stale for ef in steps])
        axes.fill_between(t_s, low, high, step="post", color=BLUE, alpha=0.15, lw=0, label="95 % interval", zorder=1)
        axes.step(t_s, percent, where="post", color=INK, lw=1.0 if dense else 1.6, label="rolling EF", zorder=3)
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
                ms=2.5 if dense else 5,
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
    width = 0.5 if _dense(result.beats) else 1.1
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


def _mark_extremes(axes: Axes, extremes: ClipExtremes, unit: str) -> None:
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
