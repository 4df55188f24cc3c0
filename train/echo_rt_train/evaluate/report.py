"""The folder of `echo-rt evaluate --out`: figures, tables, plots, and the worst cases."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_rt.engine import Engine
from echo_rt_train.evaluate.measurement import COLUMNS, ImageFigures, ef_of, measures_of
from echo_rt_train.evaluate.output import whole_folder
from echo_rt_train.evaluate.overlap import FOREGROUND
from echo_rt_train.evaluate.plots import plot_agreement, plot_measures
from echo_rt_train.evaluate.two_stills import StillMeasure
from echo_rt_train.evaluate.worst import draw_worst


def write_report(
    out: Path, engine: Engine, images: Sequence[ImageFigures], figures: Mapping[str, Any], worst: int
) -> None:
    """Write ``evaluation.json``, ``images.csv`` (a row an image), ``patients.csv`` (a row a patient and method),
    ``measures.csv`` (a row a patient and measure), ``ef_METHOD.png``, ``measures_METHOD.png`` and ``worst/``, all of
    them or none.

    Args:
        out: the folder, outside of the repository.
        engine: still open; it segments the worst cases again.
        images, figures: of `measure` and `summary`.
        worst: how many cases are drawn.

    Raises:
        ParameterError: `out` lies in the repository.
        OutputError: it cannot be written.
    """
    with whole_folder(out) as folder:
        (folder / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        _write_images(folder / "images.csv", images)
        _write_patients(folder / "patients.csv", images)
        for method in ef_of(images):
            if len(method.pairs):
                of_method = figures["biplane"] if method.name == "biplane" else figures["views"][method.name]
                views = method.name if method.name == "biplane" else f"{method.name} alone"
                title = f"{engine.spec.name}, EF by the method of disks, {views}"
                plot_agreement(folder / f"ef_{method.name}.png", title, method.pairs, of_method["ef"])
        measures = measures_of(images)
        _write_measures(folder / "measures.csv", measures)
        for name in dict.fromkeys(one.method for one in measures):
            known = [one for one in measures if one.method == name and len(one.pairs)]
            if known:
                of_method = figures["biplane"] if name == "biplane" else figures["views"][name]
                title = f"{engine.spec.name}, at ED and ES, {name}"
                plot_measures(folder / f"measures_{name}.png", title, known, of_method["measures"])
        if worst:
            draw_worst(folder / "worst", engine, images, worst)


def _write_images(path: Path, images: Sequence[ImageFigures]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        names = [f"{name}_{column}" for name in FOREGROUND for column in COLUMNS]
        writer.writerow(["patient", "view", "phase", "file", "view_found", *names])
        for image in images:
            sample = image.sample
            row = [sample.patient, sample.view, sample.phase, Path(sample.name).name, image.view or ""]
            writer.writerow([*row, *(_cell(x) for x in image.figures.ravel())])


def _write_patients(path: Path, images: Sequence[ImageFigures]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient", "method", "ef_model_percent", "ef_expert_percent", "difference_points"])
        for method in ef_of(images):
            for patient, (model, expert) in zip(method.patients, method.pairs, strict=True):
                writer.writerow([patient, method.name, _cell(model), _cell(expert), _cell(model - expert)])


def _write_measures(path: Path, measures: Sequence[StillMeasure]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient", "method", "measure", "model", "expert", "difference", "reason"])
        for one in measures:
            for patient, *values in one.rows:
                numbers = [math.nan if isinstance(value, str) else value for value in values]
                # The expert's reason first: without a reference there is nothing to compare.
                reason = next((value for value in reversed(values) if isinstance(value, str)), "")
                cells = [_cell(number) for number in (*numbers, numbers[0] - numbers[1])]
                writer.writerow([patient, one.method, one.name, *cells, reason])


def _cell(number: float) -> str:
    """Empty where there is none: tables read NaN in many ways."""
    return f"{number:.6g}" if math.isfinite(number) else ""
