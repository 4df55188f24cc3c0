"""How regular a rhythm is, by the lengths of its beats."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean

from echo_rt.reading import Beat

JUDGED = 8
"""Last beats, accepted or not, whose lengths tell the rhythm."""

FEWEST = 5
"""Beats that tell the rhythm, and that the mean in an irregular one is made of: Lang et al. (J Am Soc Echocardiogr
28:1-39, 2015) ask for five in atrial fibrillation."""

IRREGULAR_PERCENT = 10.0
"""Standard deviation of the beats' lengths over their mean from which on a rhythm is irregular. In simulated sinus
rhythm it is 2 to 4, in simulated atrial fibrillation 12 to 24."""


class Rhythm:
    """The lengths of the last beats. Feed it every beat."""

    def __init__(self) -> None:
        self._lengths_s: deque[float] = deque(maxlen=JUDGED)

    def reset(self) -> None:
        """Forget all beats."""
        self._lengths_s.clear()

    def update(self, beat: Beat) -> None:
        """Take the next beat, accepted or not."""
        self._lengths_s.append(beat.t_next_ed_s - beat.t_ed_s)

    @property
    def variation_percent(self) -> float | None:
        """Standard deviation of the lengths over their mean; None for fewer than `FEWEST` beats."""
        if len(self._lengths_s) < FEWEST:
            return None
        return 100 * deviation(self._lengths_s) / fmean(self._lengths_s)

    @property
    def irregular(self) -> bool:
        """Whether it varies by more than in sinus rhythm."""
        return is_irregular(self.variation_percent)


def is_irregular(variation_percent: float | None) -> bool:
    """Whether beats whose lengths vary by so much are of an irregular rhythm; where it is not known they are not."""
    return variation_percent is not None and variation_percent >= IRREGULAR_PERCENT


def deviation(numbers: Sequence[float]) -> float:
    """Standard deviation of two or more. That of `statistics` is exact, and takes fifty times as long."""
    mean = fmean(numbers)
    return math.sqrt(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))
