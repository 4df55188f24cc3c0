"""What single marks look like: length, thickness, what stands beside them, and whether they are alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field
from echo_rt.sources.screen.lattice import Lattice
from echo_rt.sources.screen.marks import LEAST

SHARE = 0.45
"""Of a mark's brightness, where it ends."""

THERE = 0.4
"""Of the usual brightness, from which on a mark is there."""

STANDS = 0.5
"""Of a mark's brightness against its neighbours, the share left against the screen half-way to the next mark."""

BESIDE_PX, LETTER_PX = 5, 8
"""Pixels between a mark and what is written beside it, and that are lit in it, at least."""

CROWD, NEAR = 0.5, 0.6
"""With that share of a mark's own pixels lit beside it, it may be a letter or a bullet; how far beside it counts, as a
share of how far is looked."""

ASKEW_PX = 4
"""Pixels by which a mark may lie beside the line."""

Flags = NDArray[np.bool_]


def are_there(brightness: Array) -> Flags:
    """Which marks are there, by the usual brightness of the brighter ones."""
    usual = float(np.median(np.sort(brightness)[-max(4, len(brightness) // 2) :]))
    return np.asarray(brightness >= max(THERE * usual, LEAST))


class Shapes:
    """Length, thickness and ink of each mark, and what is lit beside it; the attributes are those of `Ticks`.

    Attributes:
        stands: (K,) whether the mark is brighter than the screen around it.
        ends: (2, K) where it ends on either side, in pixels across the ruler from the point.
    """

    def __init__(self, patches: Field, around: Field, offsets: Array, brightness: Array, step: float) -> None:
        count, height, width = patches.shape
        self.length, self.thick, self.ink = np.zeros(count), np.zeros(count), np.zeros(count)
        self.stands, self.ends = np.zeros(count, bool), np.zeros((2, count))
        self.written, self.crowded = np.zeros((2, count)), np.zeros(count, bool)
        usual = THERE * float(np.median(brightness[are_there(brightness)]))
        band, far = max(1, round(0.25 * step)), max(1, round(0.1 * step))
        for k, patch in enumerate(patches):
            row = int(np.clip(height // 2 + round(float(offsets[k])), 1, height - 2))
            across = patch[row - 1 : row + 2].max(axis=0)
            middle = width // 2 - 2 + int(across[width // 2 - 2 : width // 2 + 3].argmax())
            # On the screen itself: of a longer line only the ends are small things.
            level = around[k, row - 1 : row + 2].max(axis=0)
            level -= (around[k, :far].mean(axis=0) + around[k, height - far :].mean(axis=0)) / 2
            left, right = _run(np.maximum(across, level) > SHARE * brightness[k], middle)
            self.stands[k] = level[max(middle - 2, 0) : middle + 3].max() > STANDS * brightness[k]
            top, bottom = _run(patch[:, middle] > SHARE * brightness[k], row)
            self.length[k], self.thick[k] = right - left + 1, bottom - top + 1
            self.ends[:, k] = left - width // 2, right - width // 2
            self.ink[k] = patch[max(row - 3, 0) : row + 4, max(left - 2, 0) : right + 3].sum() / 255
            lit = (patch[max(row - band, 0) : row + band + 1] > usual).sum(axis=0)
            # What goes on half-way to the next mark is no writing, but a bar or a picture.
            lit[np.maximum(patch[:far].max(axis=0), patch[height - far :].max(axis=0)) > usual] = 0
            sides = lit[: max(left - BESIDE_PX, 0)], lit[right + 1 + BESIDE_PX :]
            self.written[:, k] = [(side > 0).sum() if side.sum() >= LETTER_PX else 0 for side in sides]
            own = lit[left : right + 1].sum()
            near = round(NEAR * (width // 2))
            nearby = lit[max(left - near, 0) : max(left - 1, 0)].sum() + lit[right + 2 : right + 1 + near].sum()
            self.crowded[k] = nearby > max(CROWD * own, LETTER_PX)


def likeness(patches: Field, offsets: Array, there: Flags, length: Array) -> tuple[Array, float]:
    """(K,) correlation of each mark and what touches it with the mean of the shorter ones that are there; and how plain
    that mean is.

    A plain mark is the product of a profile along the ruler and one across it, with share 1 of its energy: so are ticks
    and dots, and words are not.
    """
    _, height, width = patches.shape
    short = there & (length <= 1.3 * float(np.quantile(length[there], 0.3)))
    across = min(round(float(np.median(length[short])) / 2) + 2, width // 2 - 1)
    along = max(2, min(4, height // 2 - 1))
    pieces = []
    for patch, offset in zip(patches, offsets, strict=True):
        row = int(np.clip(height // 2 + round(float(offset)), along, height - 1 - along))
        # An oblique line is known to half a degree.
        near = patch[max(row - 1, 0) : row + 2, width // 2 - ASKEW_PX : width // 2 + ASKEW_PX + 1].max(axis=0)
        weight = np.maximum(near - 0.5 * near.max(), 0)
        shift = float((weight * np.arange(-ASKEW_PX, ASKEW_PX + 1)).sum() / max(float(weight.sum()), 1e-6))
        middle = int(np.clip(width // 2 + round(shift), across, width - 1 - across))
        pieces.append(patch[row - along : row + along + 1, middle - across : middle + across + 1])
    # Blurred, for the same dot fills two pixels here and three there.
    cut = np.stack([cv2.blur(piece, (3, 3)) for piece in pieces])
    energy = np.square(np.linalg.svd(np.median(cut[short], axis=0).astype(np.float64), compute_uv=False))
    plain = float(energy[0] / max(energy.sum(), 1e-6))
    flat = cut.reshape(len(cut), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    mean = np.median(flat[short], axis=0)
    return np.asarray(flat @ mean / max(float(np.linalg.norm(mean)), 1e-6), np.float64), plain


def cut_off(lattice: Lattice, width: int, length: float) -> bool:
    """Whether marks of that length on an upright line reach to a side of the screen."""
    return not lattice.angle_deg and not length + 1 <= lattice.across <= width - 2 - length


def _run(lit: Flags, middle: int) -> tuple[int, int]:
    """First and last of the lit neighbours around the middle."""
    dark = np.flatnonzero(~lit)
    n = int(np.searchsorted(dark, middle))
    return int(dark[n - 1] + 1) if n else 0, int(dark[n] - 1) if n < len(dark) else len(lit) - 1


def lit_between(patches: Field, there: Flags, brightness: Array, thick: float) -> float:
    """Share of the gaps in which something is lit on the line, from the first mark to the last."""
    first, last = np.flatnonzero(there)[[0, -1]]
    rows, columns = patches.shape[1] // 2, patches.shape[2] // 2
    spine = patches[first:last, rows:, columns - 1 : columns + 2].max(axis=2)
    spine = np.concatenate([spine, patches[first + 1 : last + 1, : rows + 1, columns - 1 : columns + 2].max(axis=2)], 1)
    away = np.abs(np.concatenate([np.arange(rows + 1), np.arange(-rows, 1)])) > thick / 2 + 1.5
    if not away.any():
        return 0.0
    usual = float(np.median(brightness[there]))
    return float((spine[:, away] > THERE * usual).any(axis=1).mean())
