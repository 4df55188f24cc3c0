"""What the networks of a cross-validation say of the patients and sources that each of them has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from rich.progress import track

from echo_rt.chambers import LeftVentricle
from echo_rt.engine import Engine
from echo_rt.errors import DataError
from echo_rt.model import ContourRule
from echo_rt.segmentation import Segmentation
from echo_rt_train.data import DataSet, Sample, list_negatives, open_data, read_all
from echo_rt_train.evaluate.ejection import Ventricles, expert_segmentation, ventricle
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.evaluate.negatives import Answer, measure_negatives
from echo_rt_train.tune.offsets import shifted


@dataclass(frozen=True)
class Fold:
    """One training of a cross-validation.

    Attributes:
        run: its folder.
        hold_out: which part it did not learn from, as K/N.
    """

    run: Path
    hold_out: str

    @classmethod
    def of(cls, run: Path) -> Fold:
        """That of a run's folder.

        Raises:
            DataError: it is no run, or held nothing out.
        """
        try:
            held = OmegaConf.load(run / "config.yaml").data.hold_out
        except (OSError, AttributeError):
            raise DataError(f"{run}: expected the folder of a training with config.yaml, found another") from None
        if not held:
            raise DataError(f"{run}: expected a training with data.hold_out=K/N, found one that saw every patient")
        return cls(run, str(held))

    def data(self, root: Path, form: str = "auto") -> DataSet:
        """The data set whose ``val`` split the training has not learned from."""
        whole = {"root": root, "format": form, "hold_out": self.hold_out}
        return open_data(whole if form != "negatives" else {**whole, "val_fraction": 0.0})


@dataclass(frozen=True, eq=False)
class Judged:
    """One image that a network has not learned from.

    Attributes:
        sample: the image.
        model, expert: the ventricle by both; None where there is nothing to measure.
        apical, expected_dice: what the heads say.
    """

    sample: Sample
    model: LeftVentricle | None
    expert: LeftVentricle | None
    apical: float
    expected_dice: float


def judge_patients(folds: Sequence[Fold], root: Path, offsets: Sequence[float]) -> list[Judged]:
    """Every training patient's images, each by the network that has not learned from them.

    Args:
        folds: all parts of one cross-validation.
        root: of the data set.
        offsets: of the foreground classes' logits, see `echo_rt_train.tune.offsets`.
    """
    return [
        one
        for fold in folds
        for one in _judge(str(fold.run), fold.data(root), "val", offsets, f"judging {fold.hold_out}")
    ]


def judge_learned(model: str, root: Path, offsets: Sequence[float]) -> list[Judged]:
    """Every training patient's images by the network that has learned from them; else as `judge_patients`."""
    return _judge(model, open_data({"root": root, "format": "auto"}), "train", offsets, "judging what was learned")


def _judge(model: str, data: DataSet, split: str, offsets: Sequence[float], told: str) -> list[Judged]:
    samples = data.samples(split)
    with open_model(model) as engine:
        pairs = track(read_all(samples, data.report), told, len(samples), transient=True)
        return [_judged(engine, sample, image, mask, offsets) for sample, (image, mask) in pairs]


def _judged(
    engine: Engine, sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.uint8], offsets: Sequence[float]
) -> Judged:
    segmentation = engine.segment(image)
    rule: ContourRule = engine.spec.tuning.contour
    model = ventricle(shifted(segmentation, offsets), sample.spacing_mm, rule)
    expert = ventricle(expert_segmentation(mask), sample.spacing_mm)
    return Judged(sample, model, expert, *verdict(segmentation))


def verdict(segmentation: Segmentation) -> tuple[float, float]:
    """Probability of an apical view and expected Dice; 1 where the model has no such head."""
    apical, dice = segmentation.apical, segmentation.confidence
    return 1.0 if apical is None else apical, 1.0 if dice is None else dice


def ventricles(judged: Sequence[Judged]) -> tuple[Ventricles, Ventricles]:
    """The model's and the expert's, by patient, view and phase."""
    keys = [(one.sample.patient, one.sample.view, one.sample.phase) for one in judged]
    return (
        {key: one.model for key, one in zip(keys, judged, strict=True)},
        {key: one.expert for key, one in zip(keys, judged, strict=True)},
    )


def judge_negatives(folds: Sequence[Fold], root: Path, quality: dict[str, float]) -> list[Answer]:
    """Every picture and recording without an apical view, each by the network that has not seen its source.

    Args:
        folds: see `judge_patients`.
        root: folder of format negatives.
        quality: thresholds that replace those of the networks.
    """
    everything = list_negatives(root)
    found: list[Answer] = []
    for fold in folds:
        data = fold.data(root, "negatives")
        held = {sample.patient for sample in data.samples("val")} | {clip.patient for clip in data.clips("val")}
        with open_model(str(fold.run), quality=quality) as engine:
            found += measure_negatives(engine, [one for one in everything if one.source in held], data.report)
    return found
