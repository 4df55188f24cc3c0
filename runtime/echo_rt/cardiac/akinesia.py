"""Which segments of the wall do not move, by the model's own `AkinesiaRule`."""

from __future__ import annotations

from statistics import median

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.model import AkinesiaRule

UNKNOWN: Array = np.full(6, np.nan)
"""What the speckle says where it was not followed."""


def akinetic(
    rule: AkinesiaRule,
    motion_percent: Array,
    thickening_percent: Array,
    strain_percent: Array = UNKNOWN,
    strain_error_percent: Array = UNKNOWN,
    speckle_motion_percent: Array = UNKNOWN,
    speckle_motion_error_percent: Array = UNKNOWN,
) -> NDArray[np.bool_]:
    """(6,) the segments that do not move.

    Where the speckle was followed, four measures are taken together: motion and thickening, by the contour and by the
    speckle. Each is a share of what can be expected of the segment in this ventricle. The linear discriminant of Fisher
    (Ann Eugen 7:179-188, 1936) weighs them: a share counts the more the further it lies from the middle, and the less
    it is known. A segment is akinetic where it is likely enough to be static and three of the four agree. None can be
    trusted alone: neighbours and the floating axis draw a static segment along, a wall that is hardly seen is drawn
    where such a wall usually is, and its speckle is noise.

    Where it was not followed (too few pictures a second, a poor picture, a ventricle that does not move at all), the
    limits on motion and thickening decide. When nothing moves only the fixed limit on motion is left, so that a
    ventricle may be akinetic all over. Where no wall is seen motion decides alone.

    Args:
        rule: of the model that segments.
        motion_percent, thickening_percent, strain_percent, speckle_motion_percent: (6,) of one beat; NaN where not
            known.
        strain_error_percent, speckle_motion_error_percent: (6,) standard errors.
    """
    measures = rule.motion, rule.thickening, rule.strain, rule.speckle_motion
    percents = np.array([motion_percent, thickening_percent, strain_percent, speckle_motion_percent])
    medians, patterns = [_median(row) for row in percents], [np.array(measure.pattern) for measure in measures]
    limits, strain = rule.still, medians[2]
    still: NDArray[np.bool_] = (
        motion_percent < limits.motion_percent + limits.motion_share * medians[0] * patterns[0]
    ) & ~(thickening_percent >= limits.thickening_percent)
    followed = np.isfinite(strain_percent)
    if 2 * followed.sum() < len(followed) or strain < rule.followed_strain_percent:
        return still
    expected = np.array([
        max(middle, measure.least_percent) * pattern
        for middle, measure, pattern in zip(medians, measures, patterns, strict=True)
    ])  # fmt: skip
    shares = percents / expected
    errors = np.nan_to_num([np.zeros(6), np.zeros(6), strain_error_percent, speckle_motion_error_percent]) / expected
    middle, apart, scatter = np.array([(m.middle, m.apart, m.scatter) for m in measures]).T[..., None]
    # What moves several times as much as expected makes up for nothing more.
    against = np.clip(shares, rule.least_share, rule.most_share) - middle
    variance = scatter**2 + errors**2
    evidence = -np.where(np.isfinite(against), apart / variance * against, 0.0).sum(axis=0)
    # NaN is sorted to the end.
    agreed = (evidence > rule.least_evidence) & (np.sort(shares, axis=0)[2] < rule.agree_share)
    return np.where(followed & np.isfinite(shares[0]), agreed, still)


def _median(values: Array) -> float:
    """Of those that are known; 0 where none is."""
    known = values[np.isfinite(values)].tolist()
    # Not np.median: at its first call it loads a part of NumPy for 20 ms.
    return median(known) if known else 0.0
