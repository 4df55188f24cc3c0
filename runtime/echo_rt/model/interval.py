"""How far a model's EF may be from an expert's, for one patient: a rule that its file brings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from echo_rt.checked import Between

DICE_RANGE = (0.5, 0.99)
"""Expected Dice between which the rule was fitted; beyond them it goes on as at its end."""

Exponent = Annotated[float, Between(-20, 20)]
Points = Annotated[float, Between(0, 100)]

Z_95 = 1.96
"""Half-width of a 95 % interval over the standard error."""


@dataclass(frozen=True)
class IntervalRule:
    """Half of the 95 % interval in points of EF: exp(a + per_logit x logit(expected Dice) + per_ef x EF / 100).

    EF is 1 - ESV/EDV. An error of the volumes in percent moves it by (1 - EF) times as much, so a low EF errs by more
    points (propagation of errors, JCGM 100:2008, 5.1.2). How much in fact is fitted, as the other factors are.

    Fitted on patients that the network has not learned from, so that the interval holds the expert's EF in 95 % of
    them: split conformal prediction with normalised residuals (Lei et al., J Am Stat Assoc 113:1094-1111, 2018).

    Attributes:
        a4c, a2c, biplane: a, by view.
        per_logit: at most 0, since the error is smaller where the model expects to draw well.
        per_ef: at most 0.
        least_points, most_points: between which the half-width stays.
    """

    a4c: Exponent = 2.7
    a2c: Exponent = 2.8
    biplane: Exponent = 2.5
    per_logit: Exponent = 0.0
    per_ef: Exponent = 0.0
    least_points: Points = 3.0
    most_points: Points = 25.0

    def half_points(self, view: str, expected_dice: float, ef_percent: float) -> float:
        """Half-width in points.

        Args:
            view: ``A4C``, ``A2C`` or ``biplane``.
            expected_dice: of the cavity, mean over the frames, 0 to 1.
            ef_percent: that the interval is of; below 0 and above 100 it counts as 0 and 100.
        """
        start = {"A2C": self.a2c, "biplane": self.biplane}.get(view, self.a4c)
        dice = min(max(expected_dice, DICE_RANGE[0]), DICE_RANGE[1])
        ejected = min(max(ef_percent / 100, 0.0), 1.0)
        half = math.exp(start + self.per_logit * math.log(dice / (1 - dice)) + self.per_ef * ejected)
        return min(max(half, self.least_points), self.most_points)

    def error_points(self, view: str, expected_dice: float, ef_percent: float) -> float:
        """The same as a standard error."""
        return self.half_points(view, expected_dice, ef_percent) / Z_95
