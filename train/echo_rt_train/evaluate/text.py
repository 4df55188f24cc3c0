"""The figures of `echo-rt evaluate` as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from echo_rt_train.evaluate.phases import STRUCTURES


def as_text(figures: Mapping[str, Any]) -> Iterator[str]:
    """The lines of what `summary` gives, and of what the options of the command add to it."""
    views = figures.get("views", {})
    for view, found in views.items():
        yield f"{view}, {found['images']} images of {found['patients']} patients"
        for name, of_class in found["classes"].items():
            yield "  " + _class_line(name, of_class)
        if found.get("view_accuracy") is not None:
            yield f"  view named rightly {_number(found['view_accuracy'], 3)} {_interval(found['view_accuracy_ci'], 3)}"
    yield from _phase_lines(figures.get("dice_by_phase", {}))
    for view, found in [*views.items(), ("biplane", figures.get("biplane", {}))]:
        for key, name in (("ef", "EF"), ("ef_calibrated", "EF calibrated")):
            if key in found:
                yield _ef_line(view, name, found[key])
        if "interval" in found:
            yield _interval_line(view, found["interval"])
    yield from _measure_lines([*views.items(), ("biplane", figures.get("biplane", {}))])
    yield from _recording_lines(figures.get("recordings", {}))
    yield from _shift_lines(figures.get("shifts", {}))
    yield from _negative_lines(figures.get("negatives", {}))


def _phase_lines(table: Mapping[str, Any]) -> Iterator[str]:
    if not table:
        return
    yield f"{'Dice, mean ± SD over images':<30}" + "".join(f"{name:<17}" for name in STRUCTURES).rstrip()
    for view, phases in table.items():
        for phase, cells in phases.items():
            images = max(cell["images"] for cell in cells.values())
            texts = [f"{_number(cell['mean'], 3)} ± {_number(cell['sd'], 3)}" for cell in cells.values()]
            head = f"  {view:<7}{phase}  {images} images"
            yield f"{head:<30}" + "".join(f"{text:<17}" for text in texts).rstrip()


def _shift_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if not found:
        return
    heads = [f"all {found['images']} images", *(f"{images} {view}" for view, images in found["views"].items())]
    yield f"{'cavity Dice, frames usable':<30}" + "".join(f"{head:<17}" for head in heads).rstrip()
    for name, of_shift in found["shifts"].items():
        parts = [of_shift, *of_shift["views"].values()]
        cells = [f"{part['dice']:.3f}  {100 * part['usable']:5.1f} %" for part in parts]
        yield f"  {name:<28}" + "".join(f"{cell:<17}" for cell in cells).rstrip()


def _negative_lines(found: Mapping[str, Any]) -> Iterator[str]:
    for kind, said in (("pictures", "called usable"), ("recordings", "with an EF")):
        if kind not in found:
            continue
        of_kind = found[kind]
        yield f"{kind} without an apical view, {said}"
        for name, part in [*of_kind["by_organ_or_view"].items(), ("all", of_kind["all"])]:
            yield f"  {name:<30} {part['mistaken']:5} of {part['shown']:5}  {100 * part['share']:5.1f} %"
        if kind == "recordings":
            for one in of_kind["files"]:
                yield f"  {one['file']}: EF {one['ef_percent']:.0f} % by {one['method']}, {one['beats']} beats"


def _interval_line(view: str, found: Mapping[str, Any]) -> str:
    low, high = found["width_points_range"]
    return (
        f"{view} EF interval holds the expert's in {100 * found['coverage']:.0f} % of {found['patients']} patients; "
        f"{found['width_points']:.1f} points wide ({low:.0f} to {high:.0f}), Spearman with the error "
        f"{_number(found['spearman'], 2)}"
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


def _measure_lines(methods: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    rows = [(name, found) for name, method in methods for found in method.get("measures", {}).values()]
    if rows:
        yield "further measures at ED and ES, against the same on the experts' masks"
    for name, found in rows:
        yield f"  {name:<8} {found['label']:<38} " + "  ".join(_measure_parts(found))


def _measure_parts(found: Mapping[str, Any]) -> Iterator[str]:
    unit = found["unit"].replace("%", "points")
    digits = 2 if unit else 3
    if found["patients"]:
        yield f"MAE {_number(found['mae'], digits)} {_interval(found['ci']['mae'], digits - 1)} {unit}".rstrip()
        yield f"bias {_number(found['bias'], digits, '+')} ± {_number(found['sd'], digits)}"
        yield f"r {_number(found['r'], 3)}"
    yield f"{found['patients']} patients"
    for reason, patients in found["not_measured"].items():
        yield f"{patients} not measured: {reason}"
    for reason, patients in found["no_reference"].items():
        yield f"{patients} left out on the experts' masks: {reason}"


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
