"""curve.png: volume over time, the beats on it, the rolling EF below, and how the segments of the wall moved."""

from __future__ import annotations

import os
import textwrap
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.errors import output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.wall import akinetic_segments
from echo_rt.reading import SEGMENTS, Beat, ClipExtremes, EjectionFraction, Reading, WallBeat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MAX_ANNOTATED = 24
"""With more beats than that the marks shrink to dots and the words go: at 1200 pixels they would touch."""

INK, BLUE, RED, AMBER, GREY, SHADE = "#222222", "#1f5a92", "#c44e3b", "#e0a030", "#8a8a8a", "#ececec"

SEGMENT_COLOURS = ("#123f66", "#3f7fb5", "#93bcdc", "#e8b07a", "#c97a33", "#8a4a12")
"""The septum in blue, the lateral wall in orange, both dark at the base."""

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that the figure looks the same everywhere
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

LEGEND: Any = {"handletextpad": 0.5, "columnspacing": 1.4, "borderaxespad": 0.2}


class CurveOutput(FileOutput):
    """Draws the figure, 1200x700 pixels, 1200x900 with the wall, when it is closed; until then it keeps nine numbers a
    frame, and the beats.

    Args:
        path: of the PNG.
        title: shown above the figure; the recording's name.

    Attributes:
        extremes: what `Monitor.clip_figures` says, set before closing; shown where no beat gave an EF.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], title: str = "") -> None:
        super().__init__(path)
        self.title = title
        self.extremes: ClipExtremes | str | None = None
        self._t_s, self._volume, self._ok = array("d"), array("d"), array("b")
        self._displacement = array("f")
        self._displacement_unit = ""
        self._beats: list[Beat] = []
        self._wall_beats: list[WallBeat] = []
        self._steps: list[tuple[float, EjectionFraction]] = []
        self._heart_rate_bpm: float | None = None
        self._calibrated = False
        self._open = True

    def write(self, frame: Frame, reading: Reading) -> None:
        ventricle = reading.ventricle
        # The volume that the beats were found on; their marks would lie beside the other.
        by_length = reading.ef.method == "area-length"
        volume = float("nan") if ventricle is None else ventricle.volume_area_length if by_length else ventricle.volume
        self._t_s.append(reading.t_s)
        self._volume.append(volume)
        self._ok.append(reading.quality.ok)
        self._calibrated |= ventricle is not None and ventricle.calibrated
        if reading.wall is not None:
            self._displacement_unit = reading.wall.unit
        self._displacement.extend([float("nan")] * len(SEGMENTS) if reading.wall is None else reading.wall.displacement)
        self._heart_rate_bpm = reading.heart_rate_bpm
        if reading.beat is not None:
            self._beats.append(reading.beat)
            if reading.beat.accepted and reading.wall_beat is not None:
                self._wall_beats.append(reading.wall_beat)
        if not self._steps or self._steps[-1][1] != reading.ef:
            self._steps.append((reading.t_s, reading.ef))

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        with output_errors(
            self.path
        ):  # at its first import matplotlib writes a cache of its own, which a full disk refuses too
            import matplotlib
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure

            # Not pyplot: it keeps every figure and asks for a display.
            with matplotlib.rc_context(STYLE):
                figure = Figure(figsize=(12, 9 if self._displacement_unit else 7), dpi=100)
                FigureCanvasAgg(figure)
                self._draw(figure)
                figure.savefig(self.path, format="png", metadata={"Software": "echo-rt"})

    def discard(self) -> None:
        self._open = False

    def _draw(self, figure: Figure) -> None:
        heights = [2.4] + [1.0] * bool(self._beats) + [1.1] * bool(self._displacement_unit)
        panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
        top, high = (0.891, 9) if self._displacement_unit else (0.86, 7)
        figure.subplots_adjust(
            left=0.075, right=0.975, top=top, bottom=0.6 / high, hspace=0.12 if len(panels) < 3 else 0.2
        )
        upper = panels.pop(0)
        self._volumes(upper)
        if self._beats:
            self._mark_beats(upper)
            self._ejection(panels.pop(0))
        elif isinstance(self.extremes, ClipExtremes):
            self._mark_extremes(upper, self.extremes)
        if panels:
            self._wall(panels.pop(0))
        figure.axes[-1].set_xlabel("Time (s)")
        figure.text(0.075, 1 - 0.315 / high, self.title, fontsize=14, fontweight="bold", va="center")
        figure.text(0.075, 1 - 0.595 / high, self._headline(), fontsize=11, color="#555555", va="center")
        if upper.get_legend_handles_labels()[0]:
            scale = 4 if len(self._beats) > MAX_ANNOTATED else 1
            upper.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, markerscale=scale, **LEGEND)

    def _headline(self) -> str:
        ef, extremes = self._steps[-1][1] if self._steps else None, self.extremes
        if ef is not None and ef.percent is not None:
            interval = f" ({ef.low:.0f} to {ef.high:.0f})" if ef.low is not None and ef.high is not None else ""
            rate = "" if self._heart_rate_bpm is None else f"   ·   {self._heart_rate_bpm:.0f} bpm"
            stale = f"   ·   {ef.reason}" if ef.stale else ""
            return f"EF {ef.percent:.0f} %{interval}, last {ef.beats} beat{'s' * (ef.beats != 1)}, {ef.method}{rate}{stale}"
        if isinstance(extremes, ClipExtremes):
            return f"EF {extremes.ef_percent:.0f} % from the clip's largest and smallest volume: no whole beat in it"
        return f"no EF: {extremes or (ef.reason if ef is not None else None) or 'no frames'}"

    def _volumes(self, axes: Axes) -> None:
        t_s, volume, ok = np.array(self._t_s), np.array(self._volume), np.array(self._ok, bool)
        dense = len(self._beats) > MAX_ANNOTATED
        runs = bad_runs(t_s, ok)
        if runs:
            axes.broken_barh(
                runs, (0, 1), transform=axes.get_xaxis_transform(), color=SHADE, lw=0, zorder=0, label="frames not used"
            )
        width = 0.5 if dense else 1.6
        axes.plot(t_s, np.where(ok, np.nan, volume), color="#b5b5b5", lw=width, zorder=1)
        axes.plot(t_s, np.where(ok, volume, np.nan), color="#9db4cc" if dense else BLUE, lw=width, zorder=2)
        axes.set_ylabel("LV volume (mL)" if self._calibrated else "LV volume (px³, uncalibrated)")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5), useMathText=True)
        axes.margins(x=0.01, y=0.08)

    def _mark_beats(self, axes: Axes) -> None:
        dense = len(self._beats) > MAX_ANNOTATED
        for accepted in (True, False):
            beats = [beat for beat in self._beats if beat.accepted == accepted]
            if not beats:
                continue
            for name, colour, mark, points in (
                ("ED", BLUE, "v", [(b.t_ed_s, b.edv) for b in beats]),
                ("ES", RED, "^", [(b.t_es_s, b.esv) for b in beats]),
            ):
                axes.plot(
                    *zip(*points, strict=True),
                    ls="none",
                    marker="." if dense else mark,
                    ms=3 if dense else 8,
                    mfc=colour if accepted else "white",
                    mec=colour if accepted else GREY,
                    mew=0 if dense and accepted else 1.1,
                    label=name if accepted else f"{name}, rejected ({len(beats)})",
                    zorder=4,
                )
        if not dense:
            low, high = axes.get_ylim()
            axes.set_ylim(low - 0.17 * (high - low), high)  # room for the words under the lowest mark
            for beat in self._beats:
                words = (
                    f"{beat.ef_percent:.0f} %"
                    if beat.accepted
                    else "\n".join(textwrap.wrap(beat.reason or "rejected", 9))
                )
                axes.annotate(
                    words,
                    (beat.t_es_s, beat.esv),
                    (0, -9),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=10 if beat.accepted else 8,
                    color=RED if beat.accepted else GREY,
                )

    def _ejection(self, axes: Axes) -> None:
        dense = len(self._beats) > MAX_ANNOTATED
        if any(ef.percent is not None for _, ef in self._steps):
            # A step holds until the next one, the last one until the end; a figure that was withdrawn leaves a gap.
            t_s = [t for t, _ in self._steps] + [self._t_s[-1]]
            steps = [ef for _, ef in self._steps] + [self._steps[-1][1]]
            percent, low, high = (
                np.array([getattr(ef, name) for ef in steps], float) for name in ("percent", "low", "high")
            )
            stale = np.array([ef.stale for ef in steps])
            axes.fill_between(
                t_s, low, high, step="post", color=BLUE, alpha=0.15, lw=0, label="95 % interval", zorder=1
            )
            axes.step(t_s, percent, where="post", color=INK, lw=1.0 if dense else 1.6, label="rolling EF", zorder=3)
            if stale.any():
                axes.step(
                    t_s, np.where(stale, percent, np.nan), where="post", color=AMBER, lw=2.4, label="stale", zorder=4
                )
        for accepted in (True, False):
            beats = [beat for beat in self._beats if beat.accepted == accepted]
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

    def _wall(self, axes: Axes) -> None:
        """How far each segment has come inwards since the last ED; those that did not move in most beats stand out and
        are named."""
        dense = len(self._beats) > MAX_ANNOTATED
        still = akinetic_segments(self._wall_beats)
        curves = np.array(self._displacement).reshape(-1, len(SEGMENTS))
        for n, segment in enumerate(SEGMENTS):
            name = segment.replace("_", " ") + (", akinetic" if still[n] else "")
            width = 0.5 if dense else 1.1
            axes.plot(
                self._t_s,
                curves[:, n],
                color=RED if still[n] else SEGMENT_COLOURS[n],
                lw=2 * width if still[n] else width,
                ls=("-", "--", ":")[sum(still[:n]) % 3] if still[n] else "-",
                label=name,
                zorder=3 if still[n] else 2,
            )
        axes.axhline(0, color="#b5b5b5", lw=0.6, zorder=0)
        axes.set_ylabel(f"inwards ({self._displacement_unit})")
        axes.margins(x=0.01, y=0.08)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=6, handlelength=1.2, **LEGEND)
        if any(still):
            # Or who reads it wonders at a red curve that rises: where a wall is hardly seen a network draws it as
            # moving.
            note = "drawn: the contour; akinetic by contour and speckle together"
            axes.text(1.0, -0.19, note, transform=axes.transAxes, ha="right", va="top", fontsize=9, color=GREY)

    def _mark_extremes(self, axes: Axes, extremes: ClipExtremes) -> None:
        unit = "mL" if self._calibrated else "px³"
        for name, colour, mark, t_s, volume in (
            ("largest", BLUE, "v", extremes.t_ed_s, extremes.edv),
            ("smallest", RED, "^", extremes.t_es_s, extremes.esv),
        ):
            # The figures stand in the legend: beside the marks the curve would run through them.
            axes.plot(
                [t_s],
                [volume],
                ls="none",
                marker=mark,
                ms=9,
                color=colour,
                label=f"{name}: {volume:,.0f} {unit}",
                zorder=4,
            )


def bad_runs(t_s: NDArray[np.float64], ok: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Where frames are not ok: (start, duration) in seconds of each run of them, from half way to the good neighbour
    before to half way to the one after.

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
