"""What a phantom draws from its seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def random_stream(seed: int, *purpose: int) -> np.random.Generator:
    """A generator for each purpose: giving one option does not change what is drawn for the others."""
    return np.random.default_rng([seed, *purpose])


@dataclass(frozen=True)
class Chance:
    """Normal draws whose standard deviations are all scaled by `spread`, 0 to 1."""

    rng: np.random.Generator
    spread: float

    def near(self, mean: float, sd: float) -> float:
        """A number at most two standard deviations from the mean."""
        return mean + sd * self.spread * float(np.clip(self.rng.standard_normal(), -2, 2))

    def within(self, mean: float, sd: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return float(np.clip(mean + sd * self.spread * self.rng.standard_normal(), low, high))


def asked(given: float | None, drawn: float) -> float:
    """What was asked for, or what was drawn where nothing was."""
    return drawn if given is None else given
