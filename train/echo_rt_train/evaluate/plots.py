"""EF by the model against EF by the expert: scatter and Bland-Altman plot (Lancet 327:307-310, 1986)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.outputs.curve_style import BLUE, GREY, RED
from echo_rt_train.evaluate.agreement import Pairs, ef_errors
from echo_rt_train.evaluate.output import sheet

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
        _bland_altman(right, model - expert, ef_errors(np.stack([model, expert], axis=1)), figures)


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


def _bland_altman(axes: Axes, difference: np.ndarray, errors: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    bias, sd = errors["bias"], errors["sd"]
    axes.axhline(0, color=GREY, lw=0.8, zorder=0)
    axes.set(xlabel="Mean of model and expert (%)", ylabel=f"Model {MINUS} expert (points)")
    reach = 5 * np.ceil((1.1 * np.abs(difference).max() + 1) / 5)
    if bias is not None:
        lines = [(bias, f"bias\n{bias:+.1f}", "-")]
        if sd is not None:
            lines += [
                (bias + k * sd, f"{k:+.2f} SD\n{bias + k * sd:+.1f}".replace("-", MINUS), "--")
                for k in (-LIMITS, LIMITS)
            ]
            reach = max(reach, 1.15 * (abs(bias) + LIMITS * sd))
        beside: Any = {
            "xycoords": ("axes fraction", "data"),
            "xytext": (4, 0),
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        for y, words, style in lines:
            axes.axhline(y, color=RED, lw=1.2, ls=style, zorder=0)
            axes.annotate(words.replace("-", MINUS), (1.0, y), va="center", fontsize=9, color=RED, **beside)
        if interval := figures["ci"].get("bias"):
            axes.axhspan(*interval, color=RED, alpha=0.12, lw=0, zorder=0)
    axes.set_ylim(-reach, reach)


def _with_interval(figures: Mapping[str, Any], name: str, label: str) -> str:
    digits = 2 if name.startswith("r") and name != "rmse" else 1
    figure, interval = figures[name], figures["ci"][name]
    if figure is None:
        return f"{label} not defined"
    return f"{label} {figure:.{digits}f}" + (
        f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})" if interval else ""
    )
