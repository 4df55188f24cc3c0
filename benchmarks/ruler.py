"""How well the scale is read from the ruler on drawn screens, and whether one is read where there is none.

    python benchmarks/ruler.py [--cases 200] [--first 1]      # half of the time with a ruler, half without
    python benchmarks/ruler.py --cases 0 --pictures DEV       # and on real pictures: a folder with index.csv

A case has a layout, a picture and a manner of ruler of its own: 480 to 1080 lines, 6 to 24 cm deep, tinted, rescaled by
0.5 to 1.5, cropped, and compressed as H.264 (crf 23 to 30) or JPEG. Many have a list whose entries span the sector
from its tip to its bottom, as no other thing beside a ruler does. Ten frames, 0.1 s apart, are looked at.

One line for each case that is not right, and at the end the counts. Real pictures are single ones: their sector is
found by its brightness, and every scale that is read is printed to be checked by eye.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from echo_rt.arrays import Image
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.phantom.screen import Placed
from echo_rt.phantom.screen.furniture import WORDS, draw_furniture, write
from echo_rt.phantom.screen.layout import Layout
from echo_rt.phantom.screen.ruler import RulerManner, draw_ruler
from echo_rt.sources.screen.fan import COARSE_PX, fan_of
from echo_rt.sources.screen.marks import brightness
from echo_rt.sources.screen.ruler import Found, read_ruler
from support.rulers import STEP_S, h264, read

SIZES = ((640, 480), (854, 480), (960, 540), (800, 600), (1024, 768), (1280, 720), (1440, 1080), (1920, 1080))
HEARTS, FRAMES = 8, 12
RIGHT, WRONG = 0.02, 0.05


@dataclass(frozen=True)
class Heart:
    """Some pictures of a phantom (N, H, W), and where its sector is in them."""

    pictures: NDArray[np.uint8]
    apex: tuple[float, float]
    depth_px: float
    half_angle_deg: float


@cache
def heart(number: int) -> Heart:
    """One of the hearts that the screens show."""
    rng = np.random.default_rng(number)
    height = int(rng.choice([300, 360, 420]))
    options = PhantomOptions.of(
        seed=number, height=height, width=round(1.3 * height), overlay=False, variety=1.0, fps=50.0,
        sector_deg=float(rng.uniform(60, 92)), margin=float(rng.uniform(0, 0.05)),
    )  # fmt: skip
    with Phantom(options) as phantom:
        pictures = np.stack([phantom.frame(round(50 * STEP_S) * n).image for n in range(FRAMES)])
    sector = phantom.scene.sector
    return Heart(pictures, sector.origin_px, sector.depth_mm * sector.pixels_per_mm, float(np.degrees(sector.half)))


@dataclass(frozen=True)
class Case:
    """A drawn screen: its frames, its true scale, and what it is, for people."""

    frames: list[Image]
    mm_per_px: float
    about: str


def draw(number: int, ruler: bool) -> Case:
    """The screen of that number, with a ruler or without."""
    rng = np.random.default_rng((number, int(ruler)))
    size, shown = SIZES[int(rng.integers(len(SIZES)))], heart(int(rng.integers(HEARTS)))
    rows, columns = shown.pictures.shape[1:]
    layout = Layout.draw(number, size, columns / rows)
    rect = layout.picture
    factor = rect.height / rows
    depth_mm = float(rng.uniform(60, 240))
    apex = rect.x + (shown.apex[0] + 0.5) * factor - 0.5, rect.y + (shown.apex[1] + 0.5) * factor - 0.5
    px_per_mm = shown.depth_px * factor / depth_mm
    placed = Placed(rect.x, rect.y, rect.width, rect.height, apex, px_per_mm, depth_mm, shown.half_angle_deg)
    manner = RulerManner.draw(rng, size[1])
    # No machine writes over its ruler.
    if ruler and layout.bar is not None:
        barred = "right" if layout.bar.x > rect.x + rect.width // 2 else "left"
        layout = replace(layout, bar=None) if manner.side == barred else layout
    art = draw_furniture(layout, rng)
    if ruler and manner.side == "left":
        art[rect.y : rect.bottom, rect.x : rect.x + rect.width // 4] = 0
    if rng.random() < 0.6 and not (ruler and "left" in manner.side):
        _draw_list(art, placed, rng)
    if layout.bar is not None and rng.random() < 0.5:
        for y in np.linspace(layout.bar.y, layout.bar.bottom, 6).astype(int):
            cv2.line(art, (layout.bar.x - 5, int(y)), (layout.bar.x, int(y)), (200, 200, 200), 1)
    tint = np.ones(3) if rng.random() < 0.6 else rng.uniform(0.75, 1, 3)
    frames = []
    for picture in shown.pictures:
        grey = cv2.resize(picture, (rect.width, rect.height), interpolation=cv2.INTER_LINEAR)
        frame = art.copy()
        place = frame[rect.y : rect.bottom, rect.x : rect.right]
        np.maximum(place, (grey[..., None] * tint).astype(np.uint8), out=place)
        if ruler:
            draw_ruler(frame, placed, manner)
        frames.append(frame)
    frames, scaled = _sent(frames, layout, rng)
    manner_said = f"{manner.side}, {'/'.join(manner.marks)} each {manner.step_mm:g} mm, long {manner.major}"
    about = f"{frames[0].shape[1]}x{frames[0].shape[0]}, {depth_mm / 10:.1f} cm; {manner_said if ruler else 'no ruler'}"
    return Case(frames, 1 / (px_per_mm * scaled), about)


def _draw_list(canvas: Image, placed: Placed, rng: np.random.Generator) -> None:
    """A list whose entries are as evenly spaced as marks, from the sector's tip to its bottom, in the picture or at the
    side of the screen."""
    count, x = int(rng.integers(7, 17)), placed.x + 4 if rng.random() < 0.5 else 6
    step, kind = placed.depth_mm * placed.px_per_mm / count, int(rng.integers(4))
    for n in range(count + 1):
        y = round(placed.apex[1] + n * step)
        word = WORDS[int(rng.integers(len(WORDS)))][:5]
        if kind == 0:
            cv2.circle(canvas, (x + 3, y - 3), max(1, round(len(canvas) / 400)), (200, 200, 200), -1, cv2.LINE_AA)
        elif kind == 1:
            word = f"- {word}"
        elif kind == 2:
            cv2.rectangle(canvas, (x, y - 8), (x + round(len(canvas) / 8), y + 4), (90, 90, 100), 1)
        write(canvas, word, (x + (10 if kind == 0 else 0), y), (200, 200, 200), 0.34)


def _sent(frames: list[Image], layout: Layout, rng: np.random.Generator) -> tuple[list[Image], float]:
    """The frames as somebody sends them: cut off beside the picture, rescaled, compressed; and the factor of scale."""
    rect, (height, width) = layout.picture, frames[0].shape[:2]
    if rng.random() < 0.4:
        left, right = round(rng.uniform(0, 1) * rect.x), width - round(rng.uniform(0, 1) * (width - rect.right))
        frames = [frame[:, left:right] for frame in frames]
    factor = 1.0
    if rng.random() < 0.6:
        factor = max(float(rng.uniform(0.5, 1.5)), 280 / height)
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        frames = [np.asarray(cv2.resize(f, None, fx=factor, fy=factor, interpolation=way), np.uint8) for f in frames]
    frames = [np.ascontiguousarray(f[: len(f) // 2 * 2, : f.shape[1] // 2 * 2]) for f in frames]
    kind = int(rng.integers(3))
    if kind == 0:
        return h264(frames, int(rng.integers(23, 31))), factor
    if kind == 1:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))]
        coded = (cv2.imencode(".jpg", frame, quality)[1] for frame in frames)
        return [np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) for data in coded], factor
    return frames, factor


def drawn(numbers: range) -> Counter[str]:
    """What came of the screens of these numbers, with a ruler and without."""
    counts: Counter[str] = Counter()
    for number in numbers:
        case = draw(number, True)
        found = read(case.frames)
        if isinstance(found, str):
            verdict, said = "not read", found
        else:
            off = found.scale.mm_per_px / case.mm_per_px - 1
            verdict = "right" if abs(off) <= RIGHT else "off" if abs(off) <= WRONG else "wrong"
            said = f"{100 * off:+.2f} %, said to be within {found.scale.error_percent:.1f} %"
        counts[verdict] += 1
        if verdict != "right":
            print(f"{number}: {verdict}: {case.about}: {said}", flush=True)
        case = draw(number, False)
        found = read(case.frames)
        counts["invented" if isinstance(found, Found) else "none, rightly"] += 1
        if isinstance(found, Found):
            print(f"{number}: invented: {case.about}: {found.scale}", flush=True)
    return counts


def real(folder: Path) -> Counter[str]:
    """What is read from single pictures, printed to be checked."""
    counts: Counter[str] = Counter()
    with open(folder / "index.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    for name in names:
        level = brightness(np.asarray(cv2.imread(str(folder / name)), np.uint8))
        factor = min(COARSE_PX / max(level.shape), 1.0)
        soft = cv2.resize(cv2.GaussianBlur(level, (0, 0), 3), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        fan = fan_of((np.asarray(soft) > np.quantile(soft, 0.1) + 14).astype(np.uint8), factor)
        found = read_ruler(level, fan) if fan is not None else "no sector"
        counts["read" if isinstance(found, Found) else "no sector" if fan is None else "not read"] += 1
        if isinstance(found, Found):
            print(f"{name}: {found.scale.mm_per_px:.4f} mm a pixel, {found.scale.depth_mm / 10:.1f} cm deep")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    counts = drawn(range(asked.first, asked.first + asked.cases))
    if asked.cases:
        print(", ".join(f"{verdict}: {count}" for verdict, count in counts.most_common()))
    if asked.pictures is not None:
        print(", ".join(f"{verdict}: {count}" for verdict, count in real(asked.pictures).most_common()))
    return int(bool(counts["wrong"] or counts["invented"] or counts["right"] < 0.95 * asked.cases))


if __name__ == "__main__":
    sys.exit(main())
