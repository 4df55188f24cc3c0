"""How often something that is no apical view gets a figure: real pictures and recordings of other organs, views and
screens.

    python benchmarks/without_heart.py FOLDER [--model lv-edge]

FOLDER holds pictures or recordings and an index.csv with the columns file and organ_or_view. Of a recording it counts
whether it comes to an EF, and how; of a picture, whether the frame is called usable. Every one of either is a mistake.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

import cv2

import echo_rt
from echo_rt.engine import Engine
from echo_rt.sources.paths import VIDEO_SUFFIXES


def picture_is_usable(path: Path, engine: Engine) -> bool:
    """Whether a picture, as the first frame of a recording, is called usable."""
    image = cv2.imread(str(path))
    return echo_rt.Monitor(engine.spec).update(engine.segment(image), echo_rt.Frame(image, 0.0, 0)).quality.ok


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="lv-edge")
    options = parser.parse_args()
    shown: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    with echo_rt.open_engine(options.model) as engine, (options.folder / "index.csv").open(newline="") as index:
        print(engine.description)
        for row in csv.DictReader(index):
            path, kind = options.folder / row["file"], row["organ_or_view"]
            shown[kind] += 1
            if path.suffix not in VIDEO_SUFFIXES:
                wrong[kind] += picture_is_usable(path, engine)
                continue
            result = echo_rt.process(path, engine)
            if result.ef.percent is not None:
                wrong[kind] += 1
                print(f"{path.name}: EF {result.ef.percent:.0f} % by {result.ef.method}, {len(result.beats)} beats")
    for kind in sorted(shown):
        print(f"{kind:28} {wrong[kind]:4} of {shown[kind]}")
    print(f"{'all':28} {wrong.total():4} of {shown.total()}")


if __name__ == "__main__":
    main()
