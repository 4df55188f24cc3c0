"""EF from the masks of one patient at ED and ES, by the runtime's own geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.geometry import disks_volume, find_ventricle, outline
from echo_rt.chambers import LeftVentricle
from echo_rt.model import CLASSES, DEFAULT_CONTOUR, ContourRule
from echo_rt.segmentation import GridMap, Segmentation

PHASES = ("ED", "ES")
BIPLANE = ("4CH", "2CH")

VIEW_NAMES = {"4CH": "A4C", "2CH": "A2C"}
"""The data sets' names of the views, and the runtime's."""

Ventricles = Mapping[tuple[str, str, str], LeftVentricle | None]
"""The measured ventricle, or None, by (patient, view, phase)."""


def expert_segmentation(mask: NDArray[np.uint8]) -> Segmentation:
    """An expert's mask (H, W) as an engine sure of itself would give it, on the image's own grid."""
    one_hot = (np.arange(len(CLASSES))[:, None, None] == mask).astype(np.float32)
    size = (mask.shape[0], mask.shape[1])
    return Segmentation(one_hot, mask, GridMap.letterbox(size, size))


def ventricle(
    segmentation: Segmentation, spacing_mm: tuple[float, float] | None, rule: ContourRule = DEFAULT_CONTOUR
) -> LeftVentricle | None:
    """The ventricle, measured by the model's `rule` in mm and mL; None where there is nothing to measure.

    Where the spacing (row, column) is unknown it is measured in pixels, which are taken as square.
    """
    edge = outline(segmentation, rule)
    return find_ventricle(segmentation, edge, spacing_mm, rule) if edge is not None else None


def ef_percent(phases: Sequence[Sequence[LeftVentricle | None]]) -> float:
    """EF = (EDV - ESV) / EDV x 100 by the method of disks, single-plane or biplane.

    Args:
        phases: ED and ES, each with the ventricle of one view, or of 4CH and 2CH.

    Returns:
        In percent; NaN where one of the ventricles could not be measured.
    """
    volumes = []
    # Only lengths in mm can be compared across views; where a scale is unknown, the first view's axis is taken at both
    # times.
    same_scale = all(found is not None and found.scale.calibrated for views in phases for found in views)
    for views in phases:
        known = [found.disks for found in views if found is not None]
        if len(known) < len(views):
            return float("nan")
        volumes.append(disks_volume(known[0], known[-1], same_scale=same_scale))
    return 100 * (volumes[0] - volumes[1]) / volumes[0]


def ef_pairs(model: Ventricles, expert: Ventricles, views: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """EF by the model and by the expert of all patients who have ED and ES in all the views.

    Returns:
        Patients, and (patients, 2) in percent, NaN where it could not be measured.
    """
    patients = sorted({patient for patient, _, _ in expert})
    whole = [p for p in patients if all((p, view, phase) in expert for view in views for phase in PHASES)]
    pairs = [
        [ef_percent([[found[p, v, phase] for v in views] for phase in PHASES]) for found in (model, expert)]
        for p in whole
    ]
    return whole, np.array(pairs, np.float64).reshape(-1, 2)
