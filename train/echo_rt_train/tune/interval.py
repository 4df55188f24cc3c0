"""The interval of EF for one patient, from the errors in patients that a network has not learned from.

Split conformal prediction with normalised residuals (Lei et al., J Am Stat Assoc 113:1094-1111, 2018). How the size of
an error goes with the Dice that the model expects and with EF is fitted for all views together; then each view has the
factor that holds the wanted share of its errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from echo_rt.errors import DataError
from echo_rt.model.interval import DICE_RANGE, IntervalRule

LEVEL = 0.95
MIN_PATIENTS = 40
"""The 95th percentile of fewer says little: it is the second largest error."""

SMALLEST_POINTS = 0.5
"""Errors are taken to be at least so large: the logarithm of a lucky one would count for too much."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Of the patients in one view, or in both together.

    Attributes:
        points: (N,) model less expert, after the calibration.
        expected_dice: (N,) mean of the images' logits, as a Dice.
        percent: (N,) EF by the model, after the calibration.
    """

    points: NDArray[np.float64]
    expected_dice: NDArray[np.float64]
    percent: NDArray[np.float64]

    @property
    def told(self) -> NDArray[np.float64]:
        """(N, 2) what the width goes with: logit of the expected Dice and EF as a share, within the rule's ranges."""
        dice = np.clip(self.expected_dice, *DICE_RANGE)
        return np.stack([np.log(dice / (1 - dice)), np.clip(self.percent / 100, 0, 1)], axis=1)


def fit_interval(errors: Mapping[str, Errors]) -> IntervalRule:
    """The rule of these patients.

    Args:
        errors: by ``a4c``, ``a2c`` and ``biplane``.

    Raises:
        DataError: one has fewer patients than `MIN_PATIENTS`.
    """
    for view, found in errors.items():
        if len(found.points) < MIN_PATIENTS:
            raise DataError(
                f"EF interval: expected at least {MIN_PATIENTS} patients in {view}, found {len(found.points)}; "
                "give more training patients"
            )
    single = [errors[view] for view in ("a4c", "a2c")]
    slopes = _slopes([(one.told, np.log(np.maximum(np.abs(one.points), SMALLEST_POINTS))) for one in single])
    starts = {view: _start(found, slopes) for view, found in errors.items()}
    halves = np.concatenate([np.exp(starts[view] + found.told @ slopes) for view, found in errors.items()])
    # Nobody's interval is narrower or wider than those of almost all of these patients.
    least, most = np.percentile(halves, (2, 98))
    return IntervalRule(
        **starts,
        per_logit=float(slopes[0]),
        per_ef=float(slopes[1]),
        least_points=round(float(least), 2),
        most_points=round(float(most), 2),
    )


def _slopes(views: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NDArray[np.float64]:
    """(2,) least squares of the logarithm of the error on `Errors.told`, each view about its own means; at most 0."""
    x = np.concatenate([told - told.mean(axis=0) for told, _ in views])
    y = np.concatenate([log - log.mean() for _, log in views])
    x[:, np.ptp(x, axis=0) < 1e-9] = 0.0
    # The bounds are open: the solution reaches them to rounding.
    return np.asarray(np.round(lsq_linear(x, y, (-np.inf, 0.0)).x, 4) + 0.0, np.float64)


def _start(errors: Errors, slopes: NDArray[np.float64]) -> float:
    """So that the half-width holds `LEVEL` of the errors, with the correction for a finite number of patients."""
    excess = np.sort(np.log(np.maximum(np.abs(errors.points), 1e-3)) - errors.told @ slopes)
    place = min(len(excess), math.ceil((len(excess) + 1) * LEVEL)) - 1
    return round(float(excess[place]), 4)
