"""The comparison of a curve with systoles of many lengths."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array


def systole_form(t: Array, begins: Array, lasts: Array) -> Array:
    """The parts of K systoles of a certain form, see `echo_rt.cardiac.systole`.

    Args:
        t: (N,) times.
        begins, lasts: (5, K) when the kick, the ejection, the filling, the closing of the valve and its opening begin,
            and how long they last.

    Returns:
        (K, N, 5): one, and the kick, which goes from -1 to 0, the ejection from 0 to -1, the filling from 0 to 1, the
        valve from 0 to -1 and back.
    """
    u = np.clip((t - begins[..., None]) / lasts[..., None], 0.0, 1.0)
    flow = share_ejected(u[1:3])
    return np.stack([np.ones_like(u[0]), u[0] * u[0] * (3 - 2 * u[0]) - 1, -flow[0], flow[1], u[4] - u[3]], axis=-1)


def share_ejected(u: Array) -> Array:
    """Which share of the stroke volume has left after a share `u` of the ejection, or has come in after one of the
    rapid filling."""
    share: Array = u * (0.7 + u * (1.4 - 1.1 * u))
    return share


def systole_heights(form: Array, y: Array) -> tuple[Array, Array]:
    """The heights (K, C, 5) of the parts of K forms (K, N, 5) in C curves (C, N), and the squared remainder (K, C).

    None but the first height is negative. One more sample has nothing in it but the valve, and says that there is none.
    """
    parts = form.shape[2]
    square, right = (form.transpose(0, 2, 1) @ form)[:, None], y @ form
    # A part that is zero in all samples has a height of zero.
    square = square + 1e-9 * form.shape[1] * np.eye(parts)
    square[..., -1, -1] += 1.0
    heights: Array = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    for _ in range(3):
        # What would be negative is left out: the best without it, in all but contrived cases.
        wrong = heights < 0
        wrong[..., 0] = False
        if not wrong.any():
            break
        left = ~wrong
        square, right = square * (left[..., :, None] & left[..., None, :]), right * left
        square = square + wrong[..., :, None] * np.eye(parts)
        heights = np.asarray(np.linalg.solve(square, right[..., None])[..., 0], np.float64)
    return heights, (y * y).sum(axis=1) - (heights * right).sum(axis=-1)


def systole_misfits(t: Array, y: Array, begins: Array, lasts: Array) -> Array:
    """(K, C) what K systoles, see `systole_form`, leave over of C curves (C, N), squared."""
    return systole_heights(systole_form(t, begins, lasts), y)[1]
