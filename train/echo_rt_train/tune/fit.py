"""All that is fitted on held-out patients and sources, in the order in which one stands on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from echo_rt.cardiac.beat_assembly import mean_dice
from echo_rt.errors import DataError
from echo_rt_train.evaluate.agreement import fit_ef_calibration
from echo_rt_train.evaluate.ejection import BIPLANE, ef_pairs
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.evaluate.negatives import negatives_summary
from echo_rt_train.evaluate.overlap import FOREGROUND
from echo_rt_train.tune.held_out import Fold, Judged, judge_learned, judge_negatives, judge_patients, ventricles
from echo_rt_train.tune.interval import Errors, fit_interval
from echo_rt_train.tune.offsets import fit_offsets

KEPT = 0.997
"""Share of the patients' images that each of the two thresholds lets pass. The stricter they are, the less often
another organ passes that nobody has thought of."""

MAX_EDGE_SHARE = 0.4
"""Of the endocardium, on the edge of the sector. A network that has seen narrow sectors draws what they cut off: of 100
views in sectors of 54 degrees EF errs by 4.9 to 6.9 points where 12 to 40 % of the border lies on the edge, by 5.3 to
9.3 where less does, and Dice is 0.95 and 0.93."""

MIN_ATRIUM_CONFIDENCE = 0.9
"""By Youden's index on atria of training patients whose Dice is below 0.85 (`benchmarks/atrium_confidence.py`)."""

LINES = {"4CH": "ef_calibration", "2CH": "ef_calibration_a2c"}
"""The field of the model's file that holds the line of a view."""


def tune(shipped: str, runs: Sequence[Path], data: Path, negatives: Path | None = None) -> dict[str, Any]:
    """What `echo-rt export onnx --tuning` puts into a model's file.

    EF's lines are of the network that is shipped, on its training patients: a line corrects what all pictures share,
    and that is each network's own. All else is of networks that have not learned from the patients whom they judge.

    Args:
        shipped: the network that is tuned, as for `echo_rt_train.evaluate.model.open_model`.
        runs: folders of trainings with data.hold_out=1/K to K/K, or some of them.
        data: the data set that they learned from.
        negatives: folder of format negatives; without it there are no thresholds.

    Returns:
        ``offsets`` by class; ``ef_calibration``, ``ef_calibration_a2c``, ``interval`` and ``quality`` as in `Tuning`;
        ``held_out``: what was measured on the way.

    Raises:
        DataError: the runs are not different parts of one cross-validation, or the data are too few.
    """
    folds = _parts([Fold.of(run) for run in runs])
    offsets = _offsets(folds, data)
    logits = [offsets[name] for name in FOREGROUND]
    judged, learned = judge_patients(folds, data, logits), judge_learned(shipped, data, logits)
    lines, held_lines = (
        {view: fit_ef_calibration(_pairs(one, (view,))[1]) for view in LINES} for one in (learned, judged)
    )
    errors = {
        "a4c": _errors(judged, ("4CH",), held_lines["4CH"]),
        "a2c": _errors(judged, ("2CH",), held_lines["2CH"]),
        "biplane": _errors(judged, BIPLANE, (1.0, 0.0)),
    }
    rule = fit_interval(errors)
    found: dict[str, Any] = {
        "offsets": offsets,
        **{LINES[view]: [round(slope, 4), round(offset, 3)] for view, (slope, offset) in lines.items()},
        "interval": vars(rule),
        "quality": _thresholds(judged),
        "held_out": {
            "parts": [fold.hold_out for fold in folds],
            "patients": len({one.sample.patient for one in judged}),
            "ef": {view: _of_errors(found, (rule.per_logit, rule.per_ef)) for view, found in errors.items()},
        },
    }
    if negatives is not None:
        found["held_out"]["negatives"] = negatives_summary(judge_negatives(folds, negatives, found["quality"]))
    return found


def _parts(folds: Sequence[Fold]) -> list[Fold]:
    """The folds in their order."""
    parts = [fold.hold_out for fold in folds]
    if not parts or len(set(parts)) < len(parts) or len({part.partition("/")[2] for part in parts}) > 1:
        raise DataError(
            "tune: expected trainings with different parts of one cross-validation, such as data.hold_out=1/3 and 2/3, "
            f"found {', '.join(parts) or 'none'}; leave out what does not belong to it"
        )
    return sorted(folds, key=lambda fold: fold.hold_out)


def _offsets(folds: Sequence[Fold], root: Path) -> dict[str, float]:
    """Mean over the folds of the offset of each class."""
    found = []
    for fold in folds:
        data = fold.data(root)
        with open_model(str(fold.run)) as engine:
            found.append(fit_offsets(engine, data.samples("val"), data.report)["logits"])
    return {name: round(float(np.mean([of[name] for of in found])), 2) for name in FOREGROUND}


def _pairs(judged: Sequence[Judged], views: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    return ef_pairs(*ventricles(judged), views)


def _errors(judged: Sequence[Judged], views: Sequence[str], line: tuple[float, float]) -> Errors:
    """Of the patients who could be measured in all these views. An EF below 0 is that of no beat, and is not given."""
    patients, pairs = _pairs(judged, views)
    dice: dict[str, list[float]] = {}
    for one in judged:
        if one.sample.view in views and one.sample.phase in ("ED", "ES"):
            dice.setdefault(one.sample.patient, []).append(one.expected_dice)
    expected = np.array([mean_dice(dice[patient]) for patient in patients], np.float64)
    percent = line[0] * pairs[:, 0] + line[1]
    known = np.isfinite(pairs).all(axis=1) & (percent > 0)
    return Errors((percent - pairs[:, 1])[known], expected[known], percent[known])


def _of_errors(errors: Errors, slopes: tuple[float, float]) -> Mapping[str, float]:
    """Mean absolute error and bias in points, and how the error goes with the width of the interval."""
    order = spearmanr(errors.told @ slopes, np.abs(errors.points)).statistic
    return {
        "patients": len(errors.points),
        "mae": round(float(np.abs(errors.points).mean()), 2),
        "bias": round(float(errors.points.mean()), 2),
        "spearman": round(float(order), 3),
    }


def _thresholds(judged: Sequence[Judged]) -> dict[str, float]:
    apical, dice = (np.array([getattr(one, name) for one in judged]) for name in ("apical", "expected_dice"))
    return {
        "min_apical": round(float(np.quantile(apical, 1 - KEPT)), 3),
        "min_expected_dice": round(float(np.quantile(dice, 1 - KEPT)), 3),
        "max_edge_share": MAX_EDGE_SHARE,
        "min_atrium_confidence": MIN_ATRIUM_CONFIDENCE,
    }
