"""What `echo-rt bench` prints: tables, a picture, and the comparison of two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.errors import ParameterError, output_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.table import Table


def print_machine(console: Console, result: Mapping[str, Any]) -> None:
    """Print the machine, the work of a frame and the ceiling, which are known before anything of ours is measured."""
    machine, best, work = result["machine"], result["ceiling"], result["multiply_adds"]
    isa = ", ".join(machine["isa"]) or "unknown"
    processors = f"{machine['usable_processors']} processors ({isa})"
    console.print(f"{machine['processor']}, {processors}, {machine['memory_gib']} GiB, {machine['system']}")
    console.print(
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f", Python {machine['python']}"
    )
    console.print(
        f"{result['model']}: {work / 1e9:.3f} G multiply-adds a frame; {result['size'][0]}x{result['size'][1]} frames"
    )
    int8, fp32 = best["int8_gmac_s"], best["fp32_gmac_s"]
    console.print(
        f"ceiling with {best['threads']} thread(s): {int8:.0f} G INT8 and {fp32:.0f} G FP32 multiply-adds a second, "
        f"so {work / 1e6 / int8:.2f} and {work / 1e6 / fp32:.2f} ms a frame; {best['copy_gb_s']:.0f} GB/s"
    )


def print_engines(console: Console, result: Mapping[str, Any]) -> None:
    """Print one table of the stages, and one of what users see."""
    from rich.table import Table

    stages = Table("engine", "stage", "p50 ms", "p95", "p99", "max", "jitter", "of the ceiling")
    seen = Table(
        "engine",
        "frames/s",
        "end to end",
        "decode",
        "60 Hz age p50",
        "p99",
        "streams",
        "cold start",
        "again",
        "memory",
        "J a frame",
    )
    for engine in result["engines"]:
        name = f"{engine['device']} {engine['precision']}"
        for stage, of in engine["stages"].items():
            share = (
                f"{100 * engine['ceiling_share']:.0f} %" if stage == "network" and engine.get("ceiling_share") else ""
            )
            figures = (f"{of[key]:.2f}" for key in ("p50", "p95", "p99", "max", "jitter"))
            stages.add_row(name if stage == "preprocess" else "", stage, *figures, share)
        age, ends = engine["paced"]["age_ms"], engine["end_to_end"]
        at_once = ", ".join(f"{count}: {of['frames_a_second']:.0f}" for count, of in engine["streams"].items())
        memory, energy = engine["memory_mb"], engine.get("energy", {})
        seen.add_row(
            name,
            f"{engine['frames_a_second']:.0f}",
            f"{ends['frames_a_second']:.0f}",
            f"{ends['decode_ms']:.1f} ms",
            f"{age['p50']:.1f} ms",
            f"{age['p99']:.1f} ms",
            at_once,
            f"{engine['cold_start_s']:.2f} s",
            f"{engine['open_again_s']:.2f} s",
            "" if memory is None else f"{memory:.0f} MB",
            f"{energy['joules_a_frame']:.3f}" if "joules_a_frame" in energy else "",
        )
    _tight(stages)
    _tight(seen)
    console.print(stages)
    console.print(seen)
    console.print(
        "jitter: mean change from one frame to the next; age: from when a frame was due until its reading was out"
    )
    for line in result["not_measured"]:
        console.print(line)


def _tight(table: Table) -> None:
    for column in table.columns[2:]:
        column.justify = "right"
        column.no_wrap = True


def plot(result: Mapping[str, Any], samples: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Draw a histogram of the whole frame for each engine, as PNG.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 1.9 * len(samples)), dpi=110)
    axes = figure.subplots(len(samples), 1, sharex=True, squeeze=False)[:, 0]
    high = max(float(np.percentile(times, 99.5)) for times in samples.values()) * 1.15
    for place, (name, times) in zip(axes, samples.items(), strict=True):
        place.hist(np.clip(times, 0, high), bins=np.linspace(0, high, 120), color="#3b7dd8")
        p50, p99 = np.percentile(times, (50, 99))
        place.axvline(p50, color="#222222", lw=1)
        place.axvline(p99, color="#c0392b", lw=1, ls="--")
        place.set_title(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(times)} frames", loc="left", fontsize=10)
        place.set_ylabel("frames")
        place.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("whole frame, milliseconds; what is longer stands in the last bar")
    figure.suptitle(f"{result['model']} on {result['machine']['processor']}", x=0.02, ha="left")
    figure.tight_layout()
    with output_errors(path):
        figure.savefig(path, format="png")


def read_result(path: Path) -> dict[str, Any]:
    """The result of an earlier run, from its JSON or from the last line of what it printed.

    Raises:
        ParameterError: it is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").strip()
        found = json.loads(lines if lines.startswith("{") and lines.count("\n{") == 0 else lines.splitlines()[-1])
        if not isinstance(found, dict) or "engines" not in found:
            raise ValueError("no engines")
    except (OSError, ValueError, IndexError) as error:
        why = error.strerror if isinstance(error, OSError) else "something else"
        raise ParameterError(
            f"{path}: expected the JSON of `echo-rt bench`, found {why}; make one with  echo-rt bench --json {path}"
        ) from None
    return found


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, float, float, float, str]]:
    """Engine, stage, p50 before and after in ms, change in percent and a verdict, for each stage of two runs.

    The spread is the wider of the two middle halves. A median that moved by less than half of it is "the same".
    """
    old = {(engine["device"], engine["model"], engine["precision"]): engine for engine in before["engines"]}
    for engine in after["engines"]:
        other = old.get((engine["device"], engine["model"], engine["precision"]))
        if other is None:
            continue
        for stage, now in engine["stages"].items():
            was = other["stages"].get(stage)
            if was is None:
                continue
            moved, spread = now["p50"] - was["p50"], max(now["iqr"], was["iqr"]) / 2
            verdict = "the same" if abs(moved) <= spread else "faster" if moved < 0 else "slower"
            name = f"{engine['device']} {engine['precision']}"
            yield name, stage, was["p50"], now["p50"], 100 * moved / was["p50"], verdict


def print_comparison(console: Console, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Print a table of `compare`, and a warning where the machines differ: then it says nothing of the program."""
    from rich.table import Table

    if before["machine"]["processor"] != after["machine"]["processor"]:
        console.print(f"other machines: {before['machine']['processor']} and {after['machine']['processor']}")
    table = Table("engine", "stage", "before ms", "after ms", "change", "")
    for name, stage, was, now, percent, verdict in compare(before, after):
        table.add_row(name, stage, f"{was:.3f}", f"{now:.3f}", f"{percent:+.0f} %", verdict)
    _tight(table)
    console.print(table)
