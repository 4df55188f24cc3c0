"""Whether a frame can be used, by rules whose thresholds come with the model.

``min_cavity_fraction``, ``max_cavity_fraction``
    share of the image that the cavity covers; outside of it there is no ventricle.
``min_confidence``
    mean probability of the winning class over cavity and wall.
``min_wall_contact``
    share of the cavity's border that has wall or atrium behind it. In an apical view it is nearly all of it; blobs that a
    network sees in noise lie in the background.

A model that names the view has its say before the last rule: what it calls ``other`` is not apical.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from echo_rt.cardiac.geometry import Outline
from echo_rt.reading import LeftVentricle, Quality, Reason
from echo_rt.segmentation import Segmentation


def confidence(segmentation: Segmentation) -> float:
    """Mean probability of the winning class over cavity and wall; 0 where there is neither."""
    inside = (segmentation.labels == 1) | (segmentation.labels == 2)
    if not inside.any():
        return 0.0
    return float(segmentation.probability[:, inside].max(axis=0).mean())


def assess(segmentation: Segmentation, border: Outline | None, ventricle: LeftVentricle | None, thresholds: Mapping[str, float]) -> Quality:
    """The first rule that a frame breaks, in the order in which a reader would look.

    Args:
        segmentation: of the frame.
        border: of its cavity, None where there is none.
        ventricle: its measurements, None where the border has no mitral plane.
        thresholds: `ModelSpec.quality`.
    """
    if border is None:
        return Quality(False, Reason.NO_VENTRICLE, 0.0)
    sure = confidence(segmentation)
    height, width = segmentation.map.image
    fraction = border.area * segmentation.map.scale**2 / (height * width)
    if not thresholds["min_cavity_fraction"] <= fraction <= thresholds["max_cavity_fraction"]:
        return Quality(False, Reason.NO_VENTRICLE, sure)
    if segmentation.view == "other":
        return Quality(False, Reason.NOT_APICAL, sure)
    contact = float(np.mean(border.wall + border.atrium))
    if ventricle is None or contact < thresholds["min_wall_contact"]:
        # A weak picture is called weak; a clear one without the parts of an apical view is another view.
        weak = sure < thresholds["min_confidence"]
        return Quality(False, Reason.LOW_CONFIDENCE if weak else Reason.NOT_APICAL, sure)
    if sure < thresholds["min_confidence"]:
        return Quality(False, Reason.LOW_CONFIDENCE, sure)
    return Quality(True, None, sure)
