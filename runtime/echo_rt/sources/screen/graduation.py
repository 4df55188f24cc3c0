"""How a ruler is graduated: which marks are long or numbered, and how many millimetres lie between two."""

from __future__ import annotations

import numpy as np

from echo_rt.arrays import Array
from echo_rt.sources.screen.mark_shapes import Flags
from echo_rt.sources.screen.ticks import Ticks

DEPTH_MM = (55.0, 250.0)
"""Depths that apical views are taken at, from newborns to the largest adults."""

SEVERAL = 3
"""Major marks that make a graduation sure: a grey bar has two ends by itself."""

LONGER, STRONGER, HINT = 0.25, 0.5, 0.08
"""By how much major marks are longer than the others, or have more ink; by how much longer, so that there is a doubt
whether they are."""

HINT_PX = 1.5
"""Pixels by which they must be longer for that doubt."""

LEAST_LENGTH_PX = 4.0
"""Shorter marks count as so long."""

NUMBERED, PLAIN = 0.7, 0.15
"""Of the major marks at least that share is numbered, and of the others at most that one."""

LEAST_DIGIT_PX = 3.0
"""What is narrower is no number, but noise beside the mark."""

COMPARED = 0.8
"""Share of the major marks beside which a number must stand, so that these can be compared."""

TWO_DIGITS = 1.25, 1.5
"""Numbers of one digit differ by less than the first, those of two are wider by more than the second."""

UNSURE = "a ruler is seen whose marks may be 5 mm or 1 cm"

Majors = dict[int, int]
"""Every how many marks one is major, and the index of the first such mark. There may be two kinds."""


def majors(ticks: Ticks) -> Majors:
    """The marks that are longer, stronger or numbered."""
    found = longer(ticks)
    for written in ticks.writing.columns:
        for many in (2, 5, 10):
            for rest in range(many):
                if many not in found and _numbered(written > 0, ticks.there, many, rest):
                    found[many] = rest
    return found


def numbered(ticks: Ticks) -> Flags:
    """(2, K) beside which marks a number stands, on either side. It does so regularly; other writing does not."""
    found = np.zeros(ticks.writing.widths.shape, bool)
    for side, written in enumerate(ticks.writing.widths >= LEAST_DIGIT_PX):
        if written[ticks.there].mean() >= NUMBERED:
            found[side] = written
        for many in (2, 5, 10):
            for rest in range(many):
                if _numbered(written, ticks.there, many, rest):
                    found[side, rest::many] = written[rest::many]
    return found


def longer(ticks: Ticks) -> Majors:
    """The marks that are longer or stronger."""
    found: Majors = {}
    # Half a pixel more or less makes a dot a third longer.
    length = np.maximum(ticks.length, LEAST_LENGTH_PX)
    for feature, least in ((length, LONGER), (ticks.ink, STRONGER)):
        for many in range(2, 11):
            gaps = [_gap(feature, ticks.there, many, rest) for rest in range(many)]
            if many not in found and max(gaps) > least:
                found[many] = int(np.argmax(gaps))
    return found


def in_fifths(ticks: Ticks) -> bool:
    """Whether every fifth centimetre's mark is longer or stronger, and several of these are seen. Numbers alone may be
    other writing."""
    pattern = longer(ticks)
    # In half centimetres it is every tenth mark, and every second one is longer than the rest too.
    many = 5 if 5 in pattern else 10 if {2, 10} <= set(pattern) else None
    return many is not None and int(ticks.there[pattern[many] :: many].sum()) >= SEVERAL


def counts(ticks: Ticks) -> bool:
    """Whether a number stands beside each mark and they count: on one side ten of one digit, then some of two."""
    for widths in ticks.writing.widths[:, ticks.there]:
        one, two = widths[:10], widths[10:]
        if len(two) < SEVERAL or (widths > 0).mean() < 1:
            continue
        digit = float(np.median(one))
        if one.max() <= TWO_DIGITS[0] * digit + 1 and two.min() >= TWO_DIGITS[1] * digit:
            return True
    return False


def step_mm(ticks: Ticks, pattern: Majors, zero: int, count: float) -> float | str:
    """The distance of the marks in mm, or why it is not known.

    Args:
        ticks: the marks.
        pattern: `majors` of them.
        zero: the index of depth 0.
        count: how many steps the sector is deep.
    """
    most, least = DEPTH_MM[1] / 10, DEPTH_MM[0] / 10
    if odd := set(pattern) - {2, 5, 10}:
        return f"a ruler is seen of which one mark in {min(odd)} is long"
    if 5 in pattern:
        return 10.0
    if 10 in pattern:
        return 5.0 if 2 in pattern or count > most else UNSURE
    if 2 in pattern:
        return 5.0 if count > most else 10.0 if count < 2 * least else _by_numbers(ticks, zero) or UNSURE
    length = np.maximum(ticks.length, LEAST_LENGTH_PX)
    # A pixel more or less says nothing.
    if max(_gap(length, ticks.there, 2, rest) for rest in (0, 1)) > max(HINT, HINT_PX / float(np.median(length))):
        return UNSURE
    # One long mark 10 or 20 marks down: the others may be hidden, and the marks be 5 mm.
    down = np.flatnonzero(ticks.there) - zero
    length = length[ticks.there]
    long = set(down[length > (1 + LONGER) * np.median(length)].tolist())
    return UNSURE if long & {10, 20} and not long & {5, 15} else 10.0


def _gap(feature: Array, there: Flags, many: int, rest: int) -> float:
    """By how much the marks `rest`, `rest + many`, ... stand out, as a share of the others; below 0 they do not."""
    major, minor = _parted(feature, there, many, rest)
    # Two long marks may be so by chance, unless they are where one expects them.
    if len(major) < (2 if many in (5, 10) else SEVERAL) or len(minor) < 3:
        return -1.0
    # Of two, each must be long: one alone may be crossed by something else.
    least = major.min() if len(major) < SEVERAL else _quantile(major, 0.15)
    return float((least - _quantile(minor, 0.9)) / max(_quantile(minor, 0.5), 1.0))


def _quantile(values: Array, share: float) -> float:
    """As `np.quantile`. That one takes ten times as long for so few, and a ruler is asked thousands of times."""
    ordered = sorted(values.tolist())
    place = share * (len(ordered) - 1)
    low, part = int(place), place % 1
    below, above = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    return float(below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part))


def _numbered(written: Flags, there: Flags, many: int, rest: int) -> bool:
    major, minor = _parted(written, there, many, rest)
    return len(major) >= 2 and len(minor) >= 3 and major.mean() >= NUMBERED and bool(minor.mean() <= PLAIN)


def _parted(feature: Array | Flags, there: Flags, many: int, rest: int) -> tuple[Array, Array]:
    """The feature of the marks `rest`, `rest + many`, ... and of the others, where they are there."""
    chosen = np.zeros(len(there), bool)
    chosen[rest::many] = True
    return np.asarray(feature[there & chosen], np.float64), np.asarray(feature[there & ~chosen], np.float64)


def _by_numbers(ticks: Ticks, zero: int) -> float | None:
    """The distance of the marks in mm where a number stands beside every second one; None where that is unclear.

    The numbers are not read: those from 10 on are twice as wide. Is that the fifth, they count 2, 4, 6, 8, 10 cm.
    """
    last = int(np.flatnonzero(ticks.there)[-1])
    beside = ticks.writing.widths[:, max(zero, -2) + 2 : last + 1 : 2]
    wide = beside[int(np.argmax((beside > 0).sum(axis=1)))]
    if zero < 0 or len(wide) < 5 or (wide > 0).mean() < COMPARED:
        return None
    digit, later, from_ten = (np.median(part[part > 0]) if part.any() else 0.0 for part in np.split(wide, (4, 9)))
    if later >= TWO_DIGITS[1] * digit > 0:
        return 10.0
    if 0 < later <= TWO_DIGITS[0] * digit and (not from_ten or from_ten >= TWO_DIGITS[1] * digit):
        return 5.0
    return None
