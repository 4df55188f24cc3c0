"""Where `min_atrium_confidence` of a model comes from: how well its mean probability of the atrium, where that won,
tells bad atria from good ones. A markdown table.

    python benchmarks/atrium_confidence.py runs/held-2 --data CAMUS --hold-out 2/3    # patients that it has not seen
    python benchmarks/atrium_confidence.py lv-edge --data CAMUS --split train

An atrium is bad where its Dice with the expert's is below `BAD_DICE`. Atria that the sector cuts off have no volume
anyway, and are left out of the rest; the error is that of the volume. The best threshold has the largest difference
between the shares of bad and of good atria that it refuses (Youden, Cancer 3:32-35, 1950).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.atrium_geometry import find_atrium
from echo_rt.cardiac.picture import Picture
from echo_rt.chambers import LeftAtrium
from echo_rt.engine import Engine
from echo_rt.model import CLASSES
from echo_rt_train.data import Sample, open_data
from echo_rt_train.evaluate.ejection import expert_segmentation, ventricle
from echo_rt_train.evaluate.model import open_model
from echo_rt_train.evaluate.overlap import confusion, joined_dice

BAD_DICE = 0.85

ATRIUM = CLASSES.index("left_atrium")

THRESHOLDS = (0.80, 0.82, 0.84, 0.86, 0.87, 0.88, 0.89, 0.90, 0.91, 0.92, 0.93, 0.94)


class Seen(NamedTuple):
    """One atrium: the model's mean probability and Dice, and by how much its volume is off; NaN where it is cut off."""

    confidence: float
    dice: float
    error_percent: float


def judged(engine: Engine, sample: Sample) -> Seen | None:
    """None where model or expert has no atrium."""
    image, mask = sample.read()
    seen, traced, picture = engine.segment(image), expert_segmentation(mask), Picture.of(image)
    found: list[LeftAtrium] = []
    for segmentation, rule in ((seen, (engine.spec.tuning.contour,)), (traced, ())):
        heart = ventricle(segmentation, sample.spacing_mm, *rule)
        atrium = None if heart is None else find_atrium(segmentation, heart, picture, sample.spacing_mm)
        if atrium is None:
            return None
        found.append(atrium)
    won, _, sum_won = seen.tally[:, ATRIUM].tolist()
    whole = all(atrium.reason is None for atrium in found)
    error = 100 * abs(found[0].volume / found[1].volume - 1) if whole else np.nan
    return Seen(sum_won / max(won, 1.0), joined_dice(confusion(seen.mask(), mask), (ATRIUM,)), error)


def rows(atria: NDArray[np.float64]) -> Sequence[str]:
    """Of the table: what each threshold refuses."""
    confidence, dice, error = atria.T
    whole = np.isfinite(error)
    bad = whole & (dice < BAD_DICE)
    good = whole & ~bad
    found = []
    for threshold in THRESHOLDS:
        refused, kept = confidence < threshold, whole & (confidence >= threshold)
        shares = [100 * refused[part].mean() for part in (slice(None), whole, bad, good)]
        off = [error[part].mean() if part.any() else np.nan for part in (whole & refused, kept)]
        cells = [f"{threshold:.2f}", *(f"{share:.0f}" for share in shares), f"{(shares[2] - shares[3]) / 100:.2f}"]
        found.append(f"| {' | '.join([*cells, *(f'{mean:.0f}' for mean in off)])} |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--hold-out", default=None, metavar="K/N")
    given = parser.parse_args()
    samples = open_data({"root": given.data, "hold_out": given.hold_out}).samples(given.split)
    with open_model(given.model) as engine:
        seen = [judged(engine, sample) for sample in samples]
    atria = np.array([one for one in seen if one is not None])
    whole = np.isfinite(atria[:, 2])
    bad = (atria[whole, 1] < BAD_DICE).sum()
    print(f"{len(seen)} images, {len(atria)} atria, {whole.sum()} of them whole, of which {bad} are bad\n")
    heads = ("threshold", "refused, %", "of whole", "of bad", "of good", "Youden", "error of refused, %", "of kept")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    print("\n".join(rows(atria)))


if __name__ == "__main__":
    main()
