"""The images of a training, in memory and changed anew in every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from echo_rt.model import CLASSES
from echo_rt_train.augment import Augment
from echo_rt_train.data import DataReport, Sample, covered_on_grid, read_all


class GridImages(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Samples at twice the network's grid. An item is grey (1, n, n), class coverage (C - 1, n, n) and traced classes (C,).

    The changes of an item depend on (seed, epoch, index) alone, not on the order of loading or the number of workers.

    Args:
        samples: of the data set; all of them are in every epoch.
        drawn: more samples, of which `share` times the number of `samples` are in an epoch, drawn anew.
        grid: side of the network's input.
        augment: the changes.
        seed: of the changes.
        report: gets what cannot be read.

    Attributes:
        epoch: to be set before each one.
        mean, std: grey levels of `samples` on the grid, to normalise by.
    """

    def __init__(
        self, samples: Sequence[Sample], drawn: Sequence[Sample], share: float, grid: int, augment: Augment, seed: int, report: DataReport
    ) -> None:
        images, covered, known = [], [], []
        for sample, (image, mask) in track(
            read_all([*samples, *drawn], report), "reading images", len(samples) + len(drawn), transient=True
        ):
            grey, cover = covered_on_grid(image, mask, 2 * grid)
            images.append(grey)
            covered.append(cover)
            known.append([label in (0, *sample.known) for label in range(len(CLASSES))])
        # What could not be read is missing; it was among the samples, since phantoms can always be drawn.
        self._real = len(images) - len(drawn)
        self._drawn = round(share * self._real) if drawn else 0
        self._images: NDArray[np.uint8] = np.stack(images)
        self._covered: NDArray[np.uint8] = np.stack(covered)
        self._known = torch.tensor(known, dtype=torch.float32)
        self._augment, self._seed, self.epoch = augment, seed, 0
        self.mean = float(self._images[: self._real].mean())
        self.std = float(self._images[: self._real].std())

    def __len__(self) -> int:
        return self._real + self._drawn

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self._seed, self.epoch, index])
        if index >= self._real:
            index = int(rng.integers(self._real, len(self._images)))
        grey, covered = self._augment(self._images[index], self._covered[index], rng)
        return torch.from_numpy(grey)[None], torch.from_numpy(covered), self._known[index]
