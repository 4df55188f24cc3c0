"""Dice at ED and at ES of endocardium, epicardium and atrium: the table in which papers on CAMUS report.

Leclerc et al., Deep Learning for Segmentation using an Open Large-Scale Dataset in 2D Echocardiography, IEEE
Transactions on Medical Imaging 38(9), 2198-2210, 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt_train.data import VIEWS
from echo_rt_train.evaluate.ejection import PHASES
from echo_rt_train.evaluate.overlap import joined_dice

STRUCTURES: Mapping[str, tuple[int, ...]] = {"endocardium": (1,), "epicardium": (1, 2), "atrium": (3,)}
"""The labels inside of each contour: the epicardium holds the wall and the cavity."""

POOLED = "pooled"


def structure_dice(counts: NDArray[np.int64], known: Sequence[int]) -> NDArray[np.float64]:
    """Dice of each of `STRUCTURES`: (structures,), NaN where one of its labels was not traced.

    Args:
        counts: of `echo_rt_train.evaluate.overlap.confusion`.
        known: the labels that were traced.
    """
    return np.array(
        [joined_dice(counts, labels) if set(labels) <= set(known) else np.nan for labels in STRUCTURES.values()]
    )


def phase_table(views: Sequence[str], phases: Sequence[str], dice: NDArray[np.float64]) -> dict[str, Any]:
    """The table, by view and over all views.

    Args:
        views, phases: of each image. Images that are neither ED nor ES have no part in it.
        dice: (images, structures), see `structure_dice`.

    Returns:
        ``{view or "pooled": {"ED" or "ES": {structure: {"mean", "sd", "images"}}}}``; ``sd`` with n - 1. A figure is
        None where there are too few images for it.
    """
    found: dict[str, Any] = {}
    for view in (*VIEWS, POOLED):
        for phase in PHASES:
            chosen = [
                row
                for row, of in enumerate(zip(views, phases, strict=True))
                if of[1] == phase and view in (of[0], POOLED)
            ]
            if chosen:
                columns = dice[chosen].T
                cells = {name: _spread(column) for name, column in zip(STRUCTURES, columns, strict=True)}
                found.setdefault(view, {})[phase] = cells
    return found


def _spread(values: NDArray[np.float64]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    mean = float(known.mean()) if len(known) else None
    return {"mean": mean, "sd": float(known.std(ddof=1)) if len(known) > 1 else None, "images": len(known)}
