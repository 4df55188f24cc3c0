"""EF by the model against EF by the expert: scatter and Bland-Altman plot (Lancet 327:307-310, 1986). Of the further
measures the latter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.outputs.curve_style import BLUE, GREY, RED
from echo_rt_train.evaluate.agreement import Pairs
from echo_rt_train.evaluate.output import sheet
from echo_rt_train.evaluate.two_stills import StillMeasure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MINUS = "\N{MINUS SIGN}"

LIMITS = 1.96
"""Standard deviations to the limits of agreement: 95 % of the differences where these are normal."""


def plot_agreement(path: Path, title: str, pairs: Pairs, figures: Mapping[str, Any]) -> None:
    """Draw both plots side by side, 1650x795 pixels.

    Args:
        path: of the PNG.
        title: of the figure.
        pairs: (patients, 2) in percent, model and expert; NaN of a model is drawn at 0, as it counts, in red.
        figures: `ef_agreement` of the pairs.

    Raises:
        OutputError: the file cannot be written.
    """
    measured = np.isfinite(pairs[:, 0])
    model, expert = np.where(measured, pairs[:, 0], 0.0), pairs[:, 1]
    with sheet(path, 11, 5.3) as figure:
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.07, right=0.925, top=0.83, bottom=0.12, wspace=0.25)
        figure.text(0.07, 0.955, title, fontsize=14, fontweight="bold", va="center")
        patients = f"{figures['patients']} patients"
        lost = (
            f", {figures['not_measured']} without a ventricle (drawn red, counted as EF 0)"
            if figures["not_measured"]
            else ""
        )
        figure.text(
            0.07,
            0.905,
            f"{patients}{lost}; 95 % bootstrap intervals in brackets",
            fontsize=10,
            color="#555555",
            va="center",
        )
        for axes, x, y in ((left, expert, model), (right, (model + expert) / 2, model - expert)):
            for chosen, colour in ((measured, BLUE), (~measured, RED)):
                # Points at limits (an EF of 0) are drawn whole.
                axes.plot(x[chosen], y[chosen], "o", color=colour, ms=5.5, alpha=0.65, mew=0, clip_on=False)
        _scatter(left, np.concatenate([model, expert]), figures)
        _bland_altman(right, model - expert, figures, step=5.0)
        right.set(xlabel="Mean of model and expert (%)", ylabel=f"Model {MINUS} expert (points)")


def _scatter(axes: Axes, both: np.ndarray, figures: Mapping[str, Any]) -> None:
    # Both axes alike, in tens, so that the identity is the diagonal.
    low, high = 10 * np.floor((both.min() - 1) / 10), 10 * np.ceil((both.max() + 1) / 10)
    axes.plot([low, high], [low, high], color=GREY, lw=1, zorder=0)
    axes.set(
        xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="EF by the expert (%)", ylabel="EF by the model (%)"
    )
    words = "\n".join(
        _with_interval(figures, name, label)
        for name, label in (("mae", "MAE"), ("rmse", "RMSE"), ("r", "r"), ("r2", "R²"))
    )
    backdrop = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2}
    axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top", fontsize=10, linespacing=1.4, bbox=backdrop)


def _bland_altman(axes: Axes, difference: np.ndarray, figures: Mapping[str, Any], step: float, digits: int = 1) -> None:
    """The lines of bias and limits beside the points; the axis ends at a multiple of `step`."""
    bias, sd = figures["bias"], figures["sd"]
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    reach = step * np.ceil((1.1 * np.abs(difference).max() + step / 5) / step)
    if bias is not None:
        lines = [(bias, "bias", "-")]
        if sd is not None:
            lines += [(bias + k * sd, f"{k:+.2f} SD", "--") for k in (-LIMITS, LIMITS)]
            reach = max(reach, 1.15 * (abs(bias) + LIMITS * sd))
        beside: Any = {
            "xycoords": ("axes fraction", "data"),
            "xytext": (4, 0),
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        for y, words, style in lines:
            axes.axhline(y, color=RED, lw=1.2, ls=style, zorder=0)
            text = f"{words}\n{y:+.{digits}f}".replace("-", MINUS)
            axes.annotate(text, (1.0, y), va="center", fontsize=9, color=RED, **beside)
        if interval := figures["ci"].get("bias"):
            axes.axhspan(*interval, color=RED, alpha=0.12, lw=0, zorder=0)
    axes.set_ylim(-reach, reach)


def plot_measures(path: Path, title: str, found: Sequence[StillMeasure], figures: Mapping[str, Any]) -> None:
    """Draw a Bland-Altman plot of each measure that has a patient, up to four in a row, each 675x600 pixels.

    Args:
        path: of the PNG.
        title: of the figure.
        found: the measures of a view.
        figures: `StillMeasure.to_dict` of each, by name.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = min(4, len(found))
    rows = ceil(len(found) / columns)
    width, height = 4.5 * columns + 0.5, 4 * rows + 0.7
    with sheet(path, width, height) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        left, right = 0.95 / width, 1 - 0.9 / width
        space = {"wspace": 0.55, "hspace": 0.42}
        figure.subplots_adjust(left=left, right=right, bottom=0.6 / height, top=1 - 1.15 / height, **space)
        figure.text(left, 1 - 0.35 / height, title, fontsize=14, fontweight="bold", va="center")
        for axes, one in zip(panels, found, strict=False):
            _measure_panel(axes, one, figures[one.name])
        for axes in panels[len(found) :]:
            axes.axis("off")


def _measure_panel(axes: Axes, one: StillMeasure, figures: Mapping[str, Any]) -> None:
    model, expert = one.pairs.T
    digits = max(1, one.measure.digits)
    axes.plot((model + expert) / 2, model - expert, "o", color=BLUE, ms=4.5, alpha=0.65, mew=0, clip_on=False)
    _bland_altman(axes, model - expert, figures, step=10.0**-digits, digits=digits)
    unit, points = (f" ({name})" if name else "" for name in (one.unit, one.unit.replace("%", "points")))
    axes.set_title(one.measure.label, fontsize=11, loc="left", pad=18)
    r = "r not defined" if figures["r"] is None else f"r {figures['r']:.2f}"
    said = f"{figures['patients']} patients, MAE {figures['mae']:.{digits}f}, {r}"
    axes.text(0, 1.03, said, transform=axes.transAxes, fontsize=9, color="#555555")
    axes.set(xlabel=f"Mean of model and expert{unit}", ylabel=f"Model {MINUS} expert{points}")


def _with_interval(figures: Mapping[str, Any], name: str, label: str) -> str:
    digits = 2 if name.startswith("r") and name != "rmse" else 1
    figure, interval = figures[name], figures["ci"][name]
    if figure is None:
        return f"{label} not defined"
    return f"{label} {figure:.{digits}f}" + (
        f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})" if interval else ""
    )
