"""How a model does on images that are shifted away from those of the data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from echo_rt.engine import Engine
from echo_rt.errors import DataError
from echo_rt_train.data import VIEWS, DataReport, Sample, read_all
from echo_rt_train.evaluate.first_frame import as_first_frame
from echo_rt_train.evaluate.overlap import confusion, joined_dice
from echo_rt_train.evaluate.shifts import SHIFTS, shifted


@dataclass(frozen=True, eq=False)
class ShiftedImage:
    """One image under every shift.

    Attributes:
        view: of the image.
        dice: (shifts,) of the cavity, at the image's own size.
        usable: (shifts,) whether the frame is called usable.
    """

    view: str
    dice: NDArray[np.float64]
    usable: NDArray[np.bool_]


def measure_shifts(engine: Engine, samples: Sequence[Sample], report: DataReport) -> list[ShiftedImage]:
    """Show every image of an apical view to the engine under each of `SHIFTS`.

    Args:
        engine: an open engine.
        samples: what is read; those without a traced cavity are left out.
        report: where bad images are noted.

    Raises:
        DataError: no sample has a traced cavity, or an image is bad and the report is strict.
    """
    chosen = [sample for sample in samples if sample.view != "other" and 1 in sample.known]
    if not chosen:
        raise DataError(
            f"--shifts: expected images of an apical view with a traced cavity, found none among {len(samples)}; "
            "name another data set"
        )
    pairs = track(read_all(chosen, report), "shifting images", total=len(chosen), transient=True)
    return [_measured(engine, sample, image, mask) for sample, (image, mask) in pairs]


def _measured(engine: Engine, sample: Sample, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> ShiftedImage:
    dice, usable = np.zeros(len(SHIFTS)), np.zeros(len(SHIFTS), bool)
    for column, name in enumerate(SHIFTS):
        # Not the whole path: the figures must not depend on where the data set lies.
        seen, truth = shifted(name, image, mask, Path(sample.name).name)
        segmentation, usable[column] = as_first_frame(engine, seen)
        dice[column] = joined_dice(confusion(segmentation.mask(), truth), (1,))
    return ShiftedImage(sample.view, dice, usable)


def shifts_summary(images: Sequence[ShiftedImage]) -> dict[str, Any]:
    """Mean Dice of the cavity and share of usable frames under each shift.

    Returns:
        ``{"images", "views": {view: images}, "shifts": {name: {"dice", "usable", "views": {view: {"dice",
        "usable"}}}}}``; empty without an image.
    """
    if not images:
        return {}
    of_view = {view: [image for image in images if image.view == view] for view in VIEWS}
    of_view = {view: chosen for view, chosen in of_view.items() if chosen}
    means = {view: _means(chosen) for view, chosen in of_view.items()}
    shifts = {
        name: {**figures, "views": {view: means[view][name] for view in means}}
        for name, figures in _means(images).items()
    }
    return {"images": len(images), "views": {view: len(chosen) for view, chosen in of_view.items()}, "shifts": shifts}


def _means(images: Sequence[ShiftedImage]) -> dict[str, dict[str, float]]:
    dice = np.mean([image.dice for image in images], axis=0)
    usable = np.mean([image.usable for image in images], axis=0)
    return {name: {"dice": float(dice[k]), "usable": float(usable[k])} for k, name in enumerate(SHIFTS)}
