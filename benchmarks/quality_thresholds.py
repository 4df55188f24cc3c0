"""Where the thresholds of the quality rules come from: what each rule measures on training data, and how much of them
it refuses.

    python benchmarks/quality_thresholds.py --camus CAMUS [--model lv-edge] [--split train] [--clips 24]

Four kinds of frames: the CAMUS images of a split; the same with the sector narrowed until a tenth of the traced cavity
is lost, which `max_edge_share` is there to find; phantom clips as they are drawn for training, with the machine's
graphics; and pydicom's cine. For each, percentiles of every quantity over its frames, and the share of frames that each
rule refuses.

How `DEFAULT_QUALITY` was chosen, from CAMUS training images (1,596) and phantoms as in training (24 clips, 3,230
frames) alone:

- max_edge_share: the 98th percentile of CAMUS (0.118). Most of what lies above is cut: its lateral wall runs along the
  sector's edge.
- min_length_to_width: below the lowest of CAMUS (1.015). Dilated ventricles are nearly round; their EF matters most.
- min_length_share: a tenth below the lowest of the phantoms (0.958), for breath and less steady contours.
- min_changed_share: a sixth of the lowest of the phantoms (0.33). DICOM changes nothing in a repeated frame, H.264 some
  0.01 to 0.03.
- max_colour_share: the phantoms' coloured letters, marks and ECG count for less than 0.001; a jet of 4 cm² in a sector
  of 15 cm is 0.03.
- min_wall_contact, min_confidence and the cavity fractions: outside of the 0.1th and 99.9th percentiles of CAMUS.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.examples import get_path

from echo_rt.cardiac.geometry import find_ventricle, outline
from echo_rt.cardiac.picture import Picture
from echo_rt.cardiac.quality import Evidence, Past, assess, gather
from echo_rt.engine import Engine, open_engine
from echo_rt.frame import Frame
from echo_rt.phantom import Phantom, random_options
from echo_rt.sources import open_source
from echo_rt_train.data import open_data

PERCENT = (0.0, 0.1, 1.0, 2.0, 50.0, 98.0, 99.0, 99.9, 100.0)
LOST = 0.1


def stills(folder: Path, split: str, narrowed: bool) -> Iterator[list[Frame]]:
    """CAMUS images, each a recording of its own."""
    for sample in open_data({"root": folder}).samples(split):
        image, mask = sample.read()
        yield [Frame(narrow(image, mask == 1) if narrowed else image, 0.0, 0)]


def narrow(image: NDArray[np.uint8], cavity: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image black on the right of the ray from the sector's tip that leaves `LOST` of the cavity behind it."""
    tip_y, tip_x = np.argwhere(image > 8)[0]
    y, x = np.indices(image.shape)
    angle = np.arctan2(x - tip_x, y - tip_y + 1)
    return np.where(angle > np.quantile(angle[cavity], 1 - LOST), 0, image).astype(np.uint8)


def phantoms(clips: int) -> Iterator[Iterator[Frame]]:
    """Two seconds each, of random hearts and machines, at 25 to 120 frames a second."""
    rng = np.random.default_rng(7)
    for _ in range(clips):
        options = random_options(rng).changed(
            height=240,
            width=320,
            seconds=2.0,
            fps=float(rng.choice([25, 50, 80, 120])),
            overlay=True,
        )
        yield iter(Phantom(options))


def cine() -> Iterator[Iterator[Frame]]:
    with open_source(get_path("ybr_color")) as source:
        yield iter(source)


def judged(recordings: Iterator[Iterator[Frame] | list[Frame]], engine: Engine) -> tuple[list[Evidence], Counter[str]]:
    """The evidence of every frame, and how many frames each rule refused."""
    found, refused = [], Counter[str]()
    for frames in recordings:
        past = Past()
        for frame in frames:
            segmentation, picture = engine.segment(frame.image), Picture.of(frame.image)
            rule = engine.spec.tuning.contour
            border = outline(segmentation, rule)
            ventricle = find_ventricle(segmentation, border, frame.spacing_mm, rule) if border is not None else None
            evidence = gather(segmentation, border, ventricle, picture, past)
            quality = assess(evidence, engine.spec.tuning.quality)
            past.update(frame.t_s, picture, ventricle, quality)
            found.append(evidence)
            refused[quality.reason or "ok"] += 1
    return found, refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camus", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--split", default="train", choices=("train", "val"))
    parser.add_argument("--model", default=None)
    parser.add_argument("--clips", type=int, default=24, help="phantom clips")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with open_engine(arguments.model) as engine:
        print(
            "thresholds:", ", ".join(f"{name} {threshold:g}" for name, threshold in engine.spec.tuning.quality.items())
        )
        for kind, recordings in {
            f"CAMUS {arguments.split}": stills(arguments.camus, arguments.split, narrowed=False),
            f"CAMUS {arguments.split}, a tenth of the cavity cut off": stills(
                arguments.camus, arguments.split, narrowed=True
            ),
            "phantom clips": phantoms(arguments.clips),
            "cine": cine(),
        }.items():
            evidence, refused = judged(chain(recordings), engine)
            print(
                f"\n{kind}: {len(evidence)} frames;",
                ", ".join(f"{reason} {n / len(evidence):.2%}" for reason, n in refused.most_common()),
            )
            print(f"{'percentile':>18}", "".join(f"{percent:8g}" for percent in PERCENT))
            for name in (name for name, number in asdict(evidence[0]).items() if isinstance(number, float)):
                measured = np.array([getattr(one, name) for one in evidence])
                numbers = np.percentile(measured[np.isfinite(measured)], PERCENT)
                print(f"{name:>18}", "".join(f"{number:8.3f}" for number in numbers), flush=True)


if __name__ == "__main__":
    main()
