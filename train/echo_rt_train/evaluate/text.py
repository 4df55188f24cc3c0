"""The figures of `echo-rt evaluate` as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


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
            yield (
                f"offset of {name:<12} {offset:+.1f}  Dice {fit['dice_before'][name]:.4f} -> {fit['dice'][name]:.4f} "
                f"({fit['view']})"
            )


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
                f"HD95 {_number(found[f'hd95_{unit}'], 2)} {unit}  mean distance {_number(found[f'msd_{unit}'], 2)} "
                f"{unit}{scale}"
            )
    if found["distances"]["undefined"]:
        parts.append(f"{found['distances']['undefined']} without a distance, as one mask is empty")
    return "  ".join(parts)


def _recording_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found:
        yield f"{found['clips']} whole recordings"
    if "jitter_percent_edv" in found:
        ci = found["ci"]
        yield (
            f"  frame-to-frame jitter {_number(found['jitter_percent_edv'], 2)} "
            f"{_interval(ci['jitter_percent_edv'], 2)} % of EDV"
        )
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
