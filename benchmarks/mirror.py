"""How far apart the EF of a simulated clip and that of its mirror image are through a model.

    python benchmarks/mirror.py lv-edge --seeds 8800 10
    python benchmarks/mirror.py lv-edge.fp32 --data CAMUS    # ED and ES images of the validation patients, by view

Hearts of EF 20 to 70 % and 50 to 110 bpm, 7 s at 30 frames a second. It prints a line a clip and a JSON line; of
patients a JSON line a view.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import numpy as np

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import Engine, open_engine
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt_train.data import open_data, read_all
from echo_rt_train.evaluate.ejection import ef_pairs, ventricle


def clip(seed: int) -> PhantomOptions:
    rng = np.random.default_rng(seed)
    ef, hr = float(rng.uniform(20, 70)), float(rng.uniform(50, 110))
    return PhantomOptions.of(ef=ef, hr=hr, fps=30, seconds=7, seed=seed, height=360, width=480)


def both_ways(engine: Engine, phantom: Phantom) -> tuple[float | None, float | None]:
    """The last rolling EF, in percent, of the clip and of its mirror image."""
    monitors, last = (Monitor(engine.spec), Monitor(engine.spec, mirrored=True)), [None, None]
    for frame in phantom:
        for side, image in enumerate((frame.image, np.ascontiguousarray(frame.image[:, ::-1]))):
            segmentation = engine.segment(image, monitors[side].state)
            last[side] = monitors[side].update(segmentation, replace(frame, image=image)).ef.percent
    return last[0], last[1]


def of_patients(engine: Engine, root: str) -> dict[str, list[float]]:
    """By view, EF of a patient's images minus that of their mirror images, in points, where both were measured."""
    data = open_data({"root": root})
    there, mirrored = {}, {}
    for sample, (image, _) in read_all(data.samples("val"), data.report):
        key = sample.patient, sample.view, sample.phase
        for found, shown in ((there, image), (mirrored, np.ascontiguousarray(image[:, ::-1]))):
            found[key] = ventricle(engine.segment(shown), sample.spacing_mm)
    apart = {}
    for view in sorted({view for _, view, _ in there}):
        _, pairs = ef_pairs(there, mirrored, [view])
        differences = pairs[:, 0] - pairs[:, 1]
        apart[view] = differences[np.isfinite(differences)].tolist()
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model as `echo-rt file --model` takes it")
    parser.add_argument("--seeds", type=int, nargs=2, default=(8800, 10), metavar=("FIRST", "COUNT"))
    parser.add_argument("--data", metavar="ROOT", help="patients of a data set instead of simulated clips")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    first, count = arguments.seeds
    apart = []
    with open_engine(arguments.model, arguments.device) as engine:
        if arguments.data:
            for view, points in of_patients(engine, arguments.data).items():
                size = np.abs(points)
                figures = {"mean": size.mean(), "p95": np.percentile(size, 95), "sd_signed": np.std(points)}
                found = {k: round(float(v), 2) for k, v in figures.items()}
                print(json.dumps({"model": arguments.model, "view": view, "patients": len(points), **found}))
            return
        for seed in range(first, first + count):
            with Phantom(clip(seed)) as phantom:
                here, there = both_ways(engine, phantom)
            print(f"{seed}: EF {phantom.options.heart.ef:.0f}, found {here} and {there}")
            if here is not None and there is not None:
                apart.append(here - there)
    result = {"model": arguments.model, "seeds": [first, first + count], "without_ef": count - len(apart)}
    most = round(max(map(abs, apart), default=0.0), 2)
    print(json.dumps({**result, "points_apart_max": most, "points_apart": np.round(apart, 2).tolist()}))


if __name__ == "__main__":
    main()
