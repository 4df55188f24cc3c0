"""`echo-rt evaluate`: its options, and the figures as text."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from echo_rt.engine import Engine, open_engine
from echo_rt.errors import ParameterError
from echo_rt_network.run_folder import names_weights, weights_in
from echo_rt_train.data import VIEWS, PhantomSettings, open_data
from echo_rt_train.evaluate import calibrate, measure, samples_of, summary
from echo_rt_train.evaluate.offsets import fit_offsets
from echo_rt_train.evaluate.output import refuse_repository
from echo_rt_train.evaluate.recordings import clip_summary, measure_clips

PHANTOM_FRAMES = 240
"""Of a simulated recording: some beats, where a training is content with a part of one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `echo-rt evaluate`."""
    parser.add_argument(
        "model", help="the folder of a run, its weights.safetensors, an .onnx file, or a shipped model's name"
    )
    parser.add_argument("--data", type=Path, help="the folder of a data set; not needed for --format phantom")
    parser.add_argument(
        "--format", default="auto", help="of the data set, where the folder does not tell: a name in data.format"
    )
    parser.add_argument("--split", default="val", help="which patients: train, val or test (default: val)")
    parser.add_argument(
        "--hold-out", metavar="K/N", help="measure on the patients that data.hold_out=K/N kept out of the training"
    )
    parser.add_argument("--device", default="auto", help="where the network runs; see `echo-rt doctor`")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--out", type=Path, help="a folder, outside of the repository, for plots, tables and the worst cases"
    )
    parser.add_argument(
        "--worst", type=int, default=12, help="how many of the worst cases are drawn into --out (default: 12)"
    )
    parser.add_argument(
        "--clips",
        type=int,
        default=0,
        metavar="N",
        help="also run N whole recordings through engine and monitor; -1: all",
    )
    parser.add_argument("--fit-calibration", action="store_true", help="fit the EF calibration; needs --split train")
    parser.add_argument(
        "--fit-offsets", action="store_true", help="fit the offsets of the classes' logits; needs --hold-out"
    )


def main(given: argparse.Namespace) -> None:
    """Measure a model on a data set, through the engine that the product runs.

    Raises:
        ParameterError: an option is out of its range, or `--out` lies in the repository.
        ModelError, DeviceError: the model cannot be run.
        DataError: the data are not as they should be.
        OutputError: the results cannot be written.
    """
    if given.worst < 0:
        raise ParameterError(f"--worst: expected a number of images from 0 up, found {given.worst}")
    if given.fit_calibration and given.split != "train":
        raise ParameterError(
            f"--fit-calibration: expected --split train, found {given.split}; a line fitted to other patients would flatter the model"
        )
    if given.fit_offsets and not given.hold_out:
        raise ParameterError(
            "--fit-offsets: expected --hold-out K/N, found none; patients that were learned from would say too little"
        )
    if given.hold_out and given.split != "val":
        raise ParameterError(
            f"--hold-out: expected no --split beside it, found {given.split}; it says itself which patients"
        )
    if given.out is not None:
        refuse_repository(given.out)  # before minutes of work
    # The data, too, before the model: they are opened in a moment.
    phantom = PhantomSettings(frames=PHANTOM_FRAMES)
    data = open_data(
        {"root": given.data, "format": given.format, "views": VIEWS, "hold_out": given.hold_out, "phantom": phantom}
    )
    samples = samples_of(data, given.split)
    with open_model(given.model, given.device) as engine:
        images = measure(engine, samples, data.report)
        figures = summary(images, engine.spec.name, engine.spec.ef_calibration)
        if data.report.problems:
            figures["left_out"] = data.report.to_dict()
        if given.clips:
            clips = data.clips(given.split)
            figures["recordings"] = clip_summary(
                measure_clips(engine, clips[: None if given.clips < 0 else given.clips], data.report)
            )
        if given.fit_calibration:
            slope, offset = calibrate(images)
            figures["ef_calibration"] = {"slope": slope, "offset": offset, "view": "4CH"}
        if given.fit_offsets:
            figures["class_offsets"] = {**fit_offsets(engine, samples, data.report), "hold_out": given.hold_out}
        if given.out is not None:
            from echo_rt_train.evaluate.report import write_report

            write_report(given.out, engine, images, figures, given.worst)
        description = engine.description
    if given.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    print(
        f"{description}, {given.split} images of {data.report.origin}, native resolution; 95 % bootstrap intervals by patient in brackets"
    )
    print("\n".join(as_text(figures)))
    if data.report.problems:
        print(data.report)
    if given.out is not None:
        print(f"plots, tables and worst cases in {given.out}")


@contextmanager
def open_model(model: str, device: str = "auto") -> Iterator[Engine]:
    """An engine for a shipped model, an .onnx file, or weights, which are exported first, so that what is measured is
    what would run.

    Raises:
        ModelError, DeviceError, DataError: see `open_engine` and `load_weights`.
    """
    if not names_weights(model):
        with open_engine(model, device) as engine:
            yield engine
        return
    from echo_rt_network.onnx_file import write_onnx
    from echo_rt_network.weights import load_weights

    with tempfile.TemporaryDirectory(prefix="echo-rt-") as folder:
        target = Path(folder) / "model.onnx"
        write_onnx(*load_weights(weights_in(model)), target)
        with open_engine(target, device) as engine:
            yield engine


def as_text(figures: Mapping[str, Any]) -> Iterator[str]:
    """A line a class and a line an EF, of what `summary` gives."""
    for view, found in figures["views"].items():
        yield f"{view}, {found['images']} images of {found['patients']} patients"
        for name, of_class in found["classes"].items():
            yield "  " + _class_line(name, of_class)
        if found.get("view_accuracy") is not None:
            yield f"  view named rightly {_number(found['view_accuracy'], 3)} {_interval(found['view_accuracy_ci'], 3)}"
    for view, found in [*figures["views"].items(), ("biplane", figures["biplane"])]:
        for key, name in (("ef", "EF"), ("ef_calibrated", "EF calibrated")):
            if key in found:
                yield _ef_line(view, name, found[key])
    yield from _recording_lines(figures.get("recordings", {}))
    if "ef_calibration" in figures:
        fit = figures["ef_calibration"]
        yield f"EF calibration fitted on {fit['view']}: EF = {fit['slope']:.4f} x EF {fit['offset']:+.3f}"
    if "class_offsets" in figures:
        fit = figures["class_offsets"]
        for name, offset in fit["logits"].items():
            yield f"offset of {name:<12} {offset:+.1f}  Dice {fit['dice_before'][name]:.4f} -> {fit['dice'][name]:.4f} ({fit['view']})"


def _class_line(name: str, found: Mapping[str, Any]) -> str:
    parts = [f"{name:<12} Dice {_number(found['dice'], 4)} {_interval(found['ci']['dice'], 4)}"]
    parts += [
        f"{label} {_number(found[key], 3)}"
        for key, label in (("iou", "IoU"), ("precision", "precision"), ("recall", "recall"))
    ]
    for unit in ("mm", "px"):
        if found["distances"][unit]:
            scale = "" if unit == "mm" else " (scale unknown)"
            parts.append(
                f"HD95 {_number(found[f'hd95_{unit}'], 2)} {unit}  mean distance {_number(found[f'msd_{unit}'], 2)} {unit}{scale}"
            )
    if found["distances"]["undefined"]:
        parts.append(f"{found['distances']['undefined']} without a distance, as one mask is empty")
    return "  ".join(parts)


def _recording_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found:
        yield f"{found['clips']} whole recordings"
    if "jitter_percent_edv" in found:
        ci = found["ci"]
        yield f"  frame-to-frame jitter {_number(found['jitter_percent_edv'], 2)} {_interval(ci['jitter_percent_edv'], 2)} % of EDV"
        for name in ("ed", "es"):
            late = f"{name}_late_ms"
            yield f"  {name.upper()} late by {_number(found[late], 0)} {_interval(ci[late], 0)} ms"
        yield f"  {found['beats_found']} of {found['beats']} beats found"
    for key, name in (("ef", "EF by masks"), ("ef_table", "EF by table")):
        if key in found:
            yield "  " + _ef_line("clips", name, found[key])


def _ef_line(view: str, name: str, found: Mapping[str, Any]) -> str:
    if not found["patients"]:
        return f"{view:<8} {name:<13} no patient with a measurable ED and ES"
    parts = [f"{view:<8} {name:<13} MAE {_number(found['mae'], 2)} {_interval(found['ci']['mae'], 1)}"]
    parts += [f"bias {_number(found['bias'], 2, '+')} ± {_number(found['sd'], 2)}", f"RMSE {_number(found['rmse'], 2)}"]
    parts += [f"r {_number(found['r'], 3)}", f"R² {_number(found['r2'], 3)}", f"{found['patients']} patients"]
    if found["not_measured"]:
        parts.append(f"{found['not_measured']} not measured, counted as 0")
    if found.get("no_reference"):
        parts.append(f"{found['no_reference']} left out, not measurable on the expert's masks")
    return "  ".join(parts)


def _number(number: float | None, digits: int, sign: str = "") -> str:
    return "-" if number is None else f"{number:{sign}.{digits}f}"


def _interval(interval: list[float] | None, digits: int) -> str:
    return "[-]" if interval is None else f"[{interval[0]:.{digits}f} to {interval[1]:.{digits}f}]"
