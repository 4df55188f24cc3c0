"""How near the phantom's frames are to real ones, in numbers: a markdown table.

    python benchmarks/phantom_realism.py --camus CAMUS

Real frames are random CAMUS four-chamber training frames and pydicom's cine, which has no masks: of it the sector alone
is measured. Each cell is the median over frames, with the 5th and 95th percentile. No real image is written anywhere.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.examples import get_path

from echo_rt.arrays import Image
from echo_rt.phantom import Phantom, PhantomOptions, random_options
from echo_rt.sources import open_source


class Picture(NamedTuple):
    """A frame (H, W), its labels (H, W) if known, and the size of its pixels if known."""

    grey: Image
    labels: Image | None
    spacing_mm: float | None


def camus(folder: Path, count: int, rng: np.random.Generator) -> Iterator[Picture]:
    """Random 4CH training frames."""
    with open(folder / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train" and row["view"] == "4CH"]
    for n in rng.choice(len(rows), count, replace=False):
        path = folder / rows[n]["file"]
        labels = cv2.imread(str(path.with_name(path.stem + "_gt.png")), cv2.IMREAD_GRAYSCALE)
        yield Picture(
            np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8), np.asarray(labels, np.uint8), 0.308
        )


def cine(every: int) -> Iterator[Picture]:
    """pydicom's cine; its grey is the green channel, its graphics are coloured or outside of the sector."""
    with open_source(get_path("ybr_color")) as source:
        for frame in source:
            if frame.index % every == 0:
                yield Picture(np.asarray(frame.image[..., 1], np.uint8), None, None)


def phantoms(count: int, training: bool, rng: np.random.Generator) -> Iterator[Picture]:
    """Phantoms at a random moment: as training draws them, or without graphics at CAMUS's usual size."""
    for seed in range(count):
        if training:
            options = random_options(rng)
        else:
            options = PhantomOptions.of(
                seed=seed, variety=1.0, overlay=False, height=520, width=620, ef=float(rng.uniform(25, 70))
            )
        phantom = Phantom(options)
        k = int(rng.integers(100))
        image = phantom.frame(k).image
        yield Picture(
            np.asarray(image if image.ndim == 2 else image[..., 1], np.uint8),
            phantom.mask(k),
            phantom.scene.sector.spacing_mm,
        )


def sector(grey: Image) -> NDArray[np.bool_]:
    """(H, W) the hull of the largest lit region, which leaves graphics beside the sector out."""
    lit = cv2.morphologyEx((grey > 3).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, found, stats, _ = cv2.connectedComponentsWithStats(np.asarray(lit, np.uint8))
    points = np.argwhere(found == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))[:, ::-1].astype(np.int32)
    hull = cv2.fillConvexPoly(np.zeros(grey.shape, np.uint8), cv2.convexHull(points), 1)
    return np.asarray(hull, bool)


def grain(grey: Image, region: NDArray[np.bool_], depth_px: float) -> tuple[float, float]:
    """Speckle size in pixels down and across the image: full width at half maximum of the autocorrelation in a region.

    Near the middle of a sector down is along the beam. Structures larger than a fortieth of the depth are anatomy, and
    are taken out first.
    """
    weight = region.astype(np.float64)
    sigma = depth_px / 40
    local = cv2.GaussianBlur(grey * weight, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    texture = (grey - local) * weight

    def width(axis: int) -> float:
        found = []
        for lag in range(40):
            a, b = (np.take(m, range(lag, m.shape[axis]), axis) for m in (texture, weight))
            c, d = (np.take(m, range(m.shape[axis] - lag), axis) for m in (texture, weight))
            found.append(float(np.sum(a * c) / max(float(np.sum(b * d)), 1.0)))
            if found[-1] < found[0] / 2:
                break
        share = (found[-2] - found[0] / 2) / max(found[-2] - found[-1], 1e-9) if len(found) > 1 else 0.0
        return 2 * (len(found) - 2 + share)

    return width(0), width(1)


def measure(picture: Picture) -> dict[str, float]:
    """The figures of one frame, by the name of their row."""
    grey, labels, spacing = picture
    inside = sector(grey)
    rows = np.flatnonzero(inside.any(axis=1))
    top, depth = int(rows[0]), float(np.ptp(rows))
    figures = {}
    regions = {"sector": inside}
    if labels is not None:
        regions |= {"cavity": (labels == 1) & inside, "wall": (labels == 2) & inside}
    for name, region in regions.items():
        found = grey[region].astype(float)
        figures[f"{name}, grey mean"] = found.mean()
        for percent in (5, 50, 95):
            figures[f"{name}, grey {percent} %"] = float(np.percentile(found, percent))
        if name != "cavity":
            y, x = np.indices(grey.shape)
            middle = np.flatnonzero(inside.any(axis=0)).mean()
            centre = (np.abs(y - top - depth / 2) < 0.2 * depth) & (np.abs(x - middle) < 0.3 * (y - top))
            part = region & centre & (grey > 8)
            if part.sum() > 400:
                down, across = grain(grey, part, depth)
                figures[f"{name}, speckle along the beam, % of depth"] = 100 * down / depth
                figures[f"{name}, speckle across the beam, % of depth"] = 100 * across / depth
                if spacing is not None:
                    figures[f"{name}, speckle along the beam, mm"] = down * spacing
                    figures[f"{name}, speckle across the beam, mm"] = across * spacing
    if labels is not None:
        cavity, wall = (grey[regions[name]].astype(float) for name in ("cavity", "wall"))
        pooled = float(np.sqrt((cavity.var() + wall.var()) / 2))
        figures["wall - cavity, medians over pooled SD"] = float(np.median(wall) - np.median(cavity)) / pooled
        shares = [np.histogram(part, 64, (0, 256))[0] / len(part) for part in (cavity, wall)]
        figures["wall against cavity, gCNR"] = 1 - float(np.minimum(*shares).sum())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--camus", type=Path, default=None, help="folder with index.csv; without it the cine alone is compared with"
    )
    parser.add_argument("--count", type=int, default=60, help="frames of each kind")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    kinds = {
        "phantom": phantoms(arguments.count, False, np.random.default_rng(1)),
        "phantom, as in training": phantoms(arguments.count, True, np.random.default_rng(2)),
        "cine": cine(5),
    }
    if arguments.camus is not None:
        kinds["CAMUS"] = camus(arguments.camus, arguments.count, np.random.default_rng(3))
    found = {kind: [measure(picture) for picture in pictures] for kind, pictures in kinds.items()}
    print("| |", " | ".join(found), "|\n|" + "---|" * (len(found) + 1))
    for name in dict.fromkeys(name for kind in found.values() for figures in kind for name in figures):
        cells = []
        for kind in found.values():
            each = [figures[name] for figures in kind if name in figures]
            digits = 2 if name.endswith(("mm", "depth", "SD", "gCNR")) else 0
            low, median, high = np.percentile(each, (5, 50, 95)) if each else (0, 0, 0)
            cells.append(f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})" if each else "")
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
