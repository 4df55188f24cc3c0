"""The images on which a model does worst, as pictures: what the expert drew and what the model drew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from echo_rt.engine import Engine
from echo_rt.model import CLASSES
from echo_rt_train.evaluate.measurement import COLUMNS, ImageFigures
from echo_rt_train.evaluate.output import sheet
from echo_rt_train.evaluate.overlap import FOREGROUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPERT, MODEL = "#ffd23f", "#3fd0ff"
"""Apart in hue and in lightness, on grey, also for who sees red and green as one."""


def worst_images(images: Sequence[ImageFigures], count: int) -> list[ImageFigures]:
    """The images with the lowest Dice of any one class, the lowest first: a lost atrium must not hide behind a good
    cavity."""
    dice = COLUMNS.index("dice")
    return sorted(images, key=lambda image: (float(np.nanmin(image.figures[:, dice])), image.sample.name))[:count]


def draw_worst(folder: Path, engine: Engine, images: Sequence[ImageFigures], count: int) -> None:
    """Draw `worst_images` as ``01_PATIENT_VIEW_PHASE.png``, 1650 pixels wide: the image as it is, and with both
    contours.

    Raises:
        OutputError: a file cannot be written.
    """
    folder.mkdir()
    for rank, one in enumerate(worst_images(images, count), 1):
        sample = one.sample
        image, truth = sample.read()
        path = folder / f"{rank:02d}_{_plain(sample.patient)}_{sample.view}_{sample.phase}.png"
        title = f"{sample.patient}   {sample.view} {sample.phase}"
        draw_comparison(path, image, truth, engine.segment(image).mask(), title, _caption(one))


def draw_comparison(
    path: Path, image: NDArray[np.uint8], truth: NDArray[np.uint8], found: NDArray[np.uint8], title: str, caption: str
) -> None:
    """Draw one image twice, side by side, with the borders of two masks on the right.

    Args:
        path: of the PNG.
        image: (H, W) grey.
        truth, found: (H, W) labels.
        title, caption: in the head.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.lines import Line2D

    width, head = 11.0, 0.72
    panel = width / 2 * image.shape[0] / image.shape[1]
    with sheet(path, width, panel + head) as figure:
        share = panel / (panel + head)
        for column in (0, 1):
            axes = figure.add_axes((column / 2 + 0.002, 0, 0.496, share))
            axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
            axes.axis("off")
            if column:
                # The expert's above: where both agree one sees that the model's is hidden, not that one is missing.
                contours(axes, found, MODEL, 1.6)
                contours(axes, truth, EXPERT, 1.0)
        line = share + (1 - share) * 0.66
        figure.text(0.01, line, title, fontsize=13, fontweight="bold", va="center")
        figure.text(0.01, share + (1 - share) * 0.26, caption, fontsize=9.5, color="#444444", va="center")
        handles = [Line2D([], [], color=colour, lw=3) for colour in (EXPERT, MODEL)]
        figure.legend(
            handles, ["expert", "model"], loc="center right", bbox_to_anchor=(0.995, line), ncols=2, borderaxespad=0
        )


def contours(axes: Axes, mask: NDArray[np.uint8], colour: str, width: float) -> None:
    """The border of each class that is there."""
    for label in range(1, len(CLASSES)):
        inside = mask == label
        if inside.any() and not inside.all():
            # A frame of background, so that a class that touches the edge of the image is closed there.
            padded = np.pad(inside.astype(np.float32), 1)
            y, x = (np.arange(-1, n + 1) for n in mask.shape)
            axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=[width])
    axes.set(xlim=(-0.5, mask.shape[1] - 0.5), ylim=(mask.shape[0] - 0.5, -0.5))


def _plain(patient: str) -> str:
    """As a part of a file's name."""
    return re.sub(r"[^\w.-]", "-", patient)[:60]


def _caption(image: ImageFigures) -> str:
    unit = "mm" if image.sample.spacing_mm else "px"
    dice, hd95 = (image.figures[:, COLUMNS.index(name)] for name in ("dice", f"hd95_{unit}"))
    words = []
    for name, d, h in zip(FOREGROUND, dice, hd95, strict=True):
        if np.isfinite(d):
            distance = f"HD95 {h:.1f} {unit}" if np.isfinite(h) else "no distance"
            words.append(f"{name.replace('_', ' ').replace('lv', 'LV')}: Dice {d:.3f}, {distance}")
    return "      ".join(words)
