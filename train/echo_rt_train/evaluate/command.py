"""What `echo-rt evaluate` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_rt.engine import Engine
from echo_rt.errors import ParameterError
from echo_rt_train.data import (
    VIEWS,
    DataReport,
    DataSet,
    Negative,
    PhantomSettings,
    Sample,
    list_negatives,
    open_data,
)
from echo_rt_train.evaluate import ImageFigures, measure, summary
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.evaluate.negatives import measure_negatives, negatives_summary
from echo_rt_train.evaluate.output import refuse_repository
from echo_rt_train.evaluate.recordings import clip_summary, measure_clips
from echo_rt_train.evaluate.robustness import measure_shifts, shifts_summary
from echo_rt_train.evaluate.text import as_text

PHANTOM_FRAMES = 240
"""Of a simulated recording: some beats, where a training is content with a part of one."""


@dataclass(frozen=True)
class DataChoice:
    """Which images of which data set; None for `root` is none, or simulated hearts."""

    root: Path | None = None
    format: str = "auto"
    split: str = "val"
    hold_out: str | None = None

    def open(self) -> DataSet:
        """The data set.

        Raises:
            DataError: it is not as it should be.
        """
        wanted = {"root": self.root, "format": self.format, "views": VIEWS, "hold_out": self.hold_out}
        return open_data({**wanted, "phantom": PhantomSettings(frames=PHANTOM_FRAMES)})


@dataclass(frozen=True)
class Options:
    """Those of `echo-rt evaluate`; its help says what they mean."""

    model: str
    data: DataChoice
    device: str = "auto"
    out: Path | None = None
    worst: int = 12
    clips: int = 0
    negatives: Path | None = None
    shifts: bool = False

    @property
    def negatives_alone(self) -> bool:
        """No data set is measured."""
        return self.negatives is not None and self.data.root is None and self.data.format == "auto"

    def check(self) -> None:
        """Refuse what makes no sense, before minutes of work.

        Raises:
            ParameterError: an option is out of its range or does not go with another, or `out` lies in the repository.
        """
        split, hold_out = self.data.split, self.data.hold_out
        if self.worst < 0:
            raise ParameterError(f"--worst: expected a number of images from 0 up, found {self.worst}")
        if hold_out and split != "val":
            raise ParameterError(
                f"--hold-out: expected no --split beside it, found {split}; it says itself which patients"
            )
        if self.negatives is not None and not self.negatives.is_dir():
            found = "a file" if self.negatives.exists() else "none"
            raise ParameterError(
                f"--negatives {self.negatives}: expected a folder with index.csv, found {found}; name another"
            )
        if self.negatives_alone:
            self._check_alone()
        if self.out is not None:
            refuse_repository(self.out)

    def _check_alone(self) -> None:
        of_data = {
            "--shifts": self.shifts,
            "--clips": self.clips,
            "--hold-out": self.data.hold_out,
            "--out": self.out,
        }
        for name, given in of_data.items():
            if given:
                raise ParameterError(
                    f"{name}: expected a data set, found --negatives alone; give --data FOLDER beside it"
                )


@dataclass(frozen=True)
class Shown:
    """What the model is shown.

    Attributes:
        data: an open data set, or None.
        samples: of the split that is measured.
        negatives: pictures and recordings without an apical view.
        report: where negatives that cannot be read are noted.
    """

    data: DataSet | None
    samples: Sequence[Sample]
    negatives: Sequence[Negative]
    report: DataReport

    @classmethod
    def of(cls, options: Options) -> Shown:
        """Opened; images and recordings are read later.

        Raises:
            DataError: the data are not as they should be.
        """
        data = None if options.negatives_alone else options.data.open()
        samples = data.samples(options.data.split) if data is not None else ()
        negatives = list_negatives(options.negatives) if options.negatives is not None else ()
        return cls(data, samples, negatives, DataReport(str(options.negatives)))

    @property
    def reports(self) -> list[DataReport]:
        """Those that note a problem."""
        return [report for report in (self.data and self.data.report, self.report) if report and report.problems]


def run(options: Options, as_json: bool = False) -> None:
    """Measure a model on a data set, and print the figures.

    Raises:
        ParameterError: see `Options.check`.
        ModelError, DeviceError: the model cannot be run.
        DataError: the data are not as they should be.
        OutputError: the results cannot be written.
    """
    options.check()
    # The data before the model: they are opened in a moment.
    shown = Shown.of(options)
    with open_model(options.model, options.device) as engine:
        figures, description = figures_of(engine, shown, options), engine.description
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    if shown.data is not None:
        description += (
            f", {options.data.split} images of {shown.data.report.origin}, native resolution; "
            "95 % bootstrap intervals by patient in brackets"
        )
    print("\n".join([description, *as_text(figures), *(str(report) for report in shown.reports)]))
    if options.out is not None:
        print(f"plots, tables and worst cases in {options.out}")


def figures_of(engine: Engine, shown: Shown, options: Options) -> dict[str, Any]:
    """All figures that the options ask for; also writes the report where they name a folder.

    Args:
        engine: an open engine.
        shown: what it is shown.
        options: of the command.

    Raises:
        DataError: the data are not as they should be.
        OutputError: the results cannot be written.
    """
    figures: dict[str, Any] = {"model": engine.spec.name}
    images: Sequence[ImageFigures] = ()
    if shown.data is not None:
        images = measure(engine, shown.samples, shown.data.report)
        figures = summary(images, engine.spec.name, engine.spec.tuning)
        figures |= _more_of_data(engine, shown.data, shown.samples, options)
    if shown.negatives:
        figures["negatives"] = negatives_summary(measure_negatives(engine, shown.negatives, shown.report))
        if shown.report.problems:
            figures["negatives"]["left_out"] = shown.report.to_dict()
    if options.out is not None:
        from echo_rt_train.evaluate.report import write_report

        write_report(options.out, engine, images, figures, options.worst)
    return figures


def _more_of_data(engine: Engine, data: DataSet, samples: Sequence[Sample], options: Options) -> dict[str, Any]:
    """What the options ask for beside the figures of every image."""
    figures: dict[str, Any] = {}
    if data.report.problems:
        figures["left_out"] = data.report.to_dict()
    if options.clips:
        clips = data.clips(options.data.split)[: None if options.clips < 0 else options.clips]
        figures["recordings"] = clip_summary(measure_clips(engine, clips, data.report))
    if options.shifts:
        # A report of its own: bad images were noted when they were measured as they are.
        figures["shifts"] = shifts_summary(measure_shifts(engine, samples, DataReport(data.report.origin)))
    return figures
