"""What is measured on each image and each patient, and the summary of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from echo_rt.cardiac.atrium_geometry import find_atrium
from echo_rt.cardiac.picture import Picture
from echo_rt.chambers import LeftAtrium, LeftVentricle
from echo_rt.engine import Engine
from echo_rt.model import CLASSES
from echo_rt.model.spec import Tuning
from echo_rt_train.data import VIEWS, DataReport, Sample, read_all
from echo_rt_train.evaluate.agreement import Pairs, ef_agreement
from echo_rt_train.evaluate.bootstrap import by_patient, intervals, mean_of, point
from echo_rt_train.evaluate.ejection import BIPLANE, VIEW_NAMES, ef_pairs, expert_segmentation, ventricle
from echo_rt_train.evaluate.intervals_of_ef import expected_dice_of, interval_figures
from echo_rt_train.evaluate.overlap import FOREGROUND, OVERLAP, confusion, overlap
from echo_rt_train.evaluate.phases import phase_table, structure_dice
from echo_rt_train.evaluate.surface import SURFACE, surface
from echo_rt_train.evaluate.two_stills import Still, StillMeasure, measures_by_stills

COLUMNS = (*OVERLAP, *(f"{name}_mm" for name in SURFACE), *(f"{name}_px" for name in SURFACE))
"""Of `ImageFigures.figures`. A distance stands in the column of its unit; the other one is NaN."""


@dataclass(frozen=True, eq=False)
class ImageFigures:
    """One image, measured.

    Attributes:
        sample: the image.
        figures: (foreground classes, columns), see `COLUMNS`; NaN where undefined, and in classes that the data set
            does not label.
        model, expert: the ventricle, or None where it cannot be measured.
        view: what the model says it sees (A4C, A2C, other), or None where it says nothing.
        expected_dice: of the cavity, by the model itself, or None.
        model_atrium, expert_atrium: the left atrium, or None where there is none below the ventricle.
    """

    sample: Sample
    figures: NDArray[np.float64]
    structures: NDArray[np.float64]
    model: LeftVentricle | None
    expert: LeftVentricle | None
    view: str | None
    expected_dice: float | None = None
    model_atrium: LeftAtrium | None = None
    expert_atrium: LeftAtrium | None = None


@dataclass(frozen=True, eq=False)
class PatientFigures:
    """EF of all patients by one method: ``name`` is a view or "biplane"; ``pairs`` (patients, 2), model (NaN if not
    measured), expert."""

    name: str
    patients: list[str]
    pairs: Pairs
    no_reference: int


def measure(engine: Engine, samples: Sequence[Sample], report: DataReport | None = None) -> list[ImageFigures]:
    """Run the engine on every image and compare with the expert's mask, at the image's native resolution.

    Args:
        engine: an open engine.
        samples: what is read.
        report: where bad images are noted that are left out; without it, or where it is strict, they are an error.

    Raises:
        DataError: an image or mask is not as it should be.
    """
    pairs = read_all(samples, report if report is not None else DataReport("data", strict=True))
    shown = track(pairs, "evaluating", total=len(samples), transient=True)
    return [_measured(engine, sample, image, truth) for sample, (image, truth) in shown]


def _measured(engine: Engine, sample: Sample, image: NDArray[np.uint8], truth: NDArray[np.uint8]) -> ImageFigures:
    segmentation = engine.segment(image)
    found = segmentation.mask()
    figures = np.full((len(FOREGROUND), len(COLUMNS)), np.nan)
    counts = confusion(found, truth)
    figures[:, : len(OVERLAP)] = overlap(counts)
    start = len(OVERLAP) if sample.spacing_mm else len(OVERLAP) + len(SURFACE)
    for row, label in enumerate(range(1, len(CLASSES))):
        figures[row, start : start + len(SURFACE)] = surface(
            found == label, truth == label, sample.spacing_mm or (1.0, 1.0)
        )
    # A data set that traces the cavity alone says nothing about the wall; that is no error of the model.
    figures[[label - 1 for label in range(1, len(CLASSES)) if label not in sample.known]] = np.nan
    model = ventricle(segmentation, sample.spacing_mm, engine.spec.tuning.contour)
    traced = expert_segmentation(truth)
    expert = ventricle(traced, sample.spacing_mm)
    picture, least = Picture.of(image), engine.spec.tuning.quality["min_atrium_confidence"]
    return ImageFigures(
        sample,
        figures,
        structure_dice(counts, sample.known),
        model,
        expert,
        segmentation.view,
        segmentation.confidence,
        find_atrium(segmentation, model, picture, sample.spacing_mm, least) if model is not None else None,
        find_atrium(traced, expert, picture, sample.spacing_mm) if expert is not None else None,
    )


def ef_of(images: Sequence[ImageFigures]) -> list[PatientFigures]:
    """EF of every patient in each view, and biplane.

    A patient whose EF cannot be measured on the expert's masks has no reference: left out, and counted.
    """
    model, expert = (
        {(i.sample.patient, i.sample.view, i.sample.phase): getattr(i, who) for i in images}
        for who in ("model", "expert")
    )
    methods = [(view, (view,)) for view in _views(images)] + [("biplane", BIPLANE)]
    found = []
    for name, views in methods:
        patients, pairs = ef_pairs(model, expert, views)
        known = np.isfinite(pairs[:, 1])
        kept = [patient for patient, k in zip(patients, known, strict=True) if k]
        found.append(PatientFigures(name, kept, pairs[known], int((~known).sum())))
    return found


def measures_of(images: Sequence[ImageFigures]) -> list[StillMeasure]:
    """The further measures of every patient at ED and ES, in each view, and the mean strain of both."""
    model, expert = {}, {}
    for image in images:
        sample = image.sample
        key = sample.patient, sample.view, sample.phase
        model[key] = Still(image.model, image.model_atrium, sample.spacing_mm)
        expert[key] = Still(image.expert, image.expert_atrium, sample.spacing_mm)
    return measures_by_stills(model, expert)


def summary(images: Sequence[ImageFigures], model: str, tuning: Tuning | None = None) -> dict[str, Any]:
    """All figures with their 95 % intervals: what `echo-rt evaluate --json` prints.

    Args:
        images: of `measure`.
        model: its name.
        tuning: of the model's spec. With a calibration there is an ``ef_calibrated`` beside the ``ef`` of a view, with
            an interval its coverage and width, see `interval_figures`.

    Returns:
        ``{"model", "views": {view: {"images", "classes": {name: {"dice", ..., "ci": {...}}}, "ef": {...}, "measures":
        {...}}}, "biplane": {"ef": {...}, "measures": {...}}, "dice_by_phase": {...}}``, the last as `phase_table` gives
        it, and the measures as `StillMeasure.to_dict` does. Class figures are means over images; distances in mm where
        the scale of the image is known (``hd95_mm``), in pixels otherwise (``hd95_px``), with the number of images of
        each kind and of those without a distance in ``distances``. Where the model names the view there is
        ``view_accuracy`` in each view and over all.
    """
    views: dict[str, Any] = {}
    for view in _views(images):
        of_view = [i for i in images if i.sample.view == view]
        classes = {name: _class_figures(of_view, row) for row, name in enumerate(FOREGROUND)}
        views[view] = {"images": len(of_view), "patients": len({i.sample.patient for i in of_view}), "classes": classes}
        views[view].update(_view_accuracy(of_view))
    found: dict[str, Any] = {"model": model, "views": views, "biplane": {}, **_view_accuracy(images)}
    dice = np.array([i.structures for i in images])
    found["dice_by_phase"] = phase_table([i.sample.view for i in images], [i.sample.phase for i in images], dice)
    for method in ef_of(images):
        place = found["biplane"] if method.name == "biplane" else views[method.name]
        place["ef"] = {**ef_agreement(method.pairs), "no_reference": method.no_reference}
        place.update(_tuned(method, images, tuning or Tuning()))
    for one in measures_of(images):
        place = found["biplane"] if one.method == "biplane" else views[one.method]
        place.setdefault("measures", {})[one.name] = one.to_dict()
    return found


def _tuned(method: PatientFigures, images: Sequence[ImageFigures], tuning: Tuning) -> dict[str, Any]:
    """The EF as the runtime gives it, and its interval."""
    found: dict[str, Any] = {}
    view = VIEW_NAMES.get(method.name, method.name)
    # As in the runtime: the lines are of single planes.
    line = tuning.calibration(view) if method.name != "biplane" else None
    pairs = method.pairs
    if line is not None:
        found["ef_calibrated"] = {**ef_agreement(pairs, line), "slope": line[0], "offset": line[1]}
        pairs = np.stack([line[0] * pairs[:, 0] + line[1], pairs[:, 1]], axis=1)
    views = BIPLANE if method.name == "biplane" else (method.name,)
    if tuning.interval is not None:
        said: dict[str, list[float | None]] = {}
        for image in images:
            if image.sample.view in views:
                said.setdefault(image.sample.patient, []).append(image.expected_dice)
        dice = [expected_dice_of(said[patient]) for patient in method.patients]
        if figures := interval_figures(tuning.interval, view, pairs, dice):
            found["interval"] = figures
    return found


def _views(images: Sequence[ImageFigures]) -> list[str]:
    """Those that there are, the four-chamber view first."""
    return [view for view in VIEWS if any(image.sample.view == view for image in images)]


def _class_figures(images: Sequence[ImageFigures], row: int) -> dict[str, Any]:
    rows = np.array([i.figures[row] for i in images])
    prepare, figures = mean_of(COLUMNS)
    sums = by_patient([i.sample.patient for i in images], prepare(rows))
    mm, px = (np.isfinite(rows[:, COLUMNS.index(name)]).sum() for name in ("hd95_mm", "hd95_px"))
    labelled = np.isfinite(rows[:, 0]).sum()
    distances = {"mm": int(mm), "px": int(px), "undefined": int(labelled - mm - px)}
    return {**point(sums, figures), "distances": distances, "ci": intervals(sums, figures)}


def _view_accuracy(images: Sequence[ImageFigures]) -> dict[str, Any]:
    told = [i for i in images if i.view is not None]
    if not told:
        return {}
    right = np.array([[i.view in (i.sample.view, VIEW_NAMES.get(i.sample.view))] for i in told], np.float64)
    prepare, figures = mean_of(("view_accuracy",))
    sums = by_patient([i.sample.patient for i in told], prepare(right))
    return {**point(sums, figures), "view_accuracy_ci": intervals(sums, figures)["view_accuracy"]}
