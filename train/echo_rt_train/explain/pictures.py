"""The pictures of `echo-rt explain`: what is computed for each, and its title and caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from echo_rt.model import CLASSES
from echo_rt_train.evaluate.output import whole_folder
from echo_rt_train.explain import inside
from echo_rt_train.explain.attribution import (
    Target,
    grad_cam,
    input_gradient,
    integrated_gradients,
    region_of,
    target_of,
)
from echo_rt_train.explain.sheets import Panel, Scale, attribution_sheet, filter_sheet, map_sheet
from echo_rt_train.explain.subject import Subject

NAMES = ("", "LV cavity", "LV wall", "left atrium")
MAPS_PER_LEVEL = 8

OVER = 99.7
"""Percentile at which a colour scale ends: a few pixels are far stronger than the rest, which would be black beside
them."""


def explain(
    network: nn.Module, name: str, subjects: Sequence[Subject], out: Path, std: float, layer: str | None = None
) -> None:
    """Write ``saliency.png``, ``integrated_gradients.png``, ``grad_cam.png``, ``filters.png`` and ``feature_maps.png``.

    Args:
        network: in evaluation mode.
        name: of the model, for the titles.
        subjects: all of one size; filters and feature maps are shown for the first.
        out: a folder outside of the repository.
        std: of the normalisation, grey levels.
        layer: where Grad-CAM looks; None is the bottleneck.

    Raises:
        ParameterError: there is no such layer, or `out` lies in the repository.
        OutputError: a picture cannot be written.
    """
    layer_name, module = inside.layer_of(network, layer)
    targets = [[_target(network, subject, label) for label in range(1, len(CLASSES))] for subject in subjects]
    with whole_folder(out) as folder:
        _saliency(folder / "saliency.png", name, subjects, targets, std)
        _integrated(folder / "integrated_gradients.png", name, subjects, targets)
        _cams(folder / "grad_cam.png", name, subjects, targets, layer_name, module)
        _filters(folder / "filters.png", name, network, subjects[0])
        _maps(folder / "feature_maps.png", name, network, subjects[0])


def _target(network: nn.Module, subject: Subject, label: int) -> tuple[str, Target]:
    region = region_of(network, subject.x, label)
    lost = "" if (subject.segmentation.labels == label).any() else " (not found: where it comes nearest)"
    return NAMES[label] + lost, target_of(network, label, region)


Targets = Sequence[Sequence[tuple[str, Target]]]


def _saliency(path: Path, name: str, subjects: Sequence[Subject], targets: Targets, std: float) -> None:
    rows = [
        [
            Panel(title, np.abs(_array(input_gradient(f, s.x) / std)), label)
            for label, (title, f) in enumerate(of_subject, 1)
        ]
        for s, of_subject in zip(subjects, targets, strict=True)
    ]
    scale = Scale("inferno", 0.0, _end(rows), "|df / dx| (logits per grey level of one grid pixel)")
    caption = (
        "How much the mean logit f of a class over its region changes with the brightness of each pixel. Contours: the "
        "model's."
    )
    attribution_sheet(path, f"{name}: input gradient", caption, subjects, rows, scale)


def _integrated(path: Path, name: str, subjects: Sequence[Subject], targets: Targets) -> None:
    rows = []
    for subject, of_subject in zip(subjects, targets, strict=True):
        row = []
        for title, f in of_subject:
            found = integrated_gradients(f, subject.x, subject.baseline)
            row.append(
                Panel(f"{title}   sum {found.total:.2f}, f change {found.difference:.2f}", _array(found.attribution))
            )
        rows.append(row)
    end = _end(rows)
    scale = Scale(
        "RdBu_r",
        -end,
        end,
        "share of each grid pixel in f(image) \N{MINUS SIGN} f(black) (logits); red speaks for the class",
    )
    caption = (
        "What each pixel adds to the mean logit f of a class over its region, "
        "on the way from a black image. The two figures should agree."
    )
    attribution_sheet(path, f"{name}: integrated gradients", caption, subjects, rows, scale)


def _cams(path: Path, name: str, subjects: Sequence[Subject], targets: Targets, layer: str, module: nn.Module) -> None:
    rows = []
    for subject, of_subject in zip(subjects, targets, strict=True):
        maps = [(title, _array(grad_cam(f, subject.x, module))) for title, f in of_subject]
        peaks = [max(float(found.max()), 1e-12) for _, found in maps]
        rows.append(
            [
                Panel(f"{t}   maximum {p:.2g}", m / p, label)
                for label, ((t, m), p) in enumerate(zip(maps, peaks, strict=True), 1)
            ]
        )
    side = rows[0][0].map.shape
    caption = f"Where the maps of layer {layer} ({side[0]}x{side[1]}) that raise the mean logit of a class are active."
    attribution_sheet(
        path,
        f"{name}: Grad-CAM",
        caption,
        subjects,
        rows,
        Scale("inferno", 0.0, 1.0, "share of the maximum of each picture"),
    )


def _filters(path: Path, name: str, network: nn.Module, subject: Subject) -> None:
    filters = inside.first_filters(network)
    answers = _array(inside.responses(filters, subject.x))
    caption = (
        "Weights with the batch norm multiplied in, "
        f"and what they make of {subject.name} before offset and ReLU: blue < 0 < red, white 0."
    )
    filter_sheet(path, f"{name}: filters of the first layer", caption, _array(filters), answers)


def _maps(path: Path, name: str, network: nn.Module, subject: Subject) -> None:
    found = inside.feature_maps(network, subject.x)
    levels = [(level, _array(maps), inside.strongest(maps, MAPS_PER_LEVEL)) for level, maps in found.items()]
    caption = (
        f"{subject.name}: of each level the {MAPS_PER_LEVEL} channels that vary most, numbered; "
        "black 0, pale the map's own maximum."
    )
    map_sheet(path, f"{name}: feature maps", caption, levels)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().astype(np.float32)


def _end(rows: Sequence[Sequence[Panel]]) -> float:
    return max(float(np.percentile(np.abs(np.stack([panel.map for row in rows for panel in row])), OVER)), 1e-12)
