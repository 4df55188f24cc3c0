"""EF from the masks of one patient at ED and ES, by the runtime's own geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.geometry import LongAxis, disks_volume, find_ventricle, outline
from echo_rt.model import CLASSES
from echo_rt.segmentation import GridMap, Segmentation

PHASES = ("ED", "ES")
BIPLANE = ("2CH", "4CH")

Axes = Mapping[tuple[str, str, str], LongAxis | None]
"""The measured ventricle, or None, by (patient, view, phase)."""


def expert_segmentation(mask: NDArray[np.uint8]) -> Segmentation:
    """An expert's mask (H, W) as an engine sure of itself would give it, on the image's own grid."""
    one_hot = (np.arange(len(CLASSES))[:, None, None] == mask).astype(np.float32)
    size = (mask.shape[0], mask.shape[1])
    return Segmentation(one_hot, mask, GridMap.letterbox(size, size))


def long_axis(segmentation: Segmentation, spacing_mm: tuple[float, float] | None) -> LongAxis | None:
    """The ventricle seen along its axis, in mm, or in pixels taken as square where the spacing (row, column) is unknown; None where it
    cannot be measured."""
    edge = outline(segmentation)
    ventricle = find_ventricle(segmentation, edge, spacing_mm) if edge is not None else None
    if ventricle is None:
        return None
    row, column = spacing_mm or (1.0, 1.0)
    return LongAxis.of(ventricle.contour * np.array([column, row]))


def ef_percent(phases: Sequence[Sequence[LongAxis | None]]) -> float:
    """EF = (EDV - ESV) / EDV x 100 by the method of disks, single-plane or biplane.

    Args:
        phases: ED and ES, each with the axes of one view, or of 2CH and 4CH.

    Returns:
        In percent; NaN where one of the ventricles could not be measured.
    """
    volumes = []
    for axes in phases:
        known = [axis for axis in axes if axis is not None]
        if len(known) < len(axes):
            return float("nan")
        # The guideline takes the longer of the two axes. The scale of one view is often unknown, and only within a view the same at ED
        # and ES, so that lengths cannot be compared across views: the 4CH one, the last, is taken at both times.
        volumes.append(disks_volume(known[0].diameters(), known[-1].diameters(), known[-1].length))
    return 100 * (volumes[0] - volumes[1]) / volumes[0]


def ef_pairs(model: Axes, expert: Axes, views: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """EF by the model and by the expert of all patients who have ED and ES in all the views.

    Returns:
        Patients, and (patients, 2) in percent, NaN where it could not be measured.
    """
    patients = sorted({patient for patient, _, _ in expert})
    whole = [p for p in patients if all((p, view, phase) in expert for view in views for phase in PHASES)]
    pairs = [[ef_percent([[axes[p, v, phase] for v in views] for phase in PHASES]) for axes in (model, expert)] for p in whole]
    return whole, np.array(pairs, np.float64).reshape(-1, 2)
