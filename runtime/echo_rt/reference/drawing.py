"""What is drawn on every pixel of a part of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Field, Image
from echo_rt.reference.types import Tint

BESIDE = 2
"""Grid pixels around those labelled so in which the colour may fade."""


def tint(picture: Image, labels: Image, layer: Field, how: Tint) -> None:
    """Colour what a class covers, with a soft border where its probability passes one half.

    Args:
        picture: (H, W, 3), its pixels contiguous in a row; drawn upon.
        labels: (h, w) on the grid. Nothing is coloured further than `BESIDE` from where the class has won.
        layer: (h, w) its probability, zero outside of the grid.
        how: see `Tint`.
    """
    rows, columns = np.nonzero(labels == how.label)
    if not rows.size:
        return
    scale, x_shift, y_shift = (np.float32(number) for number in how.to_grid)
    top, bottom = _shown(rows, float(scale), float(y_shift), picture.shape[0])
    left, right = _shown(columns, float(scale), float(x_shift), picture.shape[1])
    if bottom <= top or right <= left:
        return
    # Two rows and columns of zeros on either side, on which everything outside of the grid comes to lie.
    padded = np.pad(np.asarray(layer, np.float32), 2)
    low, share = _between(np.arange(left, right), scale, x_shift, layer.shape[1])
    wide = padded[:, low] + share * (padded[:, low + 1] - padded[:, low])
    low, share = _between(np.arange(top, bottom), scale, y_shift, layer.shape[0])
    sure = wide[low] + share[:, None] * (wide[low + 1] - wide[low])
    weight = np.float32(how.share) * np.clip(4 * sure - 1.5, 0, 1)[..., None]
    part = picture[top:bottom, left:right]
    part[:] = (part + weight * (np.array(how.colour, np.float32) - part) + 0.5).astype(np.uint8)


def _shown(positions: NDArray[np.intp], scale: float, shift: float, size: int) -> tuple[int, int]:
    """The pixels of a picture that show these grid positions and those beside them: the first, and one past the
    last."""
    ends = int(positions.min()) - BESIDE, int(positions.max()) + BESIDE
    first, last = (int(min(max((end - shift) / scale, 0.0), size)) for end in ends)
    return first, last


def _between(
    pixels: NDArray[np.int_], scale: np.float32, shift: np.float32, size: int
) -> tuple[NDArray[np.intp], Field]:
    """The padded grid's pixel before each pixel of the picture, and how far it is on the way to the next one."""
    place = scale * pixels.astype(np.float32) + shift
    below = np.floor(place)
    return np.clip(below.astype(np.intp) + 2, 0, size + 2), np.asarray(place - below, np.float32)
