"""How good a model is, measured through the runtime's own engine at the native resolution of the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from echo_rt.cardiac.geometry import LongAxis, disks_volume, find_ventricle, outline
from echo_rt.engine import Engine
from echo_rt.model import CLASSES
from echo_rt.segmentation import GridMap, Segmentation
from echo_rt_train.data import read_index

FOREGROUND = CLASSES[1:]


def evaluate(engine: Engine, root: Path, split: str) -> dict[str, Any]:
    """Overlap of the masks and error of the EF on one split of a data set.

    EF is that of each patient's ED and ES image by the method of disks, against the same method on the expert's masks; the biplane
    one uses the disks of both views. Nothing is left out: where a prediction has no measurable ventricle, its EF counts as 0.

    Args:
        engine: an open engine.
        root: a data folder, see `echo_rt_train.data.read_index`.
        split: ``train`` or ``val``.

    Returns:
        ``{"model", "views": {view: {"images", "classes": {...}, "ef": {...}}}, "biplane": {"ef": {...}}}``; Dice and IoU are means
        over images, EF errors in points.
    """
    samples = [s for s in read_index(root) if s.split == split]
    overlap: dict[str, list[NDArray[np.float64]]] = {}
    shapes: dict[tuple[str, str, str], tuple[LongAxis | None, LongAxis | None]] = {}
    for sample in track(samples, f"evaluating {split}", transient=True):
        image, truth = sample.read()
        segmentation = engine.segment(image)
        overlap.setdefault(sample.view, []).append(_overlap(segmentation.mask(), truth))
        expert = Segmentation(_one_hot(truth), truth, GridMap.letterbox(segmentation.map.image, segmentation.map.image))
        shapes[sample.patient, sample.view, sample.phase] = (_shape(segmentation), _shape(expert))
    views = {view: {"images": len(rows), "classes": _classes(rows), "ef": ef_errors(_ef(shapes, [view]))} for view, rows in overlap.items()}
    return {"model": engine.spec.name, "views": views, "biplane": {"ef": ef_errors(_ef(shapes, sorted(overlap)))}}


def _overlap(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(classes, 2): Dice and IoU of each foreground class; 1 where neither has it."""
    rows = []
    for label in range(1, len(CLASSES)):
        a, b = found == label, truth == label
        both, total = float((a & b).sum()), float(a.sum() + b.sum())
        rows.append((2 * both / total, both / (total - both)) if total else (1.0, 1.0))
    return np.array(rows)


def _classes(rows: Sequence[NDArray[np.float64]]) -> dict[str, dict[str, float]]:
    mean = np.mean(rows, axis=0)
    return {name: {"dice": float(dice), "iou": float(iou)} for name, (dice, iou) in zip(FOREGROUND, mean, strict=True)}


def _one_hot(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (np.arange(len(CLASSES))[:, None, None] == mask).astype(np.float32)


def _shape(segmentation: Segmentation) -> LongAxis | None:
    border = outline(segmentation)
    # Pixels are square in all data sets and the scale cancels out of EF.
    ventricle = find_ventricle(segmentation, border, None) if border is not None else None
    return LongAxis.of(ventricle.contour) if ventricle is not None else None


def _ef(shapes: dict[tuple[str, str, str], tuple[LongAxis | None, LongAxis | None]], views: Sequence[str]) -> NDArray[np.float64]:
    """(patients, 2): EF by the model and by the expert, of all patients who have ED and ES in all the views."""
    patients = sorted({patient for patient, _, _ in shapes})
    whole = [p for p in patients if all((p, view, phase) in shapes for view in views for phase in ("ED", "ES"))]
    return np.array([[_patient_ef([[shapes[p, v, phase][who] for v in views] for phase in ("ED", "ES")]) for who in (0, 1)] for p in whole])


def _patient_ef(phases: Sequence[Sequence[LongAxis | None]]) -> float:
    """From the shapes of ED and ES, each in one or two views; 0 where a shape is missing."""
    volumes = []
    for shapes in phases:
        if any(shape is None for shape in shapes):
            return 0.0
        known = [shape for shape in shapes if shape is not None]
        # The last view's length is used (4CH sorts after 2CH): the two may differ in their unknown scale, which is the same at
        # ED and ES and so cancels out.
        volumes.append(disks_volume(known[0].diameters(), known[-1].diameters(), known[-1].length))
    return 100 * (volumes[0] - volumes[1]) / volumes[0]


def ef_errors(pairs: NDArray[np.float64]) -> dict[str, float | int | None]:
    """Agreement of two columns of EF, the second being the reference.

    Returns:
        ``patients``; in points ``mae``, ``bias`` (mean of model - expert), ``sd`` of that difference (n - 1), ``rmse``; ``r2``, the
        coefficient of determination 1 - SS_res / SS_tot; ``r``, Pearson's. None where the patients are too few for a figure.
    """
    found, truth = pairs.reshape(-1, 2).T
    error = found - truth
    some, several = len(error) > 0, len(error) > 1 and truth.std() > 0
    return {
        "patients": len(error),
        "mae": float(np.abs(error).mean()) if some else None,
        "bias": float(error.mean()) if some else None,
        "sd": float(error.std(ddof=1)) if several else None,
        "rmse": float(np.sqrt((error**2).mean())) if some else None,
        "r2": float(1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum()) if several else None,
        "r": float(np.corrcoef(found, truth)[0, 1]) if several and found.std() > 0 else None,
    }
