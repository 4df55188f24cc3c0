"""The gate at the end of every export: do two engines say the same of the same frames?

Both see the same recordings, each with a monitor of its own, as in the product: a temporal model's state, the quality
rules and the beats are part of what is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import Engine
from echo_rt.errors import ModelError
from echo_rt.model import CLASSES
from echo_rt.reading import Reading
from echo_rt.sources import find_recordings, open_source

PHANTOMS = (
    "phantom:?ef=62&hr=75&fps=25&seconds=4&seed=21&variety=0.3",
    "phantom:?ef=45&hr=85&fps=25&seconds=4&seed=22&variety=0.3",
    "phantom:?ef=27&hr=95&fps=25&seconds=4&seed=23&variety=0.3",
)
"""Normal, moderately and severely reduced."""

CALIBRATION_PHANTOMS = (
    "phantom:?ef=65&hr=70&fps=15&seconds=2&seed=31&variety=0.3",
    "phantom:?ef=40&hr=80&fps=15&seconds=2&seed=32&variety=0.3",
    "phantom:?ef=25&hr=95&fps=15&seconds=2&seed=33&variety=0.3",
)
"""What INT8 is calibrated on, beside real frames: other hearts than those that the gate judges by."""


@dataclass(frozen=True)
class Limits:
    """What two engines may differ by.

    Each class's mask has a least Dice. The EF of each recording may differ by so many points at most. So may the
    probability of an apical view and the expected Dice of each frame.
    """

    min_dice: float
    max_ef_points: float
    max_verdict: float


LIMITS = {"fp16": Limits(0.999, 0.2, 0.01), "int8": Limits(0.990, 0.7, 0.05), "device": Limits(0.998, 0.3, 0.02)}
"""FP16 and INT8 against FP32, and one device (TensorRT) against another (ONNX Runtime)."""


@dataclass(frozen=True)
class Parity:
    """How far a candidate is from its reference.

    Attributes:
        reference, candidate: descriptions of the two engines.
        limits: what they may differ by.
        recordings, frames: how many were seen.
        dice: of each class, its pixels in all frames together, on the model's grid.
        worst: recording, index and Dice (all classes together) of the frame that agrees least.
        probability_max, probability_mean: absolute difference of the probabilities.
        verdict_max: difference of what the heads say, ``apical`` and ``confidence``; None without the head.
        size_percent: of ``area`` and ``volume`` the largest difference in a frame in which both measured a ventricle,
            as a share of the reference's; None without one.
        ef: of each recording the EF by both, in percent; None where there is none.
    """

    reference: str
    candidate: str
    limits: Limits
    recordings: int
    frames: int
    dice: dict[str, float]
    worst: dict[str, Any]
    probability_max: float
    probability_mean: float
    verdict_max: dict[str, float | None]
    size_percent: dict[str, float | None]
    ef: list[dict[str, Any]]

    @property
    def ef_points(self) -> float | None:
        """The largest difference of EF in a recording for which both have one."""
        found = [
            abs(row["candidate"] - row["reference"])
            for row in self.ef
            if None not in (row["candidate"], row["reference"])
        ]
        return max(found, default=None)

    @property
    def failures(self) -> list[str]:
        """Each limit that is not kept, in words; empty where the candidate passes."""
        found = [
            f"Dice of {name} {dice:.4f} below {self.limits.min_dice}"
            for name, dice in self.dice.items()
            if not dice >= self.limits.min_dice
        ]
        if self.ef_points is None:
            found.append("no recording for which both have an EF")
        elif self.ef_points > self.limits.max_ef_points:
            found.append(f"EF {self.ef_points:.2f} points apart, more than {self.limits.max_ef_points}")
        found += [
            f"{name} {apart:.3f} apart, more than {self.limits.max_verdict}"
            for name, apart in self.verdict_max.items()
            if apart is not None and not apart <= self.limits.max_verdict
        ]
        found += [
            f"{row['recording']}: an EF by one of the two alone"
            for row in self.ef
            if (row["candidate"] is None) != (row["reference"] is None)
        ]
        return found

    @property
    def ok(self) -> bool:
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "ef_points": self.ef_points, "failures": self.failures, "ok": self.ok}

    def for_spec(self) -> dict[str, Any]:
        """What is kept in the candidate's `ModelSpec`; ``ok`` only where it passed."""
        found: dict[str, Any] = {
            "reference": self.reference,
            "frames": self.frames,
            "dice": {name: round(dice, 5) for name, dice in self.dice.items()},
            "ef_points": None if self.ef_points is None else round(self.ef_points, 3),
            "probability_max": round(self.probability_max, 5),
            "probability_mean": round(self.probability_mean, 7),
            "verdict_max": {n: None if apart is None else round(apart, 4) for n, apart in self.verdict_max.items()},
        }
        return {**found, "ok": True} if self.ok else found


def real_cine() -> str:
    """pydicom's apical four-chamber cine, the recording of a patient that is there on every machine."""
    from pydicom.examples import get_path

    return str(get_path("ybr_color"))


def gate_recordings(frames: Path | None = None) -> list[str]:
    """What the gate judges by: the real cine, `PHANTOMS`, and the recordings in `frames`."""
    return [real_cine(), *PHANTOMS, *_recordings_in(frames)]


def calibration_recordings(frames: Path | None = None) -> list[str]:
    """What INT8 is calibrated on: the real cine, `CALIBRATION_PHANTOMS`, and the recordings in `frames`."""
    return [real_cine(), *CALIBRATION_PHANTOMS, *_recordings_in(frames)]


def _recordings_in(frames: Path | None) -> list[str]:
    return [str(recording) for recording in find_recordings([frames])] if frames is not None else []


def limits_for(reference: Engine, candidate: Engine) -> Limits:
    """The limits for these two: of INT8 where one alone is INT8, of two devices, or of FP16."""
    if (reference.spec.precision == "int8") != (candidate.spec.precision == "int8"):
        return LIMITS["int8"]
    return LIMITS["device" if reference.device != candidate.device else "fp16"]


def compare(reference: Engine, candidate: Engine, recordings: Sequence[str], limits: Limits | None = None) -> Parity:
    """Run both on the same frames.

    Args:
        reference, candidate: open engines of one model; they stay open.
        recordings: what `open_source` takes.
        limits: by default `limits_for` the two.

    Raises:
        ModelError: the two do not speak of the same grid and classes.
        SourceError: a recording cannot be read.
    """
    for name in ("input.height", "input.width", "classes"):
        first, second = (attrgetter(name)(engine.spec) for engine in (reference, candidate))
        if first != second:
            raise ModelError(
                f"expected two files of one model, found {name.removeprefix('input.')} {first} and {second}; "
                "compare a file with its own source"
            )
    tally = _Tally()
    ef = []
    for recording in recordings:
        monitors = Monitor(reference.spec), Monitor(candidate.spec)
        last: list[Reading] = []
        with open_source(recording) as source:
            for frame in source:
                last = [
                    monitor.update(engine.segment(frame.image, monitor.state), frame)
                    for engine, monitor in zip((reference, candidate), monitors, strict=True)
                ]
                tally.add(recording, *last)
        one, other = (_ef_percent(reading, monitor) for reading, monitor in zip(last, monitors, strict=True))
        ef.append({"recording": recording, "reference": one, "candidate": other})
    return Parity(
        reference=reference.description,
        candidate=candidate.description,
        limits=limits or limits_for(reference, candidate),
        recordings=len(recordings),
        frames=tally.frames,
        dice=tally.dice,
        worst=tally.worst,
        probability_max=tally.probability_max,
        probability_mean=tally.probability_sum / max(tally.frames, 1),
        verdict_max=tally.verdict_max,
        size_percent=tally.size_percent,
        ef=ef,
    )


def _ef_percent(reading: Reading, monitor: Monitor) -> float | None:
    """As `echo-rt file` reports it: of the beats, or of the clip's extremes where there is no whole beat."""
    if reading.ef.percent is not None:
        return reading.ef.percent
    extremes = monitor.clip_figures().extremes
    return extremes.ef_percent if extremes is not None else None


class _Tally:
    """What is added up over the frames."""

    def __init__(self) -> None:
        self.frames = 0
        self.worst: dict[str, Any] = {}
        self.probability_max = self.probability_sum = 0.0
        self.verdict_max: dict[str, float | None] = {"apical": None, "confidence": None}
        self.size_percent: dict[str, float | None] = {"area": None, "volume": None}
        self._both = np.zeros(len(CLASSES), np.int64)
        self._sizes = np.zeros(len(CLASSES), np.int64)

    def add(self, recording: str, reference: Reading, candidate: Reading) -> None:
        one, other = reference.segmentation, candidate.segmentation
        both, sizes = _overlap(one.labels, other.labels)
        self.frames += 1
        self._both += both
        self._sizes += sizes
        dice = _dice(int(both[1:].sum()), int(sizes[1:].sum()))
        if not self.worst or dice < self.worst["dice"]:
            self.worst = {"recording": recording, "index": reference.index, "dice": dice}
        difference = np.abs(one.probability - other.probability)
        self.probability_max = max(self.probability_max, float(difference.max()))
        self.probability_sum += float(difference.mean())
        for name, most in self.verdict_max.items():
            said = getattr(one, name), getattr(other, name)
            if None not in said:
                self.verdict_max[name] = max(most or 0.0, abs(said[0] - said[1]))
        if reference.ventricle is not None and candidate.ventricle is not None:
            first, second = reference.ventricle, candidate.ventricle
            for name, most in self.size_percent.items():
                apart = 100 * abs(getattr(second, name) / getattr(first, name) - 1)
                self.size_percent[name] = max(most or 0.0, apart)

    @property
    def dice(self) -> dict[str, float]:
        return {name: _dice(int(self._both[i]), int(self._sizes[i])) for i, name in enumerate(CLASSES) if i}


def _overlap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of each class in both, and in the one plus in the other."""
    labels = np.arange(len(CLASSES))[:, None, None]
    first, second = one == labels, other == labels
    return (first & second).sum((1, 2)), first.sum((1, 2)) + second.sum((1, 2))


def _dice(both: int, sizes: int) -> float:
    """1 where neither has such a pixel: they agree."""
    return 2 * both / sizes if sizes else 1.0
