"""Whether evenly spaced marks look like those of a ruler, and not like the words of a list."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from echo_rt.arrays import Array
from echo_rt.sources.screen.graduation import Majors, counts
from echo_rt.sources.screen.mark_shapes import Flags
from echo_rt.sources.screen.ticks import Ticks


@dataclass(frozen=True, slots=True)
class Demands:
    """What marks must be like to be a ruler's.

    Attributes:
        seen: share of the marks, from the first to the last, that must be there.
        between: share of the gaps between them in which something may be lit.
        crowded: share of the minor marks that may have something beside them, as letters and a list's bullets have.
        alike: brightness of the faintest sixth of the marks over that of the brightest, at least.
        shape: how much all but a fifth of the minor marks look like the mean one, a correlation.
        uneven: share of the length by which marks of one kind may differ in length.
        hidden: share of the depth at its lower end in which the marks may be hidden by tissue.
    """

    seen: float
    between: float
    crowded: float
    alike: float
    shape: float
    uneven: float
    hidden: float


PLAIN = Demands(seen=0.8, between=0.25, crowded=0.2, alike=0.4, shape=0.8, uneven=0.25, hidden=0.06)
"""Where all marks are alike: so are the bullets of a list."""

IN_HALVES = replace(PLAIN, seen=0.75, crowded=0.3, alike=0.35, uneven=0.35)
"""Where every second mark is long."""

IN_FIFTHS = Demands(seen=0.65, between=0.5, crowded=0.5, alike=0.25, shape=0.3, uneven=0.5, hidden=0.25)
"""Where several fifth marks are long: nothing else on a screen is like that."""

ENOUGH, HALF = 5, 0.5
"""Marks beside the sector that make a ruler, and the share of all that is seen then at least."""

THICK_PX, THICK = 5.0, 0.27
"""Pixels, or share of the distance between marks, that a mark is thick at most."""

LONG = 0.9
"""Where all marks are alike, the length of one over the distance to the next, at most."""

PRODUCT = 0.985
"""How plain marks without long fifth ones are, see `likeness`: drawn rulers 0.991 or more, words 0.98 at most."""

LONGEST = 0.06
"""A minor mark's length over the sector's depth, at most."""

UNEVEN_PX, UNEVEN_THICK_PX = 3.0, 2.0
"""Pixels by which marks of one kind always may differ in length, and in thickness."""

MOST_MAJORS = 0.6
"""Share of the long marks that must be of one length."""

UPRIGHT, UPRIGHT_PX = 1.3, 2.0
"""A mark's thickness over its length, at most, and pixels more: of a small dot that lies between two rows three are
lit. What is taller is a stroke of a letter or the side of a frame."""


def like_a_ruler(ticks: Ticks, pattern: Majors, demands: Demands, depth: float) -> bool:
    """Whether the marks look like those of a ruler: thin, alike, nothing between them, and no list's bullets."""
    there, step = ticks.there, ticks.lattice.step
    if _seen(ticks) < demands.seen or ticks.between > demands.between:
        return False
    if demands is not IN_FIFTHS and ticks.writing.plain < PRODUCT:
        return False
    thick = float(np.median(ticks.thick[there]))
    if thick > max(THICK_PX, THICK * step):
        return False
    faint, bright = np.quantile(ticks.brightness[there], (0.15, 0.85))
    if faint < demands.alike * bright:
        return False
    minor = there.copy()
    for many, rest in pattern.items():
        minor[rest::many] = False
    minor = minor if minor.sum() > 2 else there
    # Some number every centimetre.
    if _crowded(ticks, minor) > demands.crowded and not (demands is IN_FIFTHS and counts(ticks)):
        return False
    typical = float(np.median(ticks.length[minor]))
    if thick > UPRIGHT * typical + UPRIGHT_PX or float(np.quantile(ticks.shape[minor], 0.2)) < demands.shape:
        return False
    if typical > LONGEST * depth or (demands is PLAIN and (ticks.cut or typical > LONG * step)):
        return False
    if not _even(ticks.length[minor], demands.uneven, UNEVEN_PX):
        return False
    if not _even(ticks.thick[minor], demands.uneven, UNEVEN_THICK_PX):
        return False
    # Beside some long marks there may be a number or something else. What is numbered need not be long.
    fifth = np.zeros_like(there)
    fifth[pattern.get(5, 0) :: 5] = 5 in pattern
    major = ticks.length[there & (fifth if fifth.any() else ~minor)]
    if not len(major):
        return True
    usual = float(np.median(major))
    return float((np.abs(major - usual) <= max(UNEVEN_PX, demands.uneven * usual)).mean()) >= MOST_MAJORS


def _crowded(ticks: Ticks, minor: Flags) -> float:
    """Share of the minor marks that have something beside them: numbers stand beside the others alone, and tissue
    beside those in the sector."""
    outside = minor & ~ticks.inside
    return float(ticks.writing.crowded[outside if outside.sum() > 2 else minor].mean())


def _seen(ticks: Ticks) -> float:
    """Share of the marks that are seen, from the first to the last. Where enough stand beside the sector, those over
    its tissue need not be."""
    first, last = np.flatnonzero(ticks.there)[[0, -1]]
    span = slice(first, last + 1)
    beside = ~ticks.inside[span]
    share = float(ticks.there[span].mean())
    if int((ticks.there[span] & beside).sum()) < ENOUGH or share < HALF:
        return share
    return float(ticks.there[span][beside].mean())


def _even(size: Array, uneven: float, least_px: float) -> bool:
    """Whether marks of one kind are of one size, but for a few."""
    small, typical, large = np.quantile(size, (0.2, 0.5, 0.8))
    return bool(large - small <= max(least_px, uneven * typical))
