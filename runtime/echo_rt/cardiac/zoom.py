"""Whether a picture shows the same as the one before at another depth.

Somebody turns the depth while the recording goes on. Where no ruler tells the scale, lengths before and after would
pass for one heart's: a beat of both has an EF of the two depths. A jump in a recording, as where a clip begins again,
is no change of depth: no zoom makes the pictures alike.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Field
from echo_rt.cardiac.picture import DARK, Picture

ALIKE = 0.9
"""Correlation of two pictures from which on nothing has happened. A heart at 30 frames a second keeps 0.97 from frame
to frame."""

ZOOMS = np.geomspace(1.08, 1.7, 12)
"""Factors that are tried, and their inverses: from one centimetre in twelve on."""

GAIN, LEAST = 0.05, 0.75
"""By how much the right zoom must be more alike than none, and how much alike it must be."""

SOFT = (5, 5)
"""Coarse pixels over which speckle is averaged."""


def zoomed(before: Picture, after: Picture) -> bool:
    """Whether the depth was changed between two pictures of a feed."""
    if before.level.shape != after.level.shape:
        return False
    old, new = (np.asarray(cv2.blur(picture.level, SOFT), np.float32) for picture in (before, after))
    plain = _correlation(old, new, np.maximum(old, new) > DARK)
    if plain > ALIKE or before.sector is None or after.sector is None:
        return False
    least = max(plain + GAIN, LEAST)
    old_sector, new_sector = _filled(before), _filled(after)
    # All depths begin at the probe.
    outline = before.sector / before.step
    x, y = outline[outline[:, 1].argmin()]
    for zoom in (*ZOOMS, *1 / ZOOMS):
        matrix = np.array([[zoom, 0, x * (1 - zoom)], [0, zoom, y * (1 - zoom)]])
        larger, known = (
            np.asarray(cv2.warpAffine(field, matrix, old.shape[::-1]), np.float32) for field in (old, old_sector)
        )
        # A larger depth shows what was below, a smaller one no longer shows it.
        if _correlation(larger, new, (known > 0.5) & (new_sector > 0.5)) >= least:
            return True
    return False


def _filled(picture: Picture) -> Field:
    """(h, w) 1 in the sector of a picture that has one."""
    assert picture.sector is not None
    mask = np.zeros(picture.level.shape, np.float32)
    cv2.fillConvexPoly(mask, np.round(picture.sector / picture.step).astype(np.int32), 1)
    return mask


def _correlation(one: Field, two: Field, where: NDArray[np.bool_]) -> float:
    """Of the grey levels in a part of two pictures; 1 where nothing varies."""
    if not where.any():
        return 1.0
    a, b = one[where] - one[where].mean(), two[where] - two[where].mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 1.0
