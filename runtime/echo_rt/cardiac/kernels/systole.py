"""The comparison of a curve with systoles of many lengths."""

from __future__ import annotations

import numpy as np

from echo_rt.cardiac.kernels.types import Array


def systole_form(t: Array, begins: Array, lasts: Array) -> Array:
    """The parts of K systoles of a certain form, see `echo_rt.cardiac.systole`.

    Args:
        t: (N,) times.
        begins, lasts: (3, K) when the kick, the ejection and the filling begin, and how long they last.

    Returns:
        (K, N, 4): one, and those three. The kick goes from -1 to 0, the ejection from 0 to -1, the filling from 0 to 1.
    """
    u = np.clip((t - begins[..., None]) / lasts[..., None], 0.0, 1.0)
    form = np.empty((begins.shape[1], len(t), 4))
    form[..., 0] = 1.0
    form[..., 1] = u[0] * u[0] * (3 - 2 * u[0]) - 1
    flow = share_ejected(u[1:])
    form[..., 2] = -flow[0]
    form[..., 3] = flow[1]
    return form


def share_ejected(u: Array) -> Array:
    """Which share of the stroke volume has left after a share `u` of the ejection, or has come in after one of the rapid filling."""
    share: Array = u * (0.7 + u * (1.4 - 1.1 * u))
    return share


def systole_heights(form: Array, y: Array) -> tuple[Array, Array]:
    """For K forms (K, N, 4) and C curves (C, N): heights (K, C, 4) of the parts, none but the first negative, and what is left over,
    squared (K, C)."""
    square, right = (form.transpose(0, 2, 1) @ form)[:, None], y @ form
    # A part that is zero in all samples has a height of zero.
    square = square + 1e-9 * form.shape[1] * np.eye(4)
    heights: Array = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    for _ in range(2):
        # What would be negative is left out: the best without it, in all but contrived cases.
        wrong = heights < 0
        wrong[..., 0] = False
        if not wrong.any():
            break
        left = ~wrong
        square, right = square * (left[..., :, None] & left[..., None, :]), right * left
        square = square + wrong[..., :, None] * np.eye(4)
        heights = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    return heights, (y * y).sum(axis=1) - (heights * right).sum(axis=-1)


def reference_systole_misfits(t: Array, y: Array, begins: Array, lasts: Array) -> Array:
    """(K, C) what K systoles, see `systole_form`, leave over of C curves (C, N), squared."""
    return systole_heights(systole_form(t, begins, lasts), y)[1]
