"""How well every further measure is found on simulated hearts whose truth is known: a markdown table.

    python benchmarks/measures.py              # from the phantom's own masks
    python benchmarks/measures.py --by lv-edge --seeds 7000 40

EF is 25 to 72 %, the rate 45 to 110 bpm, 50 frames a second unless `--fps` says otherwise. Each accepted beat is held
against the beat that was drawn. "Within" is the mean absolute error as a share of the mean of the truth.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from echo_rt.cardiac.measures.table import MEASURES
from echo_rt.cardiac.monitor import Monitor
from echo_rt.chambers import Scale
from echo_rt.engine import Engine, open_engine
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import Reading

MASKS = ModelSpec("the phantom's masks", "1", ModelInput(480, 360, 0.0, 1.0))


def draw(seed: int, fps: float, seconds: float) -> Phantom:
    """One heart."""
    rng = np.random.default_rng(seed)
    ef, hr = rng.uniform(25, 72), rng.uniform(45, 110)
    return Phantom(PhantomOptions.of(ef=ef, hr=hr, fps=fps, seconds=seconds, seed=seed, height=360, width=480))


def readings(phantom: Phantom, engine: Engine | None) -> Iterator[Reading]:
    """By a model's masks, or by the phantom's own."""
    monitor = Monitor(engine.spec if engine else MASKS)
    for k in range(phantom.frames or 0):
        frame = phantom.frame(k)
        seen = phantom.segmentation(k) if engine is None else engine.segment(frame.image, monitor.state)
        yield monitor.update(seen, frame)


def pairs(phantom: Phantom, engine: Engine | None) -> Iterator[tuple[dict[str, float], dict[str, float | str]]]:
    """Of each accepted beat the truth, and what was found, by name with its unit."""
    truth = phantom.beats()
    columns = {measure.name: measure.column(Scale.MM) for measure in MEASURES}
    for reading in readings(phantom, engine):
        beat = reading.beat
        if beat is None or not beat.accepted or not truth:
            continue
        true = min(truth, key=lambda one: abs(one.t_ed_s - beat.t_ed_s))
        if abs(true.t_ed_s - beat.t_ed_s) < 0.3 * (true.t_next_ed_s - true.t_ed_s):
            yield phantom.measures(true), {columns[name]: value for name, value in beat.details.measures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by", default="masks", help="masks, or a model")
    parser.add_argument("--seeds", type=int, nargs=2, default=(7000, 20), metavar=("FIRST", "COUNT"))
    parser.add_argument("--fps", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    errors: dict[str, list[tuple[float, float]]] = {}
    absent: dict[str, Counter[str]] = {}
    with ExitStack() as opened:
        engine = None if given.by == "masks" else opened.enter_context(open_engine(given.by, "auto"))
        for seed in range(given.seeds[0], sum(given.seeds)):
            with draw(seed, given.fps, given.seconds) as phantom:
                for true, found in pairs(phantom, engine):
                    for name, truth in true.items():
                        value = found.get(name)
                        if isinstance(value, float):
                            errors.setdefault(name, []).append((truth, value))
                        else:
                            absent.setdefault(name, Counter())[value or "not measured"] += 1
    heads = ("measure", "beats", "absent", "truth", "bias", "SD", "mean abs.", "within %", "r")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, found in errors.items():
        truth, value = np.array(found).T
        off, r = value - truth, np.corrcoef(truth, value)[0, 1] if np.ptp(truth) > 0 else np.nan
        share = 100 * np.abs(off).mean() / np.abs(truth).mean()
        row = (truth.mean(), off.mean(), off.std(), np.abs(off).mean(), share, r)
        missing = sum(absent.get(name, Counter()).values())
        print(f"| {name} | {len(off)} | {missing} | {' | '.join(f'{figure:.2f}' for figure in row)} |")
    for name in absent.keys() - errors.keys():
        print(f"| {name} | 0 | {sum(absent[name].values())} | {absent[name].most_common(1)[0][0]} | | | | | |")


if __name__ == "__main__":
    main()
