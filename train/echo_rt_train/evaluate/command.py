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
from echo_rt_train.data import VIEWS, DataSet, PhantomSettings, Sample, open_data
from echo_rt_train.evaluate import calibrate, measure, summary
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.evaluate.offsets import fit_offsets
from echo_rt_train.evaluate.output import refuse_repository
from echo_rt_train.evaluate.recordings import clip_summary, measure_clips
from echo_rt_train.evaluate.text import as_text

PHANTOM_FRAMES = 240
"""Of a simulated recording: some beats, where a training is content with a part of one."""


@dataclass(frozen=True)
class Options:
    """Those of `echo-rt evaluate`; its help says what they mean."""

    model: str
    data: Path | None
    format: str = "auto"
    split: str = "val"
    hold_out: str | None = None
    device: str = "auto"
    out: Path | None = None
    worst: int = 12
    clips: int = 0
    fit_calibration: bool = False
    fit_offsets: bool = False

    def check(self) -> None:
        """Refuse what makes no sense, before minutes of work.

        Raises:
            ParameterError: an option is out of its range or does not go with another, or `out` lies in the repository.
        """
        if self.worst < 0:
            raise ParameterError(f"--worst: expected a number of images from 0 up, found {self.worst}")
        if self.fit_calibration and self.split != "train":
            raise ParameterError(
                f"--fit-calibration: expected --split train, found {self.split}; "
                "a line fitted to other patients would flatter the model"
            )
        if self.fit_offsets and not self.hold_out:
            raise ParameterError(
                "--fit-offsets: expected --hold-out K/N, found none; "
                "patients that were learned from would say too little"
            )
        if self.hold_out and self.split != "val":
            raise ParameterError(
                f"--hold-out: expected no --split beside it, found {self.split}; it says itself which patients"
            )
        if self.out is not None:
            refuse_repository(self.out)


def run(options: Options, as_json: bool = False) -> None:
    """Measure a model on a data set, and print the figures.

    Raises:
        ParameterError: see `Options.check`.
        ModelError, DeviceError: the model cannot be run.
        DataError: the data are not as they should be.
        OutputError: the results cannot be written.
    """
    options.check()
    wanted = {"root": options.data, "format": options.format, "views": VIEWS, "hold_out": options.hold_out}
    # The data before the model: they are opened in a moment.
    data = open_data({**wanted, "phantom": PhantomSettings(frames=PHANTOM_FRAMES)})
    samples = data.samples(options.split)
    with open_model(options.model, options.device) as engine:
        figures, description = figures_of(engine, data, samples, options), engine.description
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    print(
        f"{description}, {options.split} images of {data.report.origin}, native resolution; "
        "95 % bootstrap intervals by patient in brackets"
    )
    print("\n".join(as_text(figures)))
    if data.report.problems:
        print(data.report)
    if options.out is not None:
        print(f"plots, tables and worst cases in {options.out}")


def figures_of(engine: Engine, data: DataSet, samples: Sequence[Sample], options: Options) -> dict[str, Any]:
    """All figures that the options ask for; also writes the report where they name a folder.

    Args:
        engine: an open engine.
        data: an open data set.
        samples: of the split that is measured.
        options: of the command.

    Raises:
        DataError: the data are not as they should be.
        OutputError: the results cannot be written.
    """
    images = measure(engine, samples, data.report)
    figures = summary(images, engine.spec.name, engine.spec.ef_calibration)
    if data.report.problems:
        figures["left_out"] = data.report.to_dict()
    if options.clips:
        clips = data.clips(options.split)[: None if options.clips < 0 else options.clips]
        figures["recordings"] = clip_summary(measure_clips(engine, clips, data.report))
    if options.fit_calibration:
        slope, offset = calibrate(images)
        figures["ef_calibration"] = {"slope": slope, "offset": offset, "view": "4CH"}
    if options.fit_offsets:
        figures["class_offsets"] = {**fit_offsets(engine, samples, data.report), "hold_out": options.hold_out}
    if options.out is not None:
        from echo_rt_train.evaluate.report import write_report

        write_report(options.out, engine, images, figures, options.worst)
    return figures
