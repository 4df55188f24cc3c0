"""How well two measurements agree, of the ejection fraction above all, and the line that brings one to the other.

Bias and limits of agreement as in Bland and Altman, Statistical methods for assessing agreement between two methods of
clinical measurement, Lancet 327:307-310, 1986.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError
from echo_rt_train.evaluate.bootstrap import Sums, intervals, point

Pairs = NDArray[np.float64]
"""(patients, 2): EF by the model and by the expert, in percent; or another figure in its unit."""

MIN_PAIRS = 10
"""Fewer patients than that are no ground for a line that will change every patient's figure."""


def _moments(pairs: Pairs) -> Sums:
    """(patients, 9): what each patient adds to the sums below. Centred, so that the differences of sums keep their
    digits."""
    found, truth = (pairs - (pairs[:, 1].mean() if len(pairs) else 0.0)).T
    error = found - truth
    return np.stack(
        [np.ones_like(error), error, abs(error), error**2, truth, truth**2, found, found**2, found * truth], axis=1
    )


def _figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
    n, error, absolute, square, truth, truth2, found, found2, product = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread_truth, spread_found = truth2 - truth**2 / n, found2 - found**2 / n
        # One patient drawn n times has no spread; what is left of it is rounding.
        spread_truth, spread_found = (np.where(x > 1e-9 * n, x, np.nan) for x in (spread_truth, spread_found))
        return {
            "mae": absolute / n,
            "bias": error / n,
            "sd": np.where(np.isnan(spread_truth), np.nan, np.sqrt(np.maximum(square - error**2 / n, 0) / (n - 1))),
            "rmse": np.sqrt(square / n),
            "r2": 1 - square / spread_truth,
            "r": (product - found * truth / n) / np.sqrt(spread_truth * spread_found),
        }


def ef_errors(pairs: Pairs) -> dict[str, Any]:
    """Agreement of two columns of EF, the second being the reference.

    Args:
        pairs: (patients, 2) in percent, nothing missing.

    Returns:
        ``patients``; in points ``mae``, ``bias`` (mean of model - expert), ``sd`` of that difference (n - 1), ``rmse``;
        ``r2``, the coefficient of determination 1 - SS_res / SS_tot; ``r``, Pearson's. None where the patients are too
        few for a figure.
    """
    pairs = pairs.reshape(-1, 2)
    return {"patients": len(pairs), **point(_moments(pairs), _figures)}


def agreement(pairs: Pairs) -> dict[str, Any]:
    """`ef_errors` with intervals, of any figure.

    Args:
        pairs: (patients, 2) in its unit, nothing missing.

    Returns:
        What `ef_errors` gives, in that unit, and ``ci`` with the 95 % bootstrap interval of each figure.
    """
    return {**ef_errors(pairs), "ci": intervals(_moments(pairs.reshape(-1, 2)), _figures)}


def ef_agreement(pairs: Pairs, calibration: tuple[float, float] | None = None) -> dict[str, Any]:
    """`ef_errors` with intervals, of pairs in which the model's EF may be missing.

    A patient whose ventricle the model did not find is not left out: the EF counts as 0, with or without calibration,
    and the number of these is said.

    Args:
        pairs: (patients, 2) in percent, the first NaN where the model found no ventricle.
        calibration: (slope, offset) to apply to the model's EF.

    Returns:
        What `ef_errors` gives, ``not_measured``, and ``ci`` with the 95 % bootstrap interval of each figure.
    """
    pairs = pairs.reshape(-1, 2)
    slope, offset = calibration or (1.0, 0.0)
    found = np.where(np.isnan(pairs[:, 0]), 0.0, slope * pairs[:, 0] + offset)
    whole = np.stack([found, pairs[:, 1]], axis=1)
    missing = int(np.isnan(pairs[:, 0]).sum())
    return {**agreement(whole), "not_measured": missing}


def fit_ef_calibration(pairs: Pairs) -> tuple[float, float]:
    """The line EF = slope x model + offset by orthogonal (Deming) regression of the expert's EF on the model's.
    Training patients only.

    Why not least squares: the model's EF has errors as the expert's has, and they flatten a least-squares line
    ("regression dilution", Frost and Thompson, J R Stat Soc A 163:173-189, 2000). Such a line has the smallest error in
    patients like those it was fitted on, because it draws every EF towards their mean; in others it reads a poor
    ventricle too good (with a slope of 0.83 an EF of 15 as 20). Deming's line (Statistical Adjustment of Data, 1943;
    both errors taken as equal) is the relation between the true values, by which laboratories bring one method of
    measurement to another. Neither leaves a bias on the patients it was fitted on. Ventricles that were not found are
    no measurements at all and are left out.

    Args:
        pairs: (patients, 2) in percent, the first NaN where the model found no ventricle.

    Returns:
        (slope, offset in points).

    Raises:
        DataError: too few patients, all have the same EF, or the two have nothing to do with each other.
    """
    pairs = pairs.reshape(-1, 2)
    found, truth = pairs[np.isfinite(pairs).all(axis=1)].T
    if len(found) < MIN_PAIRS or np.ptp(found) < 1.0:
        raise DataError(
            f"EF calibration: expected at least {MIN_PAIRS} patients whose EF differs, "
            f"found {len(found)} that could be measured; "
            "give more training patients"
        )
    spread = truth.var() - found.var()
    covariance = float(np.mean((found - found.mean()) * (truth - truth.mean())))
    if covariance <= 0:
        raise DataError(
            "EF calibration: expected the model's EF to rise with the expert's, found that it does not; "
            "train the model better"
        )
    slope = (spread + np.hypot(spread, 2 * covariance)) / (2 * covariance)
    return float(slope), float(truth.mean() - slope * found.mean())
