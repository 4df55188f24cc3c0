"""The sheets of `echo-rt explain`: one PNG a method, titled, with its scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.segmentation import GridMap
from echo_rt_train.evaluate.output import sheet
from echo_rt_train.evaluate.worst import MODEL, contours
from echo_rt_train.explain.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEAD, FOOT, MARGIN, GAP = 12.0, 0.85, 0.72, 0.12, 0.06
"""Of a sheet, in inches."""

NAME = 0.24
"""Height of the line of text above each picture, in inches."""

DIM = 0.75
"""Brightness of the image under a coloured map."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A map over an image, the line above it, and the class whose border is drawn, if any.

    The map is (h, w), on the network's grid or a coarser one that covers the same square.
    """

    title: str
    map: NDArray[np.float32]
    label: int | None = None


@dataclass(frozen=True)
class Scale:
    """How a map is coloured: matplotlib's name of the colours, both ends, and what the numbers are."""

    colours: str
    low: float
    high: float
    label: str


def attribution_sheet(
    path: Path, title: str, caption: str, subjects: Sequence[Subject], rows: Sequence[Sequence[Panel]], scale: Scale
) -> None:
    """A row for each subject: the image with the network's contours, then its panels, all on one scale.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = 1 + max(len(row) for row in rows)
    image = subjects[0].image
    with _table(path, title, caption, len(subjects), columns, image.shape[0] / image.shape[1], FOOT) as (figure, place):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        for row, (subject, panels) in enumerate(zip(subjects, rows, strict=True)):
            axes = place(row, 0, subject.name)
            _grey(axes, subject.image, 1.0)
            contours(axes, subject.segmentation.mask(), MODEL, 1.1)
            for column, panel in enumerate(panels, 1):
                axes = place(row, column, panel.title)
                _grey(axes, subject.image, DIM)
                _over(axes, panel.map, subject.segmentation.map, scale)
                if panel.label is not None:
                    contours(axes, subject.segmentation.mask(panel.label), "white", 0.7)
        height = figure.get_figheight()
        bar = figure.add_axes((0.3, 0.42 / height, 0.4, 0.11 / height))
        figure.colorbar(
            ScalarMappable(Normalize(scale.low, scale.high), scale.colours), cax=bar, orientation="horizontal"
        )
        bar.set_xlabel(scale.label, fontsize=9, labelpad=2)
        bar.tick_params(labelsize=8, length=2)


def filter_sheet(
    path: Path, title: str, caption: str, filters: NDArray[np.float32], responses: NDArray[np.float32]
) -> None:
    """Each filter (filters, k, k) above what it makes of an image (filters, h, w); one scale for all filters, one for
    all responses.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = 8
    rows = -(-len(filters) // columns)
    reach, strong = float(np.abs(filters).max()), float(np.percentile(np.abs(responses), 99.5))
    with _table(path, title, caption, 2 * rows, columns, 1.0, 0.0) as (_, place):
        for number, (kernel, response) in enumerate(zip(filters, responses, strict=True)):
            row, column = divmod(number, columns)
            axes = place(2 * row, column, f"filter {number}")
            axes.imshow(kernel, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")
            for (y, x), weight in np.ndenumerate(kernel):
                axes.text(x, y, f"{weight:.2f}".replace("-", "\N{MINUS SIGN}"), ha="center", va="center", fontsize=7,
                          color="white" if abs(weight) > 0.6 * reach else "#333333")  # fmt: skip
            place(2 * row + 1, column, "response").imshow(
                response, cmap="RdBu_r", vmin=-strong, vmax=strong, interpolation="bilinear"
            )


def map_sheet(
    path: Path, title: str, caption: str, levels: Sequence[tuple[str, NDArray[np.float32], Sequence[int]]]
) -> None:
    """A row for each level: its name, maps (channels, h, w) and the channels to show, each from 0 to its own maximum.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = max(len(chosen) for _, _, chosen in levels)
    with _table(path, title, caption, len(levels), columns, 1.0, 0.0) as (_, place):
        for row, (name, maps, chosen) in enumerate(levels):
            for column, channel in enumerate(chosen):
                axes = place(row, column, f"{name}, {maps.shape[1]}x{maps.shape[2]}" if not column else "")
                high = float(maps[channel].max()) or 1.0
                axes.imshow(maps[channel], cmap="magma", vmin=0, vmax=high, interpolation="nearest")
                axes.text(0.03, 0.97, str(channel), transform=axes.transAxes, color="white", fontsize=8, va="top")


class _table:
    """A sheet of pictures in rows and columns. Entering it gives the figure and a function (row, column, title) ->
    axes."""

    def __init__(
        self, path: Path, title: str, caption: str, rows: int, columns: int, aspect: float, foot: float
    ) -> None:
        self.side = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
        self.step = self.side * aspect + NAME + GAP
        self.picture, self.height = self.side * aspect, HEAD + rows * self.step + foot + MARGIN
        self.title, self.caption = title, caption
        self._sheet = sheet(path, WIDTH, self.height)

    def __enter__(self) -> tuple[Figure, Callable[[int, int, str], Axes]]:
        self.figure = self._sheet.__enter__()
        self.figure.text(
            MARGIN / WIDTH, 1 - 0.28 / self.height, self.title, fontsize=14, fontweight="bold", va="center"
        )
        self.figure.text(
            MARGIN / WIDTH, 1 - 0.6 / self.height, self.caption, fontsize=9.5, color="#555555", va="center"
        )
        return self.figure, self._place

    def __exit__(self, *error: Any) -> None:
        self._sheet.__exit__(*error)

    def _place(self, row: int, column: int, title: str) -> Axes:
        left = MARGIN + column * (self.side + GAP)
        bottom = self.height - HEAD - row * self.step - NAME - self.picture
        axes = self.figure.add_axes(
            (left / WIDTH, bottom / self.height, self.side / WIDTH, self.picture / self.height), xticks=[], yticks=[]
        )
        axes.set_frame_on(False)
        self.figure.text(left / WIDTH, (bottom + self.picture + 0.09) / self.height, title, fontsize=9, va="center")
        return axes


def _grey(axes: Axes, image: NDArray[np.uint8], brightness: float) -> None:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255 / brightness, interpolation="bilinear")


def _over(axes: Axes, values: NDArray[np.float32], grid: GridMap, scale: Scale) -> None:
    """Lay a map over the image, the more opaque the stronger it is, so that the anatomy stays visible where it says
    nothing."""
    share = grid.grid[1] / values.shape[1]  # of a coarser map, grid pixels per map pixel
    # Upsampled with the border kept, so that colour and opacity are interpolated alike.
    full = (
        cv2.resize(values.astype(np.float32), None, fx=share, fy=share, interpolation=cv2.INTER_LINEAR)
        if share > 1
        else values
    )
    strength = np.clip(np.abs(full) / max(abs(scale.low), abs(scale.high)), 0, 1)
    height, width = grid.image
    corner = np.array([[-0.5, -0.5], [grid.grid[1] - 0.5, grid.grid[0] - 0.5]])
    (left, top), (right, bottom) = grid.to_image(corner)
    axes.imshow(
        full,
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        alpha=0.85 * np.sqrt(strength),
        interpolation="bilinear",
        extent=(left, right, bottom, top),
        zorder=2,
    )
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
