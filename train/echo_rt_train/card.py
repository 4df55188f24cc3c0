"""The card of a model: what it is, what it was made from and how good it is, in the words of its own files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from echo_rt.checked import parse_json, shown
from echo_rt.errors import DataError, output_errors
from echo_rt.model import ModelSpec, read_spec

CAVITY, WALL, ATRIUM = "lv_cavity", "lv_wall", "left_atrium"


def write_card(model: Path, evaluation: Path, tuning: Path, out: Path) -> None:
    """Write the card of an FP32 file.

    Args:
        model: the .onnx file.
        evaluation: what ``echo-rt evaluate --shifts --negatives DIR --json`` printed for it.
        tuning: what `echo-rt tune` wrote for it.
        out: the Markdown file.

    Raises:
        DataError: one of the two is another file.
        ModelError: the model is none.
        OutputError: the card cannot be written.
    """
    spec = read_spec(model)
    try:
        text = "\n".join(card(spec, *(parse_json(path.read_bytes()) for path in (evaluation, tuning))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"card: expected {evaluation} of `echo-rt evaluate --shifts --negatives DIR --json` and {tuning} of "
            f"`echo-rt tune`, found something else ({shown(error)})"
        ) from None
    with output_errors(out):
        out.write_text(text + "\n")


def card(spec: ModelSpec, found: Mapping[str, Any], tuned: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the card."""
    grid, origin = spec.input, spec.origin
    yield f"# {spec.name}, version {spec.version}\n"
    yield "A plain U-Net that labels LV cavity, LV wall and left atrium in apical views."
    yield "It says whether the picture is an apical view, which one, and what Dice it expects of itself.\n"
    yield "| | |\n|---|---|"
    yield f"| input | one grey frame of any size, letterboxed to {grid.height}x{grid.width} by echo-rt itself |"
    yield (
        f"| output | logits of {', '.join(spec.classes).replace('_', ' ')}; of A4C, A2C, other; one logit of the "
        "cavity's Dice |"
    )
    yield f"| training data | {origin.training_data} |"
    yield f"| licence of the weights | **{origin.licence}** |"
    yield f"| cite | {origin.citation} |\n"
    yield "`make models` makes the model and this card again.\n"
    yield from _accuracy(found)
    yield from _measures(found)
    yield from _interval(found, tuned)
    yield from _tuning(spec, tuned)
    yield from _not_apical(tuned)
    yield from _shifts(found)
    yield "## Limits\n"
    yield "- Trained on ED and ES frames of one scanner type (GE Vivid E95), and on simulated frames of whole beats."
    yield "- It refuses other organs and other views of the heart like those it has seen. No list of them is complete."
    yield "- Not a medical device."


def _accuracy(found: Mapping[str, Any]) -> Iterator[str]:
    views = found["views"]
    patients = max(view["patients"] for view in views.values())
    yield "## Accuracy\n"
    yield f"Measured on {patients} validation patients, at native size. No checkpoint was chosen on them.\n"
    yield "| view | Dice cavity | wall | atrium | EF MAE | bias ± SD | r |\n|---|---|---|---|---|---|---|"
    for name, view in [*views.items(), ("biplane", found["biplane"])]:
        ef = view.get("ef_calibrated") or view["ef"]
        dice = [f"{view['classes'][c]['dice']:.3f}" if "classes" in view else "" for c in (CAVITY, WALL, ATRIUM)]
        spread = f"{ef['bias']:+.1f} ± {ef['sd']:.1f}"
        yield f"| {name} | {' | '.join(dice)} | {ef['mae']:.1f} | {spread} | {ef['r']:.2f} |"
    yield "\nEF is by the method of disks, from the masks of a patient at ED and ES. EF of a single view is calibrated."
    yield "The reference is the same method on the experts' masks.\n"
    yield "| Dice | endocardium | epicardium | atrium |\n|---|---|---|---|"
    for name, phases in found["dice_by_phase"].items():
        for phase, cells in phases.items():
            parts = [f"{cells[part]['mean']:.3f} ± {cells[part]['sd']:.3f}" for part in cells]
            yield f"| {name} {phase} | {' | '.join(parts)} |"
    yield f"\nThe view is named rightly in {100 * found['view_accuracy']:.1f} % of these images.\n"


def _measures(found: Mapping[str, Any]) -> Iterator[str]:
    methods = [*found["views"].items(), ("biplane", found["biplane"])]
    rows = [(name, one) for name, method in methods for one in method.get("measures", {}).values() if one["patients"]]
    if not rows:
        return
    yield "## Further measures\n"
    yield "The same patients, from the masks at ED and ES, against the same measure on the experts' masks."
    yield "A patient without a figure on one of them is left out, for example where the sector cuts the atrium off.\n"
    yield "| view | measure | patients | left out | MAE | bias ± SD | r |\n|---|---|---|---|---|---|---|"
    for name, one in rows:
        left_out = sum([*one["no_reference"].values(), *one["not_measured"].values()])
        digits = 1 if one["unit"] else 3
        mae, bias, sd, r = (
            "-" if one[key] is None else f"{one[key]:{style}f}"
            for key, style in (("mae", f".{digits}"), ("bias", f"+.{digits}"), ("sd", f".{digits}"), ("r", ".2"))
        )
        label = f"{one['label']}, {one['unit']}" if one["unit"] else one["label"]
        yield f"| {name} | {label} | {one['patients']} | {left_out} | {mae} | {bias} ± {sd} | {r} |"
    yield ""


def _interval(found: Mapping[str, Any], tuned: Mapping[str, Any]) -> Iterator[str]:
    held = tuned["held_out"]
    yield "## Interval of EF\n"
    yield f"Fitted on {held['patients']} training patients. No network judged a patient that it had seen.\n"
    yield "| view | validation patients inside | width, points (95 % range) | Spearman with the error, held out |"
    yield "|---|---|---|---|"
    for name, key, view in (
        ("4CH", "a4c", found["views"].get("4CH", {})),
        ("2CH", "a2c", found["views"].get("2CH", {})),
        ("biplane", "biplane", found["biplane"]),
    ):
        if "interval" in view:
            inside, (low, high) = view["interval"], view["interval"]["width_points_range"]
            width = f"{inside['width_points']:.0f} ({low:.0f} to {high:.0f})"
            yield f"| {name} | {100 * inside['coverage']:.0f} % | {width} | {held['ef'][key]['spearman']:.2f} |"
    yield "\nIn a recording the scatter of the beats is added.\n"


def _tuning(spec: ModelSpec, tuned: Mapping[str, Any]) -> Iterator[str]:
    yield "## Tuned\n"
    offsets = ", ".join(f"{name.replace('_', ' ')} {offset:+.2f}" for name, offset in tuned["offsets"].items())
    yield f"- Offsets of the logits, on held-out patients: {offsets}."
    for view, line in (("4CH", spec.tuning.ef_calibration), ("2CH", spec.tuning.ef_calibration_a2c)):
        if line is not None:
            yield f"- {view}: EF = {line[0]:.3f} x measured {line[1]:+.2f}, Deming regression on its training patients."
    quality = tuned["quality"]
    yield (
        f"- A frame needs a probability of an apical view of {quality['min_apical']:.2f} and an expected Dice of "
        f"{quality['min_expected_dice']:.2f}.\n"
    )


def _not_apical(tuned: Mapping[str, Any]) -> Iterator[str]:
    negatives = tuned["held_out"].get("negatives")
    if not negatives:
        return
    yield "## Without an apical view\n"
    yield "Other organs, other views of the heart, screens and scenes. The network that judged a source had not learned"
    yield f"from it (parts {', '.join(tuned['held_out']['parts'])} of the sources).\n"
    yield "| | shown | taken for an apical view |\n|---|---|---|"
    for kind, said in (("pictures", "pictures"), ("recordings", "recordings with an EF")):
        if kind in negatives:
            whole = negatives[kind]["all"]
            yield f"| all {said} | {whole['shown']} | {whole['mistaken']} |"
            for name, part in negatives[kind]["by_organ_or_view"].items():
                if part["mistaken"]:
                    yield f"| {name.replace('_', ' ')} | {part['shown']} | {part['mistaken']} |"
    yield ""


def _shifts(found: Mapping[str, Any]) -> Iterator[str]:
    shifts = found.get("shifts")
    if not shifts:
        return
    yield "## Changed pictures\n"
    yield f"The same {shifts['images']} validation images, changed (`echo-rt evaluate --shifts`).\n"
    yield "| change | Dice of the cavity | usable |\n|---|---|---|"
    for name, row in shifts["shifts"].items():
        yield f"| {name} | {row['dice']:.3f} | {100 * row['usable']:.1f} % |"
    yield ""
