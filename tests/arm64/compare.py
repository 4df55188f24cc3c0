"""Are two machines' results of one recording the same, within the gate between two devices?"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from echo_rt.model import CLASSES
from echo_rt_export.parity import LIMITS, Limits


@dataclass
class Agreement:
    """How far the results of one recording are apart.

    Attributes:
        frames: how many both have.
        dice: of each class, its pixels in all frames together, at the image's size.
        ef_points: of the EF in percent.
        confidence: the largest difference of the expected Dice of a frame.
        apart: of each column of readings.csv the largest difference, as a share of the column's largest value.
        failures: what is not kept, in words.
    """

    frames: int
    dice: dict[str, float]
    ef_points: float
    confidence: float
    apart: dict[str, float]
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        dice = ", ".join(f"{name} {dice:.5f}" for name, dice in self.dice.items())
        sizes = ", ".join(f"{name} {100 * self.apart[name]:.3f} %" for name in ("area_mm2", "volume_ml"))
        return (
            f"{self.frames} frames; Dice {dice}; EF {self.ef_points:.2f} points apart; "
            f"confidence {self.confidence:.4f}; largest difference of {sizes}"
        )


def agreement(one: Path, other: Path, limits: Limits = LIMITS["device"]) -> Agreement:
    """Of the two folders that `echo-rt file --out` wrote for one recording."""
    dice = _dice(*(np.load(folder / "masks.npz")["labels"] for folder in (one, other)))
    first, second = _readings(one), _readings(other)
    ef = [json.loads((folder / "summary.json").read_text())["ef_percent"] for folder in (one, other)]
    ef_points = abs(ef[0] - ef[1]) if None not in ef else 0.0 if ef[0] == ef[1] else math.inf
    confidence = max(abs(float(a["confidence"]) - float(b["confidence"])) for a, b in zip(first, second, strict=True))
    found = Agreement(len(first), dice, ef_points, confidence, _apart(first, second))
    found.failures += [f"Dice of {n} {d:.5f} below {limits.min_dice}" for n, d in dice.items() if d < limits.min_dice]
    if ef_points > limits.max_ef_points:
        found.failures.append(f"EF {ef[0]} and {ef[1]}, more than {limits.max_ef_points} points apart")
    if confidence > limits.max_verdict:
        found.failures.append(f"confidence {confidence:.3f} apart, more than {limits.max_verdict}")
    found.failures += [
        f"frame {a['frame']}: quality {a['quality']} and {b['quality']}"
        for a, b in zip(first, second, strict=True)
        if a["quality"] != b["quality"]
    ]
    return found


def _dice(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    found = {}
    for label, name in enumerate(CLASSES[1:], 1):
        first, second = one == label, other == label
        found[name] = float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))
    return found


def _readings(folder: Path) -> list[dict[str, str]]:
    with (folder / "readings.csv").open(newline="") as rows:
        return [
            {name: value for name, value in row.items() if not name.startswith("time_")} for row in csv.DictReader(rows)
        ]


def _apart(one: list[dict[str, str]], other: list[dict[str, str]]) -> dict[str, float]:
    found = {}
    for name in one[0]:
        pairs = [(a[name], b[name]) for a, b in zip(one, other, strict=True) if a[name] and b[name]]
        try:
            numbers = [(float(a), float(b)) for a, b in pairs]
        except ValueError:  # words
            continue
        largest = max((abs(a) for a, _ in numbers), default=0.0)
        found[name] = max((abs(a - b) for a, b in numbers), default=0.0) / largest if largest else 0.0
    return found
