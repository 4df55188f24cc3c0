"""The mitral leaflets: how far they are open, and where they are."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.cycle import Cycle


def opening(cycle: Cycle, t_s: float) -> float:
    """0 closed to 1 wide open: wide with rapid filling and with the atrium, half in diastasis, shut from ED on."""
    t = t_s - cycle.start_s
    contraction, _, relaxation, rapid, slow, end = cycle.marks_s
    if t < contraction:
        # Closes with the first rise of pressure.
        return 0.35 * max(1 - t / (0.6 * contraction), 0.0)
    if t < relaxation:
        return 0.0
    knots = [relaxation, relaxation + 0.3 * (rapid - relaxation), relaxation + 0.55 * (rapid - relaxation), rapid]
    heights = [0.0, 1.0, 1.0, 0.55]
    if end > slow:
        knots += [slow, slow + 0.45 * (end - slow), end]
        heights += [0.4, 0.85, 0.35]
    else:
        knots += [end]
        heights += [0.35]
    return float(np.interp(t, knots, heights))


def leaflets(state: State, opened: float) -> list[Array]:
    """The two leaflets in the heart frame, each (9, 2) from its hinge to its free edge.

    Closed, they meet a little above the annulus, a third of the way from the lateral hinge. Open, they point to the
    apex: the longer anterior leaflet comes near the septum.
    """
    left, right = state.endo[0], state.endo[-1]
    span = right - left
    width = float(np.linalg.norm(span))
    meet = left + 0.62 * span + (0.0, 0.10 * width)
    found = []
    for hinge, length, lean in ((left, 0.70 * width, 0.18), (right, 0.50 * width, -0.12)):
        shut = meet - hinge
        wide = length * np.array([np.sign(lean) * np.sin(abs(lean) * np.pi), np.cos(lean * np.pi)])
        angle_shut, angle_wide = np.arctan2(shut[1], shut[0]), np.arctan2(wide[1], wide[0])
        angle = angle_shut + (angle_wide - angle_shut) * opened
        reach = np.linalg.norm(shut) * (1 - opened) + length * opened
        tip = hinge + reach * np.array([np.cos(angle), np.sin(angle)])
        # Belly: billows towards the atrium when shut, towards the wall when open.
        normal = np.array([-(tip - hinge)[1], (tip - hinge)[0]]) / max(reach, 1e-6)
        belly = (1.2 - 2.4 * opened) * (-1 if lean > 0 else 1)
        u = np.linspace(0, 1, 9)[:, None]
        found.append(hinge + u * (tip - hinge) + np.sin(np.pi * u) * belly * normal)
    return found
