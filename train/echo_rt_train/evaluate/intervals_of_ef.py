"""How often the interval of EF that the runtime gives holds the expert's EF, and how wide it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from echo_rt.cardiac.beat_assembly import mean_dice
from echo_rt.model.interval import IntervalRule
from echo_rt_train.evaluate.agreement import Pairs


def interval_figures(
    rule: IntervalRule, view: str, pairs: Pairs, expected_dice: Sequence[float]
) -> Mapping[str, Any] | None:
    """Coverage and width on patients, of the part of the interval that does not come from the scatter of beats.

    Args:
        rule: of the model.
        view: ``A4C``, ``A2C`` or ``biplane``.
        pairs: (patients, 2) EF by the model, calibrated, and by the expert; NaN where it was not measured.
        expected_dice: of each patient.

    Returns:
        ``coverage`` (share), ``width_points`` (mean), ``width_points_range`` (2.5th and 97.5th percentile), and
        ``spearman`` of the width with the size of the error; None without a patient.
    """
    known = np.isfinite(pairs).all(axis=1) & np.isfinite(expected_dice)
    if not known.any():
        return None
    half = np.array(
        [
            rule.half_points(view, dice, ef)
            for dice, ef in zip(np.asarray(expected_dice)[known], pairs[known, 0], strict=True)
        ]
    )
    low, high = np.maximum(pairs[known, 0] - half, 0), np.minimum(pairs[known, 0] + half, 100)
    error = np.abs(pairs[known, 0] - pairs[known, 1])
    order = spearmanr(half, error).statistic if len(half) > 2 and np.ptp(half) > 0 else np.nan
    return {
        "patients": int(known.sum()),
        "coverage": float(np.mean((low <= pairs[known, 1]) & (pairs[known, 1] <= high))),
        "width_points": float(np.mean(high - low)),
        "width_points_range": [float(edge) for edge in np.percentile(high - low, (2.5, 97.5))],
        "spearman": None if np.isnan(order) else float(order),
    }


def expected_dice_of(dices: Sequence[float | None]) -> float:
    """Of the images of one patient; NaN where the model does not say."""
    found = mean_dice([dice for dice in dices if dice is not None])
    return float("nan") if found is None else found
