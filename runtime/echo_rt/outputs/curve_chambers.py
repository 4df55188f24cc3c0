"""The panels of curve.png for the strain of the endocardium and the volume of the left atrium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.curves import Curves
from echo_rt.outputs.curve_style import BLUE, LEGEND, RED, VIOLET, dense

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from echo_rt.arrays import Array
    from echo_rt.result import RecordingResult

ZERO_S = 0.045
"""The length at ED is the mean over the frames so near to it."""

EMPTYING = "la_emptying"
"""The measure of the left atrium that needs no scale: where it is not known there is no curve to look at."""


def strain_curve(curves: Curves, result: RecordingResult) -> tuple[Array, Array]:
    """(N,) times and (N,) strain of the endocardium in percent, each accepted beat from its own ED on.

    NaN where it is not known, and between two beats.
    """
    t_s = np.array(curves.t_s)
    length = np.where(np.array(curves.ok, bool), np.array(curves.endocardium), np.nan)
    known = np.isfinite(length)
    times: list[Array] = [np.zeros(0)]
    percents: list[Array] = [np.zeros(0)]
    for beat in result.beats:
        near = known & (np.abs(t_s - beat.t_ed_s) <= ZERO_S)
        if not beat.accepted or not near.any():
            continue
        inside = (t_s >= beat.t_ed_s) & (t_s <= beat.t_next_ed_s)
        zero = length[near].mean()
        times += [t_s[inside], np.array([beat.t_next_ed_s])]
        percents += [100 * (length[inside] / zero - 1), np.array([np.nan])]
    return np.concatenate(times), np.concatenate(percents)


def has_strain(curves: Curves, result: RecordingResult) -> bool:
    """Whether there is anything to draw."""
    return bool(np.isfinite(strain_curve(curves, result)[1]).any())


def draw_strain(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    """The curve, and the figure of each beat at its ES."""
    many = dense(result.beats)
    axes.axhline(0, color="#b5b5b5", lw=0.6, zorder=0)
    line: Any = {"color": "#9db4cc" if many else BLUE, "lw": 0.5 if many else 1.4}
    axes.plot(*strain_curve(curves, result), **line, label="endocardium, from each ED", zorder=2)
    told = [(beat.t_es_s, beat.details.strain_percent) for beat in result.beats if beat.accepted]
    known = [(t_s, percent) for t_s, percent in told if percent is not None]
    if known:
        style: Any = {"marker": "." if many else "^", "ms": 3 if many else 6, "color": RED, "mew": 0}
        axes.plot(*zip(*known, strict=True), ls="none", label="one beat", zorder=3, **style)
    axes.set_ylabel("strain (%)")
    axes.margins(x=0.01, y=0.12)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, **LEGEND)
    if many:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.22 * (high - low), high)  # room for the words
    for t_s, percent in known:
        place: Any = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 9, "color": RED}
        axes.annotate(f"{percent:.0f} %".replace("-", "−"), (t_s, percent), (0, -6), **place)


def has_atrium(result: RecordingResult) -> bool:
    """Whether the atrium was whole in the beats that count."""
    return any(figure.measure.name == EMPTYING for figure in result.figures.known)


def draw_atrium(axes: Axes, curves: Curves, result: RecordingResult) -> None:
    """Its volume, where it is not cut off."""
    axes.plot(curves.t_s, curves.atrium, color=VIOLET, lw=0.5 if dense(result.beats) else 1.4)
    axes.set_ylabel(f"LA vol. ({'mL' if result.frames.scale.calibrated else 'px³'})")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5), useMathText=True)
    axes.margins(x=0.01, y=0.12)
