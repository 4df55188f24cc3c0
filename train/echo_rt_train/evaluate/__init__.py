"""How good a model is, measured through the runtime's own engine at the native resolution of the images.

May import `echo_rt`, `echo_rt_network` and `echo_rt_train.data`, nothing of the training itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from echo_rt.engine import Engine
from echo_rt.errors import DataError
from echo_rt_train.data import DataSet, Sample, open_data
from echo_rt_train.evaluate.agreement import ef_errors, fit_ef_calibration
from echo_rt_train.evaluate.measurement import ImageFigures, PatientFigures, ef_of, measure, summary

__all__ = [
    "ImageFigures",
    "PatientFigures",
    "ef_errors",
    "ef_of",
    "evaluate",
    "fit_ef_calibration",
    "measure",
    "samples_of",
    "summary",
]


Data: TypeAlias = Path | DataSet | Sequence[Sample]
"""The folder of a data set in any of the known forms, one that was opened, or samples of any origin."""


def samples_of(data: Data, split: str) -> Sequence[Sample]:
    """The samples of one split.

    Raises:
        DataError: the data are not as they should be, or the split is empty.
    """
    if isinstance(data, Path):
        data = open_data({"root": data})
    if isinstance(data, DataSet):
        return data.samples(split)
    chosen = [sample for sample in data if sample.split == split]
    if not chosen:
        found = ", ".join(sorted({sample.split for sample in data})) or "no image at all"
        raise DataError(f"data: expected images of split {split!r}, found {found}; name another split")
    return chosen


def evaluate(engine: Engine, data: Data, split: str = "val") -> dict[str, Any]:
    """Overlap and distance of the masks and error of the EF on one split of a data set.

    EF is that of each patient's ED and ES image by the method of disks, against the same method on the expert's masks;
    the biplane one uses the disks of both views. Nothing is left out: where a prediction has no measurable ventricle,
    its EF counts as 0.

    Args:
        engine: an open engine.
        data: what is read; a bad image is left out or an error, as its report says.
        split: ``train``, ``val`` or ``test``.

    Returns:
        See `echo_rt_train.evaluate.measurement.summary`.

    Raises:
        DataError: the data are not as they should be.
    """
    opened = open_data({"root": data}) if isinstance(data, Path) else data
    report = opened.report if isinstance(opened, DataSet) else None
    return summary(measure(engine, samples_of(opened, split), report), engine.spec.name, engine.spec.tuning)
