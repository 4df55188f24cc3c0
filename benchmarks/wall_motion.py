"""Whether the flag `akinetic` finds the segment that does not move, on phantoms, from their own masks or through a
model.

    python benchmarks/wall_motion.py masks --seeds 5000 5200
    python benchmarks/wall_motion.py lv-edge --seeds 5000 5200
    python benchmarks/wall_motion.py lv-edge --data CAMUS      # segments flagged in hearts with an EF of 55 % and more;
                                                               # with masks for lv-edge, in the experts' contours

It prints a table by segment and one JSON line. Six clips in seven have one akinetic segment, each of the six in turn,
the seventh has none: 4.5 s at 50 frames a second (or --fps), EF 35 to 70 %, 50 to 100 beats a minute, all else as the
seed draws it. Flagged are the segments that the summary of the clip calls akinetic.

A model brings its own rule (`echo_rt.model.AkinesiaRule`). The default one was chosen through lv-edge on the seeds 1000
to 1199 and 6500 to 6953; others are for the check. A data set has stills: there it is said what is flagged without the
speckle, and with one drawn as that of segments that move.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from echo_rt.cardiac.akinesia import akinetic
from echo_rt.cardiac.monitor import Monitor
from echo_rt.cardiac.recording import akinetic_segments
from echo_rt.cardiac.wall_geometry import measure_wall
from echo_rt.cardiac.wall_motion import wall_beat
from echo_rt.chambers import Scale
from echo_rt.engine import Engine, open_engine
from echo_rt.following import follow
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.model.akinesia import Measure
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import SEGMENTS, Reading, WallBeat
from echo_rt.segmentation import GridMap, Segmentation
from echo_rt_train.data import open_data, read_all
from echo_rt_train.evaluate.ejection import ef_percent, expert_segmentation, ventricle

HEALTHY_PERCENT = 55.0  # EF from which on a heart should have no still segment
STRAIN_PERCENT, STRAIN_ERROR_PERCENT = 25.0, 4.0  # of a segment that moves, and its standard error
SPECKLE_MOTION_PERCENT, SPECKLE_MOTION_ERROR_PERCENT = 13.0, 1.3

SPEC = ModelSpec("the phantom's own masks", "1", ModelInput(320, 240, 0.0, 1.0))


def clip(seed: int, fps: float = 50) -> PhantomOptions:
    rng = np.random.default_rng(seed)
    akinetic = (*SEGMENTS, None)[seed % 7]
    return PhantomOptions.of(
        ef=float(rng.uniform(35, 70)),
        hr=float(rng.uniform(50, 100)),
        fps=fps,
        seconds=4.5,
        seed=seed,
        height=240,
        width=320,
        akinetic=(akinetic,) if akinetic else (),
    )


def from_masks(phantom: Phantom) -> Iterator[Reading]:
    monitor = Monitor(SPEC)
    for k in range(phantom.frames or 0):
        labels = phantom.mask(k)
        probability = (np.arange(4)[:, None, None] == labels).astype(np.float32)
        segmentation = Segmentation(probability, labels, GridMap.letterbox(labels.shape, labels.shape))
        yield monitor.update(segmentation, phantom.frame(k))


def through(engine: Engine, phantom: Phantom) -> Iterator[Reading]:
    with phantom:
        for _, reading in follow(phantom, engine, Monitor(engine.spec)):
            yield reading


def wall_beats(readings: Iterator[Reading]) -> list[WallBeat]:
    accepted = (reading for reading in readings if reading.beat is not None and reading.beat.accepted)
    return [reading.wall_beat for reading in accepted if reading.wall_beat is not None]


def moving(measure: Measure, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Shares drawn as those of segments that move, times the pattern of the segments."""
    drawn = rng.normal(measure.middle + measure.apart / 2, measure.scatter, shape)
    return np.array(measure.pattern) * drawn


def of_patients(engine: Engine | None, root: str) -> dict[str, float]:
    """What is flagged in the 4CH images of all patients whose EF by the experts' masks is `HEALTHY_PERCENT` or more."""
    rule = (engine.spec if engine else SPEC).tuning.akinesia
    data, found = open_data({"root": root, "views": ["4CH"]}), {}
    for sample, (image, labels) in read_all([*data.samples("train"), *data.samples("val")], data.report):
        expert = expert_segmentation(labels)
        drawn = engine.segment(image, None) if engine else expert
        inside = ventricle(drawn, sample.spacing_mm)
        wall = measure_wall(drawn, inside, sample.spacing_mm).measured if inside is not None else None
        found.setdefault(sample.patient, {})[sample.phase] = ventricle(expert, sample.spacing_mm), wall
    rng, beats = np.random.default_rng(0), []
    for phases in found.values():
        (ed, wall_ed), (es, wall_es) = (phases.get(phase, (None, None)) for phase in ("ED", "ES"))
        if wall_ed is not None and wall_es is not None and ef_percent([[ed], [es]]) >= HEALTHY_PERCENT:
            beats.append(wall_beat(rule, wall_ed, wall_es, Scale.MM))
    shape = len(beats), len(SEGMENTS)
    strains = STRAIN_PERCENT * moving(rule.strain, shape, rng)
    motions = SPECKLE_MOTION_PERCENT * moving(rule.speckle_motion, shape, rng)
    errors = np.full(shape, STRAIN_ERROR_PERCENT), np.full(shape, SPECKLE_MOTION_ERROR_PERCENT)
    drawn = zip(beats, strains, errors[0], motions, errors[1], strict=True)
    followed = float(
        np.mean([akinetic(rule, beat.motion_percent, beat.thickening_percent, *speckle) for beat, *speckle in drawn])
    )
    without = float(np.mean([beat.akinetic for beat in beats]))
    return {
        "patients": len(beats),
        "flagged_without_speckle": round(without, 3),
        "flagged_with_speckle": round(followed, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model as `echo-rt file --model` takes it, or `masks`")
    parser.add_argument("--seeds", type=int, nargs=2, default=(5000, 5200), metavar=("FIRST", "END"))
    parser.add_argument("--fps", type=float, default=50, help="frames a second")
    parser.add_argument("--data", metavar="ROOT", help="patients of a data set instead of phantoms")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    # By segment: [frozen and flagged, frozen, moving and flagged, moving]; and the clips that gave no beat.
    counts, motion, unread = np.zeros((len(SEGMENTS), 4), int), [], 0
    with ExitStack() as opened:
        engine = (
            None if arguments.model == "masks" else opened.enter_context(open_engine(arguments.model, arguments.device))
        )
        if arguments.data:
            print(json.dumps({"model": arguments.model, **of_patients(engine, arguments.data)}))
            return
        for seed in range(*arguments.seeds):
            options = clip(seed, arguments.fps)
            with Phantom(options) as phantom:
                readings = from_masks(phantom) if engine is None else through(engine, phantom)
                beats = wall_beats(readings)
            unread += not beats
            # A clip without a beat flags nothing: its akinetic segment is missed.
            flagged = akinetic_segments(beats)
            frozen = np.array([segment in options.heart.akinetic for segment in SEGMENTS])
            counts += np.stack([frozen & flagged, frozen, ~frozen & flagged, ~frozen], axis=1)
            if beats:
                told = [
                    [b.motion_percent, b.thickening_percent, b.strain_percent, b.speckle_motion_percent] for b in beats
                ]
                known = np.ma.masked_invalid(told)
                figures = np.ma.median(known, axis=0).filled(np.nan).T
                motion += [(n, frozen[n], *figures[n]) for n in range(len(SEGMENTS))]
    print(
        "| segment | found | false | motion, thickening, strain, speckle motion when still (median, %) | when not |\n"
        "|---|---|---|---|---|"
    )
    table = np.array(motion)
    for n, segment in enumerate(SEGMENTS):
        still, moving = (
            np.nanmedian(table[(table[:, 0] == n) & (table[:, 1] == kind)][:, 2:], axis=0) for kind in (1, 0)
        )
        found, false = (f"{counts[n, k]}/{counts[n, k + 1]}" for k in (0, 2))
        columns = [", ".join(f"{figure:.0f}" for figure in row) for row in (still, moving)]
        print(f"| {segment} | {found} | {false} | {columns[0]} | {columns[1]} |")
    a, b, c, d = (int(number) for number in counts.sum(axis=0))
    result = {
        "model": arguments.model,
        "seeds": list(arguments.seeds),
        "sensitivity": round(a / b, 3),
        "false_flags": round(c / d, 3),
    }
    print(json.dumps({**result, "akinetic": b, "normal": d, "clips_without_a_beat": unread}))


if __name__ == "__main__":
    main()
