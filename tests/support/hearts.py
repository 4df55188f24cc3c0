"""Volume curves and beats of hearts that are drawn, not scanned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from echo_rt.model import ModelInput, ModelSpec
from echo_rt.phantom import open_phantom
from echo_rt.segmentation import Segmentation
from support.shapes import segmentation_of

SPEC = ModelSpec("toy", "1", ModelInput(240, 240, 0.0, 1.0))


def volume_at(phase: np.ndarray | float, edv: float = 120.0, ef: float = 60.0) -> np.ndarray:
    """A plain heart: half a cosine down in the first 35 % of the beat, half a cosine back up in the rest; ED at phase
    0."""
    phase = np.asarray(phase) % 1.0
    down = 0.5 * (1 + np.cos(np.pi * phase / 0.35))
    up = 0.5 * (1 - np.cos(np.pi * (phase - 0.35) / 0.65))
    return edv * (1 - ef / 100 * (1 - np.where(phase < 0.35, down, up)))


SMALL = "height=160&width=200&seconds=4&fps=30&overlay=0"


A4C = f"phantom:?ef=40&hr=75&seed=1&edv_ml=120&{SMALL}"
A2C = f"phantom:?ef=50&hr=74&seed=2&edv_ml=120&named=A2C&{SMALL}"


class Traced:
    """An engine that has the masks of some phantoms, in the order in which their frames will come."""

    description = "the phantoms' own masks"

    def __init__(self, *uris: str) -> None:
        self.spec = SPEC
        phantoms = [open_phantom(uri) for uri in uris]
        self._masks: Iterator[np.ndarray] = chain.from_iterable(
            (p.mask(k) for k in range(p.frames or 0)) for p in phantoms
        )

    def segment(self, image: np.ndarray, state: object = None) -> Segmentation:
        return segmentation_of(next(self._masks))
