"""`echo-rt bench`."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from echo_rt.errors import ParameterError


def bench(
    model: Annotated[
        str, typer.Option(help="A shipped model's name, with or without a precision, or an .onnx file.")
    ] = "lv-edge",
    device: Annotated[str, typer.Option(help="One device, or all that can be used here.")] = "all",
    precision: Annotated[
        str | None, typer.Option(help="fp32, fp16 or int8 of a shipped model; by default what each device takes.")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=20, help="Frames of each run.")] = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="Of a frame in pixels.")] = "600x800",
    quick: Annotated[bool, typer.Option("--quick", help="All of it in less than a minute.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a histogram picture there.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the JSON there too.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Compare two earlier runs, and measure nothing.")
    ] = None,
) -> None:
    """Measure what a frame costs on this machine, stage by stage; the last line is JSON.

    \b
    Examples:
      echo-rt bench --quick
      echo-rt bench --device cpu --model lv-edge.fp32 --size 480x640
      echo-rt bench --json before.json --plot before.png
      echo-rt bench --compare before.json after.json
    """
    from rich.console import Console

    from echo_rt.bench import report

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if compare is not None:
        report.print_comparison(console, *(report.read_result(path) for path in compare))
        return
    result, samples = _measure(
        model if precision is None else f"{model}.{precision}", device, _plan(quick, frames, size), console
    )
    if plot is not None:
        report.plot(result, samples, plot)
    line = json.dumps(result)
    if json_file is not None:
        from echo_rt.errors import output_errors

        with output_errors(json_file):
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    typer.echo(line)


def _plan(quick: bool, frames: int | None, size: str) -> Any:
    from dataclasses import replace

    from echo_rt.bench.measure import Plan

    height, _, width = size.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ParameterError(f"--size: expected height x width in pixels, such as 600x800, found {size!r}")
    plan = replace(Plan.quick() if quick else Plan(), height=int(height), width=int(width))
    return plan if frames is None else replace(plan, frames=frames)


def _measure(model: str, device: str, plan: Any, console: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    from echo_rt.bench import report
    from echo_rt.bench.machine import ceiling, describe
    from echo_rt.bench.measure import measure
    from echo_rt.bench.work import multiply_adds
    from echo_rt.engine import DEVICES, choose, probe
    from echo_rt.engine.host import default_threads
    from echo_rt.errors import DeviceError, MissingExtraError
    from echo_rt.model import model_path

    device = choose()[0] if device == "auto" else device
    if device != "all" and device not in DEVICES:
        raise ParameterError(f"expected a device of all, {', '.join(DEVICES)}, found {device!r}")
    result: dict[str, Any] = {
        "format": 1,
        "date": datetime.date.today().isoformat(),
        "machine": describe(),
        "model": model,
        "multiply_adds": multiply_adds(model_path(model)),
        "size": [plan.height, plan.width],
        "ceiling": ceiling(default_threads()),
        "engines": [],
        "not_measured": [],
    }
    report.print_machine(console, result)
    samples = {}
    for name in DEVICES if device == "all" else [device]:
        try:
            probe(name)
        except (DeviceError, MissingExtraError) as error:
            if device != "all":
                raise
            result["not_measured"].append(f"not measured: {error}")
            continue
        found, times = measure(model, name, plan)
        rate = result["ceiling"].get(f"{found['precision']}_gmac_s") if name in ("cpu", "openvino") else None
        if rate and "BF16" not in found["description"]:  # no ceiling was measured for BF16
            found["ceiling_share"] = round(result["multiply_adds"] / 1e6 / rate / found["stages"]["network"]["p50"], 3)
        result["engines"].append(found)
        samples[f"{name} {found['precision']}"] = times
    reasons = {engine["energy"].get("reason") for engine in result["engines"]} - {None}
    result["not_measured"] += [f"not measured: energy: {reason}" for reason in reasons]
    report.print_engines(console, result)
    return result, samples
