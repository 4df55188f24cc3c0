"""How well beats and the rolling EF are found on simulated hearts whose beats are known: a markdown table.

    python benchmarks/beats.py --noise 1 4     # true volume curves with noise of 1 to 4 % of EDV: the beat finder alone
    python benchmarks/beats.py --by masks      # the phantom's own masks through the monitor; or --by MODEL its images

EF is 15 to 75 %, the rate 40 to 180 bpm (in arrhythmia to 120), 15 to 120 fps, 8 frames a beat or more. Was a beat
found, once, with ED and ES within a frame or 20 ms (the first and last are not asked for)? How far is EF from that of
its beats; does the interval hold the heart's?
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

import numpy as np

from echo_rt.cardiac.beats import BeatFinder
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.ejection_fraction import RollingEjectionFraction
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import Engine, open_engine
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import Beat, EjectionFraction
from echo_rt_train.evaluate.ejection import expert_segmentation

NOISE_S = 0.12  # how long half of the noise lasts; the other half is white
CASES = {
    "regular": ("sinus", False),
    "AF": ("af", False),
    "ectopic": ("ectopic", False),
    "uneven frames": ("sinus", True),
}
COUNTS = ("beats", "missed", "invented", "doubled", "rejected")


def draw(case: str, seed: int, seconds: float = 10.0) -> tuple[Phantom, list[int]]:
    """A phantom, and those of its frames that arrive."""
    rng, (rhythm, uneven) = np.random.default_rng(seed), CASES[case]
    ef, hr, fps = (
        rng.uniform(15, 75),
        rng.uniform(40, 180 if rhythm == "sinus" else 120),
        float(rng.choice([15, 25, 30, 50, 60, 120])),
    )
    fps = 120.0 if uneven else fps if fps >= 8 * hr / 60 else 50.0
    phantom = Phantom(
        PhantomOptions.of(ef=ef, hr=hr, fps=fps, seconds=seconds, seed=seed, height=360, width=480, rhythm=rhythm)
    )
    mean_s = min(rng.choice([0.02, 0.03, 0.05]), 60 / hr / 8)
    times = np.cumsum(rng.uniform(0.4 * mean_s, 1.6 * mean_s, int(2 * seconds / mean_s)))
    frames = np.unique(np.round(times[times < seconds - 0.02] * fps).astype(int))
    return phantom, frames[rng.random(len(frames)) > 0.1].tolist() if uneven else list(range(phantom.frames or 0))


def from_truth(
    phantom: Phantom, frames: list[int], noise: float, rng: np.random.Generator
) -> Iterator[tuple[Beat, EjectionFraction]]:
    """The beats of the true curve with noise of a share of EDV, and the rolling EF after each."""
    finder, rolling, lasting, before_s = BeatFinder(), RollingEjectionFraction("disks"), rng.normal(), 0.0
    sd_ml = noise * np.sqrt(0.5) * phantom.beats()[0].edv_ml
    for true in map(phantom.truth, frames):
        kept, before_s = np.exp(-(true.t_s - before_s) / NOISE_S), true.t_s
        lasting = kept * lasting + np.sqrt(1 - kept**2) * rng.normal()
        volume_ml = true.volume_ml + sd_ml * (lasting + rng.normal())
        if (beat := finder.update(true.t_s, Sample(true.t_s, volume_ml, true.area_mm2))) is not None:
            rolling.update(beat)
            yield beat, rolling.current


def from_frames(phantom: Phantom, frames: list[int], engine: Engine | None) -> Iterator[tuple[Beat, EjectionFraction]]:
    """The same by a model's masks, or by the phantom's own."""
    monitor = Monitor(engine.spec if engine else ModelSpec("the phantom's masks", "1", 480, 360, 0.0, 1.0))
    for k in frames:
        frame = phantom.frame(k) if engine else Frame(phantom.mask(k), k / phantom.fps, k, phantom.spacing_mm)
        segmentation = engine.segment(frame.image, monitor.state) if engine else expert_segmentation(frame.image)
        if (reading := monitor.update(segmentation, frame)).beat is not None:
            yield reading.beat, reading.ef


def score(phantom: Phantom, frames: list[int], found: list[tuple[Beat, EjectionFraction]]) -> dict[str, list[float]]:
    """What a clip adds to each column."""
    truth, fps, hr = phantom.beats(), phantom.fps, phantom.options.heart.hr
    frame_s, sure_s, of = max(0.02, np.median(np.diff(frames)) / fps) + 1e-6, frames[-1] / fps - 0.1 - 15 / hr, {}
    for beat, _ in found:
        nearest = int(np.argmin([abs(true.t_ed_s - beat.t_ed_s) for true in truth]))
        same = abs(truth[nearest].t_ed_s - beat.t_ed_s) < 0.35 * 60 / truth[nearest].heart_rate_bpm
        of.setdefault(nearest if same else -1 if truth[0].t_ed_s <= beat.t_ed_s < truth[-1].t_ed_s else -2, []).append(
            beat
        )
    due = [i for i, true in enumerate(truth) if true.t_ed_s > 0.1 and true.t_next_ed_s < sure_s]
    pairs = [(truth[i], beats[0]) for i, beats in of.items() if i >= 0]
    accepted = [(beat, ef) for beat, ef in found if beat.accepted]
    last = [pair for pair in pairs if pair[1] in [beat for beat, _ in accepted[-5:]]]
    row: dict[str, list[float]] = {
        "beats": [len(due)], "missed": [len(set(due) - set(of))], "invented": [len(of.get(-1, []))],
        "doubled": [sum(len(beats) - 1 for i, beats in of.items() if i >= 0)], "rejected": [len(found) - len(accepted)],
        "ED": [100.0 * (abs(beat.t_ed_s - true.t_ed_s) <= frame_s) for true, beat in pairs],
        "ES": [100.0 * (abs(beat.t_es_s - true.t_es_s) <= frame_s) for true, beat in pairs],
        "EF": [median(b.ef_percent for _, b in last) - median(t.ef_percent for t, _ in last)] if last else [],
    }  # fmt: skip
    heart = median(true.ef_percent for true in truth)
    for n in (1, 3, 5):
        ends = [(ef.low or 0, ef.high or 0) for _, ef in accepted if ef.beats == n][-1:]
        row |= {
            f"holds {n}": [100.0 * (low <= heart <= high) for low, high in ends],
            f"width {n}": [high - low for low, high in ends],
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by", default="truth", help="truth, masks, or a model")
    parser.add_argument(
        "--seeds", type=int, nargs=2, default=(5000, 60), metavar=("FIRST", "COUNT"), help="of each kind of heart"
    )
    parser.add_argument("--kinds", nargs="+", default=list(CASES), choices=list(CASES), help="of hearts; all of them")
    parser.add_argument(
        "--noise", type=float, nargs=2, default=(0.0, 0.0), metavar=("LOW", "HIGH"), help="percent of EDV, for truth"
    )
    first, count = (given := parser.parse_args()).seeds
    heads = [
        "hearts",
        *COUNTS,
        "ED, ES in time %",
        "EF bias, MAE; error median, 95th, max",
        *(f"EF held after {n} %, width" for n in (1, 3, 5)),
    ]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    with ExitStack() as opened:
        engine = None if given.by in ("truth", "masks") else opened.enter_context(open_engine(given.by, "auto"))
        for number, case in enumerate(given.kinds):
            rows = []
            for seed in range(first + number * count, first + (number + 1) * count):
                (phantom, frames), rng = draw(case, seed), np.random.default_rng([seed, 1])
                curve = from_truth(phantom, frames, rng.uniform(*given.noise) / 100, rng)
                rows.append(
                    score(phantom, frames, list(curve if given.by == "truth" else from_frames(phantom, frames, engine)))
                )
            of = {name: np.array([number for row in rows for number in row[name]]) for name in rows[0]}
            held = (f"{of[f'holds {n}'].mean():.0f}, {of[f'width {n}'].mean():.1f}" for n in (1, 3, 5))
            figures = of["EF"].mean(), np.abs(of["EF"]).mean(), *np.percentile(np.abs(of["EF"]), (50, 95, 100))
            error = "{:+.2f}, {:.2f}; {:.2f}, {:.2f}, {:.2f}".format(*figures)
            cells = [
                case,
                *(f"{of[name].sum():.0f}" for name in COUNTS),
                f"{of['ED'].mean():.1f}, {of['ES'].mean():.1f}",
                error,
                *held,
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
